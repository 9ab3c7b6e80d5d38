"""Where a data set that is not inside nnrun is looked for: ``$NNRUN_DATA_DIR``, Keras's cache, the network.

A file ``$NNRUN_DATA_DIR/<name>.npz`` holds ``x_train``, ``y_train``, ``x_test`` and ``y_test`` as
``keras.datasets`` gives them, with any number of examples. Differences from Keras's own files:

- ``imdb`` and ``reuters``: Keras's files hold pickled lists and are read only when their hash is Keras's.
  Any other file holds ``x_train`` and ``x_test`` as whole numbers of shape (n, length): word numbers as Keras
  counts them (1 starts a text, 2 is an unknown word, the most frequent word is 4), padded in front with 0.
- ``california_housing``: Keras's own file, with ``x`` and ``y``, will do too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.archive import Expected, member_names, read_arrays
from nnrun.data.class_names import class_names
from nnrun.data.download import fetch_arrays, read_original
from nnrun.data.examples import Dataset, Examples
from nnrun.data.words import pad_words, shorten_words
from nnrun.errors import DataError
from nnrun.spec.datasets import DatasetFacts, complete_arguments, dataset_facts
from nnrun.spec.schema import Choice

DATA_DIR = "NNRUN_DATA_DIR"

# The files of keras.datasets whose arrays are pickled; only these very bytes are unpickled.
PICKLED_SHA256 = {
    "imdb": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    "reuters": "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
}

Arrays = Mapping[str, NDArray[Any]]


def look_up(source: Choice, notify: Callable[[str], None]) -> Dataset:
    """Load a source that is not inside nnrun. Without a download, a local file needs no TensorFlow.

    Args:
        source: One of those that ``DatasetFacts.downloaded`` marks.
        notify: Is told what takes long.

    Raises:
        Unavailable: It is nowhere and cannot be downloaded.
        DataError: The local file is not what it should be.
    """
    facts = dataset_facts(source)
    path = local_file(source.name)
    if path is not None:
        return _conform(_read_local(path, source, facts), facts, str(path))
    return _conform(fetch_arrays(source.name, _keras_options(source), notify), facts, source.name)


def local_file(name: str) -> Path | None:
    """The file of a source in ``$NNRUN_DATA_DIR``, if it is there.

    Raises:
        DataError: The variable names something that is no folder.
    """
    folder = os.environ.get(DATA_DIR)
    if not folder:
        return None
    if not Path(folder).expanduser().is_dir():
        raise DataError(f"{DATA_DIR} is {folder!r}, which is no folder")
    path = Path(folder).expanduser() / f"{name}.npz"
    return path if path.exists() else None


def describe_file(source: Choice) -> str:
    """What a file in ``$NNRUN_DATA_DIR`` must hold, in the words of an error message."""
    facts = dataset_facts(source)
    expected = _expected(facts)
    x, y = expected["x_train"], expected["y_train"]
    return f"{source.name}.npz with the arrays x_train and x_test ({x}) and y_train and y_test ({y})" + (
        ", words padded in front with 0" if facts.vocabulary else ""
    )


def _read_local(path: Path, source: Choice, facts: DatasetFacts) -> Arrays:
    if source.name in PICKLED_SHA256 and _sha256(path) == PICKLED_SHA256[source.name]:
        return read_original(source.name, _keras_options(source), path)
    if source.name == "california_housing":
        return _read_california_housing(path, source, facts)
    return read_arrays(path, _expected(facts))


def _read_california_housing(path: Path, source: Choice, facts: DatasetFacts) -> Arrays:
    """Either already divided, or Keras's own file, which is divided here as Keras does."""
    expected = _expected(facts)
    if "x" not in member_names(path):
        return read_arrays(path, expected)
    arrays = read_arrays(path, {"x": expected["x_train"], "y": expected["y_train"]})
    count = 600 if complete_arguments(source)["version"] == "small" else len(arrays["x"])
    _check_lengths(arrays["x"], arrays["y"], "", str(path))
    order = np.arange(min(count, len(arrays["x"])))
    np.random.RandomState(113).shuffle(order)
    train, test = np.split(order, [int(len(order) * 0.8)])
    return {
        f"{name}_{part}": arrays[name][rows]
        for name in "xy"
        for part, rows in (("train", train), ("test", test))
    }


def _expected(facts: DatasetFacts) -> dict[str, Expected]:
    if facts.vocabulary:
        x, y = Expected("iu", (None,)), Expected("iu", (), column=True)
    elif facts.classes:
        x, y = Expected(facts.dtype, facts.shape), Expected("iu", (), column=True)
    else:
        x, y = Expected("f", facts.shape), Expected("iuf", (), column=True)
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y}


def _keras_options(source: Choice) -> dict[str, Any]:
    """The arguments for ``load_data`` of Keras; texts are cut and padded here."""
    return {name: value for name, value in complete_arguments(source).items() if name != "maxlen"}


def _conform(arrays: Arrays, facts: DatasetFacts, place: str) -> Dataset:
    """Arrays as examples in the form that the facts promise.

    Raises:
        DataError: Lengths differ, or values lie outside their range.
    """
    train, test = (_conform_part(arrays, part, facts, place) for part in ("train", "test"))
    return Dataset(
        replace(facts, train=len(train), test=len(test)), train, test, class_names(facts.name, facts.classes)
    )


def _conform_part(arrays: Arrays, part: str, facts: DatasetFacts, place: str) -> Examples:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)
    _check_lengths(x, y, f"_{part}", place)
    if facts.classes is None:
        return Examples(np.ascontiguousarray(x, dtype=facts.dtype), y.astype(np.float32))
    _check_classes(y, facts.classes, f"{place}: y_{part}")
    if facts.vocabulary:
        words = pad_words(x, facts.shape[0]) if x.dtype.hasobject else x
        x = shorten_words(words, facts.shape[0], facts.vocabulary, f"{place}: x_{part}")
    return Examples(np.ascontiguousarray(x), y.astype(np.int32))


def _check_lengths(x: NDArray[Any], y: NDArray[Any], suffix: str, place: str) -> None:
    if len(x) != len(y):
        raise DataError(
            f"{place}: x{suffix} has {len(x):,} examples, y{suffix} has {len(y):,}; expected as many"
        )


def _check_classes(y: NDArray[Any], classes: int, place: str) -> None:
    outside = np.flatnonzero((y < 0) | (y >= classes))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{place}: expected class numbers from 0 to {classes - 1}; found {y[row]} in row {row}"
            + (f", and {len(outside) - 1:,} more outside" if len(outside) > 1 else "")
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
