"""From the user's data to a specification that trains well on it: what was found, what was chosen, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from nnrun.data.draft_lines import Line
from nnrun.errors import Problem, SpecError
from nnrun.spec.files import is_pattern
from nnrun.spec.names import did_you_mean, shorten
from nnrun.spec.templates import MODELINE, SCHEMA

NO_TABLES = {
    ".xlsx": "save the sheet as CSV first",
    ".xls": "save the sheet as CSV first",
    ".ods": "save the sheet as CSV first",
    ".json": "write it as a table (CSV or Parquet) first",
    ".jsonl": "write it as a table (CSV or Parquet) first",
    ".zip": "unpack it first",
    ".npy": "an array alone has no targets; keep x and y in one .npz file",
}
"""Files that are asked for, and cannot be read."""


@dataclass(frozen=True)
class Found:
    """A column of a table, the pictures or texts of a class, or an array: what it is, and what becomes of it.

    Args:
        name: As in the data.
        kind: What it was taken for, such as ``category of 3``.
        values: How its values look.
        missing: How many there are not.
        becomes: What the model gets of it, or why it is left out.
    """

    name: str
    kind: str
    values: str
    missing: int
    becomes: str


@dataclass(frozen=True)
class Draft:
    """A specification that was made for the user's data.

    Args:
        text: The YAML text, with comments.
        about: What there is, such as ``150 rows, 5 columns``.
        found: Each column, class or array.
    """

    text: str
    about: str
    found: tuple[Found, ...]


class NoTarget(SpecError):
    """Nobody said which column is to be predicted.

    Args:
        problem: Says so.
        found: The columns to choose from.
    """

    def __init__(self, problem: Problem, found: tuple[Found, ...]) -> None:
        super().__init__([problem])
        self.found = found


def draft(data: str, target: str | None, file: Path) -> Draft:
    """Look at data and write a specification for it.

    Args:
        data: A CSV or Parquet file or a pattern of such, a folder with a folder for each class, or an .npz file.
        target: The column to predict, or the array of an .npz file; None for folders.
        file: Where the specification will be; its paths are relative to there.

    Returns:
        The specification, which is not written anywhere yet.

    Raises:
        SpecError: There is no such data or target, or none was given.
        DataError: The data cannot be trained on as it is.
    """
    path = Path(data)
    if not is_pattern(data) and not path.exists():
        raise SpecError([Problem(f"--from: there is no {shorten(data, 200)}{_nearest(path)}")])
    if path.suffix.lower() in NO_TABLES:
        raise SpecError([Problem(f"--from: {shorten(data, 200)}: {NO_TABLES[path.suffix.lower()]}")])
    if path.is_dir():
        from nnrun.data.draft_folders import draft_folder

        if target is not None:
            message = "--target: the classes of a folder are the folders in it; leave --target out"
            raise SpecError([Problem(message)])
        return draft_folder(data, file)
    if path.suffix.lower() == ".npz":
        from nnrun.data.draft_arrays import draft_arrays

        return draft_arrays(data, target, file)
    from nnrun.data.draft_table import draft_table

    return draft_table(data, target, file)


def heading(file: Path, data: str, summary: str, about: str) -> list[Line]:
    """The first lines of a specification: its command, its schema, and what it is."""
    return [
        Line(f"# nnrun train {quote(shorten(str(file), 1000))}   {summary}"),
        Line(MODELINE + SCHEMA),
        Line(
            f"# Made by `nnrun init` from {shorten(Path(data).name, 200)} ({about}). It trains as it is; every"
        ),
        Line("# choice is explained, and any of them may be changed."),
        Line("seed: 1", "of all that is random; another one divides the data in another way"),
    ]


def path_from(file: Path, data: str) -> str:
    """The path of data as it is written in a specification: relative to its folder, unless they are far apart."""
    there, folder = os.path.abspath(data), os.path.realpath(file.parent)  # noqa: PTH100  (a pattern is no path)
    try:
        common = os.path.commonpath([there, folder])
    except ValueError:  # another drive
        return there
    return there if common == os.path.dirname(common) else os.path.relpath(there, folder)  # noqa: PTH120


def _nearest(path: Path) -> str:
    """A file beside it with a similar name."""
    try:
        beside = [one.name for one in path.parent.iterdir()][:1000]
    except OSError:
        return f"; there is no folder {shorten(str(path.parent), 200)} either"
    return did_you_mean(path.name, beside)
