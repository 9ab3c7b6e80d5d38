"""What there is to say of a data set before anything is learned from it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

BINS = 24
"""Of a histogram: as many as there is room for in a line of text."""

FEWEST_BINS = 8
MOST_WHOLE = 2.0**40
"""The range up to which whole numbers are counted as such: beyond, halves are lost in the figures."""

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Histogram:
    """How values are spread over bins of the same width.

    Args:
        counts: The values in each bin.
        low: The lower end of the first bin; of whole numbers half below one.
        high: The upper end of the last one.
        whole: Whether the values are whole numbers.
    """

    counts: list[int]
    low: float
    high: float
    whole: bool = False

    @classmethod
    def of(cls, values: NDArray[Any]) -> Histogram | None:
        """The histogram of finite values; None where there are none."""
        if not values.size:
            return None
        whole = are_whole(values)
        edges = bin_edges(float(values.min()), float(values.max()), values.size, whole=whole)
        return cls.from_counts(np.histogram(values, edges)[0], edges, whole=whole)

    @classmethod
    def from_counts(cls, counts: NDArray[Any], edges: NDArray[Any], *, whole: bool) -> Histogram:
        """The histogram of counts between edges."""
        return cls(counts.tolist(), float(edges[0]), float(edges[-1]), whole)


def are_whole(values: NDArray[Any]) -> bool:
    """Whether all values are whole numbers."""
    if values.dtype.kind in "iub":
        return True
    return all(bool((part == np.rint(part)).all()) for part in (values.ravel()[:1000], values))


def bin_edges(low: float, high: float, count: int, *, whole: bool) -> NDArray[np.float64]:
    """The ends of bins for so many values: of few values few (Rice's rule); each holds as many whole numbers.

    Args:
        low: The smallest value.
        high: The largest.
        count: How many values there are.
        whole: Whether they are whole numbers.
    """
    bins = int(np.clip(2 * count ** (1 / 3), FEWEST_BINS, BINS))
    if not whole or high - low > MOST_WHOLE:
        return np.histogram_bin_edges(np.array([low, high]), bins)
    numbers = high - low + 1
    width = np.ceil(numbers / (BINS if numbers <= BINS else bins))
    ends: NDArray[np.float64] = low - 0.5 + width * np.arange(np.ceil(numbers / width) + 1)
    return ends


@dataclass(frozen=True)
class Words:
    """Texts as words.

    Args:
        texts: How many were looked at.
        shortest: Words of the shortest text.
        mean: Words of a text.
        longest: Words of the longest text.
        room: Words for which there is room; longer texts are cut. None where the order of words does not count.
        cut: Texts with more words than there is room for.
        distinct: Different words.
        places: Different words for which there is room; the rest become one unknown word. None: not known.
        unknown: The part of all words that become the unknown one.
        frequent: The most frequent words, each with its count.
        lengths: How many words the texts have.
    """

    texts: int
    shortest: int
    mean: float
    longest: int
    room: int | None
    cut: int
    distinct: int
    places: int | None
    unknown: float
    frequent: list[tuple[str, int]]
    lengths: Histogram | None


@dataclass(frozen=True)
class Column:
    """A column of a table, or a feature of an array of shape (n, features).

    Args:
        name: As it is written.
        kind: ``number``, ``boolean``, ``category``, ``date`` or ``text``.
        inferred: Whether the kind was told from a sample; else the specification says it.
        width: How many numbers it becomes.
        rows: All values, missing ones too.
        missing: Values that are not there.
        missing_by_part: The same for each part.
        distinct: Different values, without the missing ones.
        exact: Whether ``distinct`` was counted; else it was estimated to about 1 %.
        infinite: Values that are infinite.
        invalid: Texts that are no dates.
        minimum: The smallest finite value; of a date its text.
        maximum: The largest.
        mean: Of the finite values, as ``deviation``.
        deviation: The standard deviation, the root of the mean square distance from the mean.
        outliers: Values further than ten interquartile ranges from the quartiles.
        share: The part of the values that are the most frequent one; None where it is not known.
        frequent: The most frequent values, each with its count.
        histogram: Of the finite values.
        words: Of a column of texts.
        names_rows: Whether it looks like an identifier.
    """

    name: str
    kind: str
    inferred: bool
    width: int
    rows: int
    missing: int
    missing_by_part: dict[str, int]
    distinct: int
    exact: bool = True
    infinite: int = 0
    invalid: int = 0
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    outliers: int = 0
    share: float | None = None
    frequent: list[tuple[str, int]] = field(default_factory=list)
    histogram: Histogram | None = None
    words: Words | None = None
    names_rows: bool = False


@dataclass(frozen=True)
class Array:
    """An input of arrays, such as images.

    Args:
        name: The input's.
        values: How many numbers were looked at.
        missing: Those that are NaN.
        infinite: Those that are infinite.
        minimum: The smallest finite value, as ``maximum``, ``mean`` and ``deviation``.
        constant: Places of an example that hold the same value in all examples.
        histogram: Of the finite values.
        words: Of word numbers.
    """

    name: str
    values: int
    missing: int
    infinite: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    deviation: float | None
    constant: int
    histogram: Histogram | None = None
    words: Words | None = None


@dataclass(frozen=True)
class Input:
    """An input of the model.

    Args:
        name: Its name.
        shape: Of one example.
        dtype: As it is stored.
        divisor: ``x / divisor`` is what the model sees; None: x itself.
        columns: The columns in it, of a table.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    divisor: float | None = None
    columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Args:
        columns: Its columns; empty where it has no name.
        classes: The names of the classes; None for numbers.
        counts: For each part the examples of each class.
        numbers: The columns of numbers.
    """

    columns: list[str]
    classes: list[str] | None = None
    counts: dict[str, list[int]] = field(default_factory=dict)
    numbers: list[Column] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the data, or may be.

    Args:
        name: What kind of thing, such as ``missing_values``.
        level: ``error``: training refuses it; ``warning``: look at it; ``note``: good to know.
        message: What it is, with figures.
        why: Why it matters.
        advice: What to do.
        columns: The columns that it is about, if any.
    """

    name: str
    level: Level
    message: str
    why: str
    advice: str
    columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Inspection:
    """What there is to say of a data set.

    Args:
        name: What it is called.
        parts: The examples of ``train``, ``validation`` and ``test``.
        inputs: What the model is given.
        target: What it is to predict.
        columns: The columns of a table, or the features of a narrow array.
        arrays: The inputs that are no columns.
        left_out: Columns that are not used, each with the reason.
        findings: What is wrong, or may be: the worst first.
        looked_at: How many examples were looked at, where not all were.
    """

    name: str
    parts: dict[str, int]
    inputs: list[Input]
    target: Target
    columns: list[Column] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    looked_at: int | None = None
