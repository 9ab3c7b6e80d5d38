"""What the target of a table is, whether it can be learned, and which columns give it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nnrun.data.columns import infer_kind
from nnrun.data.draft_network import FEW, Goal, is_balanced
from nnrun.data.targets import Targets, encode_targets, fit_targets, refuse_lonely_classes
from nnrun.errors import DataError, Problem, SpecError
from nnrun.spec.names import did_you_mean, listed, shorten

if TYPE_CHECKING:
    import polars

FEW_CLASSES = 20
"""So many different whole numbers are taken for classes."""

ROWS_OF_A_CLASS = 5
SAME = 1 - 1e-6
"""A correlation from which on two columns say the same."""

TELLING = ("target", "label", "class", "y", "species", "outcome", "price", "category", "result", "survived")
"""Names that targets often have."""

MOST_SUGGESTED = 5
MOST_CLASSES_SHOWN = 6
UNKNOWN_THEN = "where that is not known yet, neither is this"
"""Why a column that gives the target away is of no use."""


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Args:
        goal: What the model must do.
        counts: The classes with their numbers of examples, by index; empty for a number.
        whole: Whether they are whole numbers, which could be amounts.
        values: How they look.
    """

    goal: Goal
    counts: dict[str, int]
    whole: bool
    values: str


def check_target(name: str, columns: Sequence[str], place: str) -> None:
    """Refuse a target that is no column.

    Raises:
        SpecError: There is no such column.
    """
    if name not in columns:
        near = did_you_mean(name, columns) or f"; there are {listed([shorten(one) for one in columns])}"
        raise SpecError([Problem(f"--target: {place} has no column '{shorten(name)}'{near}")])


def examine_target(values: polars.Series, place: str) -> Target:
    """Decide what kind of target a column is.

    Raises:
        SpecError: It is a date, or something else that cannot be predicted.
        DataError: It is always the same, or missing in rows, or every value is a class of its own.
    """
    import polars as pl

    name = shorten(values.name)
    looks = values.dtype
    if looks.is_temporal() or looks.is_nested() or looks in (pl.Binary, pl.Object):
        kind = "dates" if looks.is_temporal() else str(looks)
        message = f"--target: '{name}' holds {kind}; numbers and classes can be predicted"
        raise SpecError([Problem(message)])
    there = values.drop_nulls()
    whole = looks.is_numeric() and bool((there == there.round()).all())
    distinct = there.n_unique()
    classes = not looks.is_numeric() or (
        whole and distinct <= min(FEW_CLASSES, max(2, there.len() // ROWS_OF_A_CLASS))
    )
    if len(there) < len(values) or not classes:
        encode_targets(
            Targets(columns=[values.name]), _with_numbers(values), place
        )  # refuses what is missing
    if distinct == 1:
        fit_targets(there.cast(pl.String).to_frame(), [values.name], place)  # refuses it
    if not classes:
        return _number(there)
    return _classes((there.cast(pl.Int64) if whole else there).cast(pl.String), whole, place)


def _with_numbers(values: polars.Series) -> polars.DataFrame:
    """The column as numbers; missing where a text was missing."""
    import polars as pl

    numbers = values if values.dtype.is_numeric() else values.is_null().replace_strict({True: None, False: 0})
    return numbers.cast(pl.Float32).alias(values.name).to_frame()


def _classes(texts: polars.Series, whole: bool, place: str) -> Target:
    frame = texts.to_frame()
    targets = fit_targets(frame, [texts.name], place)
    y = encode_targets(targets, frame, place)
    if len(y) >= FEW:
        refuse_lonely_classes(y, targets, place)
    names = targets.classes or []
    counts = np.bincount(y, minlength=len(names)).tolist()
    values = describe_classes(names, counts)
    goal = Goal(shorten(texts.name), len(names), balanced=is_balanced(counts))
    return Target(goal, dict(zip(names, counts, strict=True)), whole, values)


def describe_classes(names: Sequence[str], counts: Sequence[int]) -> str:
    """The first classes with their numbers of examples."""
    shown = [f"{shorten(name, 20)} ({count:,})" for name, count in zip(names, counts, strict=True)]
    return ", ".join(shown[:MOST_CLASSES_SHOWN]) + (", ..." if len(shown) > MOST_CLASSES_SHOWN else "")


def _number(there: polars.Series) -> Target:
    import polars as pl

    numbers = there.cast(pl.Float64)
    mean, deviation = float(numbers.mean()), float(numbers.std(ddof=0) or 1.0)  # type: ignore[arg-type]
    values = f"{float(numbers.min()):.6g} to {float(numbers.max()):.6g}"  # type: ignore[arg-type]
    return Target(Goal(shorten(there.name), None, mean, deviation), {}, False, values)


def gives_away(values: polars.Series, target: polars.Series, classes: bool) -> str | None:
    """Why a column is the target in other words, or None.

    Args:
        values: Of the column.
        target: In the same rows.
        classes: Whether classes are predicted.
    """
    import polars as pl

    pair = pl.DataFrame({"x": values, "y": target}).drop_nulls()
    if pair.height < max(FEW, target.len() / 2):
        return None
    x, y = pair["x"], pair["y"]
    if x.dtype.is_numeric() and y.dtype.is_numeric() and (x == y).all():
        return f"the same as the target: {UNKNOWN_THEN}"
    kinds = y.n_unique()
    if (classes or kinds < pair.height / 2) and x.n_unique() == kinds == pair.n_unique():
        return f"each of its values stands for one of the target: {UNKNOWN_THEN}"
    if classes or not x.dtype.is_numeric() or kinds < 10:
        return None
    if max(abs(_correlation(pair, "pearson")), abs(_correlation(pair, "spearman"))) > SAME:
        return f"the target can be computed from it: {UNKNOWN_THEN}"
    return None


def _correlation(pair: polars.DataFrame, method: Literal["pearson", "spearman"]) -> float:
    import polars as pl

    found = pair.select(pl.corr(pl.col("x").cast(pl.Float64), pl.col("y"), method=method)).item()
    return 0.0 if found is None or found != found else float(found)


def plausible(frame: polars.DataFrame) -> list[str]:
    """Columns that could be the target, the likeliest first."""
    import polars as pl

    scores: dict[str, float] = {}
    for index, values in enumerate(frame.iter_columns()):
        try:
            target = examine_target(values, "")
            is_identifier = isinstance(infer_kind(values, ""), str) and not target.counts
        except (SpecError, DataError):
            continue
        if is_identifier:
            continue
        few = target.goal.classes is not None and len(target.counts) <= FEW_CLASSES
        named = values.name.lower() in TELLING
        last = index == frame.width - 1
        scores[values.name] = 3 * named + 2 * last + few + 0.5 * (values.dtype in (pl.String, pl.Boolean))
    return sorted(scores, key=lambda name: -scores[name])[:MOST_SUGGESTED]
