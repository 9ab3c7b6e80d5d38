"""What an argument takes, as far as its default and Keras's description of it say plainly.

A value that Keras would take must never be refused, so whatever leaves a choice ("integer or tuple") says
nothing.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Literal

from nnrun.spec.catalog_source import REQUIRED, SourceText

PlainType = Literal["integer", "number", "boolean", "text"]

WORDS: tuple[tuple[str, PlainType], ...] = (
    (r"(?:integers?|int)\b", "integer"),
    (r"bool(?:ean)?\b", "boolean"),
    (r"(?:floats?|floating point value)\b", "number"),
    (r"(?:string|str)\b", "text"),
)
BEFORE = r"(?:\(optional\) |optional )?(?:an? )?(?:(?:python|small|single) )?(positive |non-negative )?"
CHOICE = re.compile(
    r"\b(?:or|either|tuples?|lists?|none|dict\w*|tensors?|schedules?|callables?|instances?|arrays?|array_like"
    r"|sequences? of|functions?|objects?|pathlike|one of|if)\b|['\"]|\b0: "
)
"""What leaves more than one kind of value open."""


@dataclass(frozen=True)
class Values:
    """The values that an argument takes.

    Args:
        type: None where it is not plain.
        minimum: The least number that will do.
        maximum: The greatest number that will do.
        optional: Whether nothing (``null``) will do as well.
    """

    type: PlainType | None = None
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = True


UNKNOWN = Values()


def values_of(name: str, default: Any, doc: str) -> Values:
    """What an argument takes.

    Args:
        name: The argument's name.
        default: Its default; ``REQUIRED`` or source text say nothing about the type.
        doc: The docstring with an ``Args`` section in Google's style.
    """
    text = _descriptions(doc).get(name)
    if text is None:
        return UNKNOWN
    found = _stated(text, default) or _from_default(text, default)
    known = default is not REQUIRED and not isinstance(default, SourceText)
    return UNKNOWN if found is None or (known and not accepts(found, default)) else found


def _stated(text: str, default: Any) -> Values | None:
    """What the first words of a description say."""
    first = _first_sentence(text)
    optional = default is not REQUIRED
    for pattern, plain_type in WORDS:
        found = re.match(BEFORE + pattern, first)
        if not found:
            continue
        rest = re.sub(r"^,? or `?none`?", "", first[found.end() :])
        if plain_type == "boolean" and isinstance(default, bool) and re.match(r"\W*(?:$|whether)", rest):
            return Values("boolean", optional=optional)  # what follows says when it is true
        if CHOICE.search(rest) or re.search(r"\b0: ", text):
            return None  # "0: quiet, 1: messages" takes a truth value as well
        if plain_type == "number" and rest == " between 0 and 1" and "fraction of" in text:
            return Values("number", 0.0, 1.0, optional)
        return Values(plain_type, 1.0 if found[1] == "positive " else None, optional=optional)
    return None


def _from_default(text: str, default: Any) -> Values | None:
    """What the default says where the description names no type."""
    if isinstance(default, bool):
        plain = re.match(r"(?:\(optional\) )?(?:if `?true`?,|whether)", text)
        return Values("boolean") if plain or not CHOICE.search(text) else None
    if isinstance(default, int | float):
        return Values("number") if not CHOICE.search(text) else None
    return None


def accepts(values: Values, value: Any) -> bool:
    """Whether a plain value is among the values.

    Where a number is expected, a list may be one number for each axis, and 1e4 may be a whole number: only a
    positive integer (``units``) is taken at its word.
    """
    if value is None:
        return values.optional or values.type is None
    match values.type:
        case "boolean":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "integer" | "number":
            return _accepts_number(values, value)
    return True


def _accepts_number(values: Values, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return values.minimum is None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if values.type == "integer" and isinstance(value, float) and (values.minimum or not value.is_integer()):
        return False
    low, high = values.minimum, values.maximum
    return (low is None or value >= low) and (high is None or value <= high)


EXPECTED: dict[PlainType, str] = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "text": "text",
}


def expectation(values: Values) -> str:
    """The values in words: ``a whole number, at least 1``."""
    words = EXPECTED[values.type] if values.type else "a value"
    if values.minimum is not None and values.maximum is not None:
        return f"{words} between {values.minimum:g} and {values.maximum:g}"
    return words if values.minimum is None else f"{words}, at least {values.minimum:g}"


ENTRY = re.compile(r"^    `?(\w+)`?(?: *\([^)\n]*\))?: +((?:.*\n?)(?:(?:     +.*)?\n)*)", re.MULTILINE)


@functools.cache
def _descriptions(doc: str) -> dict[str, str]:
    """What is said about each argument, in lower case, on one line."""
    section = re.search(r"^Args:\n((?:(?:    .*)?\n)*)", doc + "\n", re.MULTILINE)
    if section is None:
        return {}
    return {name: " ".join(text.lower().split()) for name, text in ENTRY.findall(section[1])}


def _first_sentence(text: str) -> str:
    return re.split(r"\.(?:\s|$)", text, maxsplit=1)[0]
