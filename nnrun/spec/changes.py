"""What differs between two specifications, and what of it may differ when a training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nnrun.spec.schema import Spec

HARMLESS = (
    "name",
    "description",
    "tags",
    "training.epochs",
    "runtime.checkpoint_seconds",
    "runtime.strategy",
    "runtime.worker_wait_seconds",
)
"""What decides neither the numbers so far nor those to come; those of another strategy differ in their last bits."""

ABSENT = object()


@dataclass(frozen=True)
class Change:
    """A value that is not what it was.

    Args:
        path: ``training.batch_size``, ``model.layers.1.Dense.units``.
        before: The value at first; ``absent`` where there was none.
        now: The value now.
    """

    path: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.path}: was {_shown(self.before)}, is {_shown(self.now)}"


def changes(before: Spec, now: Spec) -> list[Change]:
    """What differs, value by value; ``auto`` is the same as what was chosen for it."""
    found = _compare("", before.plain(), now.plain())
    return [change for change in found if "auto" not in (change.before, change.now)]


def fatal(found: list[Change], allowed: tuple[str, ...] = HARMLESS) -> list[Change]:
    """The changes with which a training cannot go on as if nothing had happened."""
    return [change for change in found if not change.path.startswith(allowed)]


def _compare(path: str, before: Any, now: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{path}.{key}" if path else key
            yield from _compare(inner, before.get(key, ABSENT), now.get(key, ABSENT))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _compare(f"{path}.{index}", old, new)
    elif type(before) is not type(now) or before != now:
        yield Change(path, before, now)


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
