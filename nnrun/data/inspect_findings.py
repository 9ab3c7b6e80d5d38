"""What is wrong with columns, arrays and texts, or may be: each with why it matters and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nnrun.data.inspect_views import Array, Column, Finding, Level, Words
from nnrun.spec.names import MOST_LISTED, listed, shorten

NEARLY = 0.99
"""The part of a column from which on one value is nearly all of it."""

MOSTLY_MISSING = 0.5
SPREAD = 100
"""How many times wider than another a column must be for the other to be drowned."""

LARGE = 100
"""Inputs beyond this are far from the numbers of around 1 that a network starts with."""

CUT = 0.05
"""The part of texts that may be cut, or of words that may become the unknown one, before it is a warning."""


def look_at_columns(columns: Sequence[Column], parts: Mapping[str, int]) -> Iterator[Finding]:
    """What is wrong with single columns.

    Args:
        columns: Those of a table, or the features of an array.
        parts: The examples of each part, the training part first.
    """
    yield from _missing(columns, parts)
    yield from _values(columns)
    for column in columns:
        if column.words:
            yield from look_at_words(f"the texts of '{shorten(column.name)}'", column.words, [column.name])


def _missing(columns: Sequence[Column], parts: Mapping[str, int]) -> Iterator[Finding]:
    first = next(iter(parts))
    empty = [one for one in columns if one.missing and one.missing_by_part[first] == parts[first]]
    if empty:
        yield finding(
            "empty_columns",
            "error",
            f"no value in the training part: {_names(empty)}",
            "Nothing can be learned of such a column, and training refuses it.",
            f"Write ignore: {_list(empty)}.",
            empty,
        )
    missing = [one for one in columns if one.missing and one not in empty]
    if missing:
        mostly = [one for one in missing if one.missing > MOSTLY_MISSING * one.rows]
        leave = f"Leave out what is mostly empty: ignore: {_list(mostly)}. " if mostly else ""
        yield finding(
            "missing_values",
            "warning",
            f"values are missing in {_each(missing, lambda one: share(one.missing, one.rows))}",
            "A guess takes their place: of numbers the median unless you say otherwise, with a flag beside it; missing "
            "categories are a category.",
            f"{leave}Fill in what you can, and say what is right: columns: {{NAME: {{number: {{missing: zero}}}}}}.",
            missing,
        )
    unseen = [
        one for one in missing if not one.missing_by_part[first] and one.kind not in ("text", "category")
    ]
    if unseen:
        yield finding(
            "missing_unseen",
            "warning",
            f"values are missing in the held-out parts, and none in training: {_names(unseen)}",
            "The model never sees a missing value there, so it gets no flag for one.",
            "Check how the files differ, or divide one file by test_split instead.",
            unseen,
        )


def _values(columns: Sequence[Column]) -> Iterator[Finding]:
    infinite = [one for one in columns if one.infinite]
    if infinite:
        yield finding(
            "infinite_values",
            "error",
            f"infinite values: {_each(infinite, lambda one: f'{one.infinite:,}')}",
            "Means, and with them all inputs, become infinite; training refuses them.",
            "Correct them, or leave them empty.",
            infinite,
        )
    invalid = [one for one in columns if one.invalid]
    if invalid:
        yield finding(
            "invalid_dates",
            "error",
            f"texts that are no dates: {_each(invalid, lambda one: f'{one.invalid:,}')}",
            "Training refuses them.",
            "Correct them, or say how dates are written: columns: {NAME: {date: {format: '%d.%m.%Y'}}}.",
            invalid,
        )
    constant = [one for one in columns if one.distinct == 1 and not one.missing and one.rows > 1]
    if constant:
        yield finding(
            "constant_columns",
            "warning",
            f"the same value in all rows: {_names(constant)}",
            "There is nothing to learn from it.",
            f"Write ignore: {_list(constant)}.",
            constant,
        )
    nearly = [one for one in columns if one.distinct > 1 and one.share is not None and one.share >= NEARLY]
    if nearly:
        yield finding(
            "nearly_constant_columns",
            "warning",
            f"nearly always the same value: {_each(nearly, lambda one: percent(one.share or 0))}",
            "What is rare there is learned from a few rows only, or by heart.",
            "Keep it if what is rare matters; else leave it out.",
            nearly,
        )
    far = [one for one in columns if one.outliers]
    if far:
        yield finding(
            "outliers",
            "warning",
            "values more than 10 interquartile ranges away from the middle half: "
            f"{_each(far, lambda one: f'{one.outliers:,}, from {number(one.minimum)} to {number(one.maximum)}')}",
            "A few of them decide mean and spread, and the scaled rest becomes nearly the same number.",
            "Correct mistakes (units, 999 for unknown); for long tails write columns: {NAME: {number: {scale: log}}}.",
            far,
        )
    identifiers = [one for one in columns if one.names_rows]
    if identifiers:
        yield finding(
            "identifiers",
            "warning",
            f"different in every row, like an identifier: {_names(identifiers)}",
            "A model learns its rows by heart by it, and knows nothing of new ones.",
            f"Write ignore: {_list(identifiers)}.",
            identifiers,
        )


def look_at_scales(columns: Sequence[Column], arrays: Sequence[Array]) -> Iterator[Finding]:
    """What is not scaled and should be.

    Args:
        columns: Those of numbers that arrive as they are.
        arrays: Inputs that arrive as they are.
    """
    spread = [one for one in columns if one.deviation and one.kind == "number"]
    widest = max(spread, key=lambda one: one.deviation or 0, default=None)
    narrowest = min(spread, key=lambda one: one.deviation or 0, default=None)
    times = (widest.deviation or 0) / (narrowest.deviation or 1) if widest and narrowest else 0
    if widest and narrowest and times >= SPREAD:
        yield finding(
            "different_scales",
            "warning",
            f"'{shorten(widest.name)}' spreads {times:,.0f} times as far as '{shorten(narrowest.name)}', and nothing "
            "scales them",
            "The wide ones decide all at first, and one learning rate cannot suit both.",
            "Put BatchNormalization before the first layer; of a table's column, leave scale: none out.",
            [widest, narrowest],
        )
        return
    for array in arrays:
        high = max(abs(array.minimum or 0), abs(array.maximum or 0))
        if high > LARGE and not array.words:
            yield Finding(
                "large_inputs",
                "warning",
                f"the values of {shorten(array.name)} go from {number(array.minimum)} to {number(array.maximum)}, and "
                "nothing scales them",
                "A network starts with numbers of around 1; larger ones make its first steps too large.",
                "Write scale: in data.source, or put Rescaling or BatchNormalization before the first layer.",
            )


def look_at_arrays(arrays: Sequence[Array]) -> Iterator[Finding]:
    """What is wrong with inputs that are arrays."""
    for array in arrays:
        if array.missing or array.infinite:
            yield Finding(
                "not_finite",
                "error",
                f"{shorten(array.name)} holds {array.missing:,} NaN and {array.infinite:,} infinite values",
                "The first of them makes loss and weights NaN.",
                "Correct them, or remove the examples.",
            )
        if array.minimum is not None and array.minimum == array.maximum:
            yield Finding(
                "constant_inputs",
                "warning",
                f"{shorten(array.name)} is {number(array.minimum)} everywhere",
                "There is nothing to learn from it.",
                "Look at how the file was made.",
            )
        if array.words:
            yield from look_at_words(shorten(array.name), array.words, [])


def look_at_words(what: str, words: Words, columns: list[str]) -> Iterator[Finding]:
    """What is lost of texts.

    Args:
        what: What to call them.
        words: What they are made of.
        columns: The columns they are in.
    """
    if words.cut:
        exact = "are longer than" if words.longest > (words.room or 0) else "fill all of"
        yield Finding(
            "cut_texts",
            "warning" if words.cut > CUT * words.texts else "note",
            f"{what}: {share(words.cut, words.texts)} {exact} the {words.room:,} words for which there is room "
            f"(on average {words.mean:,.0f}, at most {words.longest:,})",
            "What stands beyond is not seen.",
            "Raise sequence_length (maxlen of built-in texts), if what is cut matters; it costs time.",
            columns,
        )
    if words.unknown and words.places is not None and words.distinct > words.places:
        yield Finding(
            "large_vocabulary",
            "warning" if words.unknown > CUT else "note",
            f"{what}: there is room for {words.places:,} of {words.distinct:,} different words; "
            f"{percent(words.unknown)} of all words become the unknown one",
            "The model cannot tell these words apart.",
            "Raise max_tokens, if rare words matter.",
            columns,
        )


def finding(
    name: str, level: Level, message: str, why: str, advice: str, columns: Sequence[Column]
) -> Finding:
    """A finding about columns."""
    return Finding(name, level, message, why, advice, [one.name for one in columns])


def share(count: int, whole: int) -> str:
    """``17 of 891 (1.9 %)``."""
    return f"{count:,} of {whole:,} ({percent(count / whole)})"


def percent(fraction: float) -> str:
    """A part of a whole in a few characters; what is not all or nothing is not shown as such."""
    shown = f"{100 * fraction:.1f}"
    if shown in ("0.0", "100.0") and 0 < fraction < 1:
        return "less than 0.1 %" if fraction < 0.5 else "more than 99.9 %"
    return f"{shown.removesuffix('.0')} %"


def number(value: float | str | None) -> str:
    """A value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else shorten(str(value))


def _names(columns: Sequence[Column]) -> str:
    return listed([one.name for one in columns])


def _list(columns: Sequence[Column]) -> str:
    return f"[{_names(columns)}]"


def _each(columns: Sequence[Column], say: Callable[[Column], str]) -> str:
    """``age: 177 of 891; cabin: 687 of 891``; three dots stand for those beyond the first few."""
    shown = [f"{shorten(one.name)}: {say(one)}" for one in columns[:MOST_LISTED]]
    return "; ".join([*shown, "..."] if len(columns) > len(shown) else shown)
