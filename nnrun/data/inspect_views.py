"""What there is to say of a data set before anything is learned from it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

BINS = 24
"""Of a histogram: as many as there is room for in a line of text."""

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Histogram:
    """How values are spread over bins of the same width.

    Args:
        counts: The values in each bin.
        low: The lower end of the first bin.
        high: The upper end of the last one.
    """

    counts: list[int]
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Histogram | None:
        """The histogram of finite values; None where there are none. Few whole numbers get a bin each."""
        if not values.size:
            return None
        low, high = float(values.min()), float(values.max())
        if values.dtype.kind in "iub" and high - low < BINS:
            return cls(np.bincount((values.ravel() - int(low)).astype(np.intp)).tolist(), low, high)
        counts, edges = np.histogram(values.astype(np.float64, copy=False), bins_for(values.size))
        return cls(counts.tolist(), float(edges[0]), float(edges[-1]))


def bins_for(count: int) -> int:
    """Bins for so many values: with few values, few, so that the histogram is not all gaps (Rice's rule)."""
    return int(np.clip(2 * count ** (1 / 3), 8, BINS))


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
