"""Rules on the user's own files and the sections beside them."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec.choices import read_choice, whereabouts
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.source import Node, find


def check_files(tree: Node) -> Iterator[Problem]:
    """Validation examples come from files of their own, or are split off, not both."""
    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    split = find(tree, ("training", "validation_split"))
    if source is None or source.name not in FILE_SOURCES or not source.value("validation") or split is None:
        return
    if isinstance(split.value, int | float) and split.value > 0:
        own = source.arguments["validation"]
        where = whereabouts(own.key_place or own.place, split.place)
        yield Problem(
            f"the validation examples have files of their own in data.source.{source.name}.validation ({where}); "
            "keep one of the two",
            "training.validation_split",
            split.key_place or split.place,
        )
