"""Examples that stand more than once: within a part, in two parts, and with different targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.own import Inputs

if TYPE_CHECKING:
    import polars

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Repeats:
    """Examples whose inputs are the same.

    Args:
        within: For each part the examples that are the same as an earlier one of it, target included.
        leaked: For each part but the first the examples whose inputs stand in the first as well.
        contradicting: The examples that share their inputs with one of another target.
        example: Two examples of each kind by the name of its field; indices into all examples.
    """

    within: dict[str, int]
    leaked: dict[str, int]
    contradicting: int
    example: dict[str, tuple[int, int]]


def hash_table(frame: polars.DataFrame) -> Keys:
    """A number for each row: rows are the same where these are, but for one chance in billions of rows."""
    return frame.hash_rows().to_numpy()


def hash_arrays(x: Inputs) -> Keys:
    """The same for examples in arrays."""
    if isinstance(x, dict):
        return hash_table(_frame([hash_arrays(array) for array in x.values()]))
    if x.ndim == 2 and x.shape[1] <= 64 and x.dtype.kind == "f":
        return hash_table(_frame([np.ascontiguousarray(x[:, place]) for place in range(x.shape[1])]))
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    hashes = np.fromiter((hash(row.tobytes()) for row in rows), np.int64, len(rows))
    return hashes.view(np.uint64)


def _frame(columns: list[NDArray[Any]]) -> polars.DataFrame:
    import polars as pl

    return pl.DataFrame({str(place): column for place, column in enumerate(columns)})


def hash_targets(y: NDArray[Any]) -> Keys:
    """A number for each target."""
    return hash_table(_frame([y] if y.ndim == 1 else [y[:, place] for place in range(y.shape[1])]))


def find_repeats(keys: Keys, targets: Keys, part: NDArray[Any], names: list[str]) -> Repeats:
    """Compare all examples with each other.

    Args:
        keys: Of the inputs, of shape (n,).
        targets: Of the targets, of shape (n,).
        part: The index of each example's part in ``names``, of shape (n,).
        names: The parts; the first is the one to learn from.
    """
    import polars as pl

    key, row, number, target = (pl.col(name) for name in ("key", "row", "part", "target"))
    alike = ["key", "target", "part"]
    examples = pl.DataFrame({"key": keys, "target": targets, "part": part}).with_row_index("row")
    several = examples.filter(key.is_duplicated()).with_columns(
        within=~pl.struct(alike).is_first_distinct(),
        leaked=(number == 0).any().over("key") & (number > 0),
        contradicting=(target.n_unique() > 1).over("key"),
    )
    counts = {
        name: several.filter(number == index).select("within", "leaked").sum().row(0, named=True)
        for index, name in enumerate(names)
    }
    partners = {
        "within": row.first().over(alike),
        "leaked": row.filter(number == 0).first().over("key"),
        "contradicting": row.filter(target != target.first()).first().over("key"),
    }
    example = {}
    for kind, partner in partners.items():
        pairs = several.with_columns(partner.alias("partner")).filter(pl.col(kind))
        if pairs.height:
            one, other = pairs.select("row", "partner").row(0)
            example[kind] = (min(one, other), max(one, other))
    return Repeats(
        within={name: found["within"] for name, found in counts.items()},
        leaked={name: counts[name]["leaked"] for name in names[1:]},
        contradicting=int(several["contradicting"].sum()),
        example=example,
    )
