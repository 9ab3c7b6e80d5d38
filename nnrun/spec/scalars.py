"""YAML 1.2's idea of a word: nothing, a truth value, a number or text."""

from __future__ import annotations

import math
import re

LONGEST_NUMBER = 400
"""Digits; Python itself refuses to read whole numbers of some thousands."""

INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}


def read_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted word means: ``1e-3`` is a number; ``no``, ``1:30``, ``1_000`` and dates are text.

    Raises:
        ValueError: It is a number that cannot be held; the message says why.
    """
    if text in WORDS:
        return WORDS[text]
    if not text[0].isascii() or not (text[0].isdigit() or text[0] in "+-."):
        return text
    if INTEGER.fullmatch(text):
        _check_length(text)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if FLOAT.fullmatch(text):
        _check_length(text)
        return _read_float(text)
    return text


def _check_length(text: str) -> None:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} characters; expected at most {LONGEST_NUMBER}")


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large for a number; the largest is about 1.8e308")
    mantissa = re.split("[eE]", text)[0]
    if number == 0 and any(digit in "123456789" for digit in mantissa):
        raise ValueError(f"{text} is too small for a number: it would become 0")
    return number
