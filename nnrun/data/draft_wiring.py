"""How the columns of a table enter the network: numbers as they are, indices through an Embedding of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nnrun.data.draft_columns import Feature
from nnrun.data.draft_lines import Line
from nnrun.data.draft_words import LONGEST_EMBEDDING, LONGEST_WORD_VECTOR, embedding_size
from nnrun.spec.dump import flow
from nnrun.spec.file_sources import TextColumn
from nnrun.spec.names import shorten

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""What nnrun and Keras take for a name as it is."""

NUMBERS = "numbers"
TAKEN = ("input", NUMBERS)


def name_inputs(features: Sequence[Feature]) -> dict[str, list[str]] | None:
    """The inputs of the model by names of letters, each with its columns; None where nnrun's own names do."""
    indices = [feature.name for feature in features if feature.indices]
    if not indices or (len(features) == 1):
        return None
    if all(NAME.fullmatch(name) and name not in TAKEN for name in indices):
        return None
    floats = [feature.name for feature in features if not feature.indices]
    names = _names(indices)
    return ({NUMBERS: floats} if floats else {}) | {names[name]: [name] for name in indices}


def _names(columns: Sequence[str]) -> dict[str, str]:
    """A name of letters and digits for each column."""
    taken, names = set(TAKEN), {}
    for column in columns:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")[:40]
        plain = plain if NAME.fullmatch(plain) else f"column_{plain}".rstrip("_")
        name = next(one for one in (plain, *(f"{plain}_{n}" for n in range(2, 10_000))) if one not in taken)
        taken.add(name)
        names[column] = name
    return names


def first_layers(features: Sequence[Feature], inputs: dict[str, list[str]] | None) -> list[Line]:
    """The layers that bring all inputs together; none where there is one input of numbers."""
    indices = [feature for feature in features if feature.indices]
    if not indices:
        return []
    alone = len(features) == 1
    given = {columns[0]: name for name, columns in (inputs or {}).items()}
    names = [given.get(feature.name, feature.name) for feature in indices]
    lines: list[Line] = []
    for feature, name in zip(indices, names, strict=True):
        lines += _embedding(feature, None if alone else name)
    if alone:
        return lines
    parts = [NUMBERS] if len(indices) < len(features) else []
    joined = [*parts, *map(_vector, names)]
    if len(joined) == 1:
        return lines
    return [
        *lines,
        Line(f"- Concatenate: {{inputs: {flow(joined)}}}", "all that is known of a row, side by side"),
    ]


def _vector(name: str) -> str:
    return f"{name}_vector"


def _embedding(feature: Feature, name: str | None) -> list[Line]:
    """A vector for each index of a column.

    Args:
        feature: The column.
        name: Of its input; None where it is the only one.
    """
    is_text = isinstance(feature.kind, TextColumn)
    size = embedding_size(feature.indices, LONGEST_WORD_VECTOR if is_text else LONGEST_EMBEDDING)
    arguments = {"input_dim": feature.indices, "output_dim": size} | ({"inputs": name} if name else {})
    named = f": {flow({'name': _vector(name)})}" if name else ""
    what = "word" if is_text else "category"
    shown = shorten(feature.name)
    why = f"a vector of {size} numbers, which is learned, for each {what} of {shown}; index 0 is for unknown ones"
    last = Line(f"- GlobalAveragePooling1D{named}", "the mean of the words' vectors") if is_text else None
    return [Line(f"- Embedding: {flow(arguments)}", why, above=True), last or Line(f"- Flatten{named}")]
