"""Files that a specification names: their paths are relative to the folder of the file that names them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.block_rules import parameter_name
from nnrun.spec.choices import read_choice
from nnrun.spec.file_sources import path_arguments
from nnrun.spec.names import shorten
from nnrun.spec.node import Node, Path, find, leaves, path_text, plain, put_at
from nnrun.spec.overrides import COMMAND_LINE
from nnrun.spec.schema import describe
from nnrun.spec.source import LONGEST_PATH

IMAGENET = (
    "would be downloaded, and a specification names what it trains on; fetch the file of weights once "
    "(see keras.io/api/applications) and give its path, or null for weights drawn from the seed"
)


def anchor_files(tree: Node, *, must_exist: bool) -> tuple[Node, list[Problem]]:
    """Make the paths of files absolute, so that they hold from anywhere: from the run's directory too.

    Returns:
        The specification with absolute paths, and what is no path; the files that are not there, if they must.
    """
    problems = []
    for path, node in list(_files(tree)):
        if node.value is None or (not isinstance(node.value, str) and path[-1] != "weights"):
            continue  # what is no text for the weights of examples, the schema refuses
        if message := _explain_no_path(path, node):
            problems.append(Problem(message, path_text(path), node.place))
            continue
        source = tree.place.source if node.place.source.name == COMMAND_LINE else node.place.source
        file = os.path.realpath(FilePath(source.name).parent / str(node.value))
        if must_exist and not _is_there(file, of_data=path[:2] == ("data", "source")):
            shown = [shorten(str(one), LONGEST_PATH) for one in (file, FilePath(source.name).parent or ".")]
            what = "file fits" if is_pattern(file) else "file"
            message = f"there is no {what} {shown[0]}; paths are relative to {shown[1]}"
            problems.append(Problem(message, path_text(path), node.place))
        tree = put_at(tree, path, replace(node, value=file))
    return tree, problems


def is_pattern(path: str) -> bool:
    """Whether a path stands for all files that it fits, such as ``data/*.csv``."""
    return any(character in path for character in "*?[") and not os.path.lexists(path)


def _is_there(file: str, *, of_data: bool) -> bool:
    """Whether there is a file; for data a folder or the files of a pattern will do."""
    if not of_data:
        return os.path.isfile(file)  # noqa: PTH113  (Path.is_file raises when the name is too long)
    return os.path.exists(file) or (is_pattern(file) and next(glob.iglob(file), None) is not None)  # noqa: PTH110, PTH207


def _explain_no_path(path: Path, node: Node) -> str | None:
    """Why a value is no path to look for, or None."""
    if node.value == "imagenet" and path[-1] == "weights":
        return IMAGENET
    if not isinstance(node.value, str) or not node.value:
        return f"expected the path of a file, or null; found {describe(plain(node))}"
    if path[:2] == ("model", "blocks") and parameter_name(node.value):
        return "a path is no parameter of a block; write the path itself, or null"
    return None


def _files(tree: Node) -> Iterator[tuple[Path, Node]]:
    """The values that are paths: weights of examples and of ready networks, the files of a data source."""
    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    for argument in path_arguments(source.name) if source else ():
        if source and argument in source.arguments:
            if source.name == "npz" and isinstance(source.arguments[argument].value, dict):
                continue  # names of arrays in the archive itself
            yield from leaves(source.arguments[argument], (*source.path, source.name, argument))
    weights = find(tree, ("data", "sample_weight"))
    if weights is not None:
        yield ("data", "sample_weight"), weights
    blocks = find(tree, ("model", "blocks"))
    named = blocks.value if blocks is not None and isinstance(blocks.value, dict) else {}
    for path in (("model", "layers"), *(("model", "blocks", name, "layers") for name in named)):
        layers = find(tree, path)
        for index, item in enumerate(
            layers.value if layers is not None and isinstance(layers.value, list) else []
        ):
            choice = read_choice(item, (*path, index))
            if choice and "weights" in choice.arguments and catalog.is_application(choice.name):
                yield (*path, index, choice.name, "weights"), choice.arguments["weights"]
