"""A specification as YAML text that a person likes to read and that reads back as the same specification."""

from __future__ import annotations

import math
import re
from typing import Any

from nnrun.spec.positions import section_of
from nnrun.spec.scalars import read_scalar
from nnrun.spec.schema import Spec

BLOCK_LISTS = ("layers", "callbacks")
"""Lists that get a line for each item, however short."""

PLAIN_TEXT = re.compile(r"[A-Za-z_$][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*")
OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Truth values in YAML 1.1, which most other programs read."""

LONGEST_KEY = 100
"""Characters; longer keys need braces and a question mark (YAML's limit is 1,024, escapes included)."""


def dump_spec(spec: Spec) -> str:
    """The whole specification, every default written; what has no value is left out."""
    lines: list[str] = []
    for key, value in spec.plain().items():
        if section_of(Spec.model_fields[key].annotation):
            lines += ["", f"{key}:", *(f"  {line}" for name in value for line in _entry(name, value[name]))]
        else:
            lines += _entry(key, value)
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any) -> list[str]:
    """The lines of one key of a section."""
    if value is None or (key == "blocks" and not value):
        return []
    if key == "blocks":
        return ["blocks:", *(f"  {line}" for name, block in value.items() for line in _block(name, block))]
    if (
        isinstance(value, list)
        and value
        and (key in BLOCK_LISTS or any(isinstance(item, dict) for item in value))
    ):
        return [f"{key}:", *(f"  - {_item(item)}" for item in value)]
    return [f"{key}: {flow(value)}"]


def _block(name: str, block: dict[str, Any]) -> list[str]:
    """The lines of a block of layers."""
    entries = {key: value for key, value in block.items() if value}
    return [f"{_key(name)}:", *(f"  {line}" for key, value in entries.items() for line in _entry(key, value))]


def _item(value: Any) -> str:
    """An item of a list: the name of a choice stands before its arguments in braces."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, arguments),) = value.items()
        if len(name) <= LONGEST_KEY:
            return f"{_text(name)}: {flow(arguments)}"
    return flow(value)


def flow(value: Any) -> str:
    """A value on one line, as it is written in a specification."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_key(key)}: {flow(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
    return _text(value)


def _number(value: float) -> str:
    """All digits, with a point: many programs take ``1e-05`` for text."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, exponent, power = repr(value).partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + exponent + power


def _key(text: str) -> str:
    return _text(text) if len(text) <= LONGEST_KEY else f"? {_text(text)} "


def _text(text: str) -> str:
    """Text, in quotes where it could be read as anything else."""
    if PLAIN_TEXT.fullmatch(text) and isinstance(read_scalar(text), str) and text.lower() not in OLD_WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
