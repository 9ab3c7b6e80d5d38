"""Lines of YAML with the reasons for what stands in them, as comments beside or above."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.spec.dump import flow
from nnrun.spec.names import shorten

WIDTH = 110
"""Characters of a line, unless a value is longer."""

BESIDE = 40
"""Where a comment beside a value begins."""

LONGEST_KEY = 1000
"""Characters; a longer key of a map must stand in braces (YAML's limit is 1,024)."""

LONGEST_REASON = 2000


@dataclass(frozen=True)
class Line:
    """A line of YAML.

    Args:
        code: With its indentation; empty for a line between sections.
        why: The reason for it, in one or more sentences; may be empty.
        above: Whether the reason stands above however short it is.
    """

    code: str
    why: str = ""
    above: bool = False


def page(lines: Iterable[Line]) -> str:
    """The lines with their comments as text."""
    return "\n".join(text for line in lines for text in _write(line)) + "\n"


def indented(lines: Iterable[Line], spaces: int) -> list[Line]:
    """The lines further to the right."""
    return [Line(" " * spaces + line.code, line.why, line.above) for line in lines]


def entries(key: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> list[Line]:
    """A map under a key, a line and a reason for each of its entries."""
    if not values:
        return []
    if any(len(flow(name)) > LONGEST_KEY for name in values):
        return [Line(f"{key}: {flow(dict(values))}", "; ".join(reasons.values()))]
    return [
        Line(f"{key}:"),
        *(
            Line(f"  {flow(name)}: {flow(value)}", reasons.get(name, ""), above=True)
            for name, value in values.items()
        ),
    ]


def items(key: str, values: Sequence[Any], reasons: Sequence[str]) -> list[Line]:
    """A list under a key, a line and a reason for each of its items."""
    if not values:
        return []
    pairs = zip(values, reasons, strict=True)
    return [Line(f"{key}:"), *(Line(f"  - {flow(value)}", why) for value, why in pairs)]


def _write(line: Line) -> list[str]:
    why = shorten(line.why, LONGEST_REASON)  # on one line, whatever a stranger's column is called
    if not why:
        return [line.code]
    beside = f"{line.code:{BESIDE}}  # {why}"
    if len(beside) <= WIDTH and not line.above:
        return [beside]
    indent = line.code[: len(line.code) - len(line.code.lstrip())]
    start = f"{indent}# "
    why = why[0].upper() + why[1:]
    return [*textwrap.wrap(why, WIDTH, initial_indent=start, subsequent_indent=start), line.code]
