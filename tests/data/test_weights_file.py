"""Weights of examples from a NumPy file, and files that only look like one."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnrun.data.load import load_data
from nnrun.data.weights import load_weights
from nnrun.errors import DataError
from nnrun.spec.schema import Choice, DataSection

WANTED = "expected 3 numbers, one for each training example (numpy.save)"


def refusal(path: Path, content: bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_weights(path, 3)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool", ">f8"])
def test_numbers_of_any_kind_become_float32(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    np.save(path, np.array([0, 1, 1]).astype(dtype))

    found = load_weights(path, 3)
    assert found.tolist() == [0, 1, 1]
    assert found.dtype == np.dtype("float32")


def test_weights_are_in_memory_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    np.save(path, np.array([1, 2, 3], "float32"))
    found = load_weights(path, 3)
    np.save(path, np.array([7, 7, 7], "float32"))

    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "weights",
    [[-1, 1, 1], [np.nan, 1, 1], [np.inf, 1, 1], [-np.inf, 1, 1], [0, 0, 0], [1e39, 1, 1], [1, 1, -1e-300]],
    ids=["negative", "nan", "infinite", "minus_infinite", "zeros", "beyond_float32", "barely_negative"],
)
def test_numbers_that_are_no_weights_are_refused(weights: list[float], tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    np.save(path, np.array(weights))

    assert refusal(path) == (
        "data.sample_weight: weights.npy holds numbers that are no weights: negative, not finite or all 0"
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(2), "float64 (2,)"),
        (np.ones((3, 1)), "float64 (3, 1)"),
        (np.ones(()), "float64 ()"),
        (np.array(["a", "b", "c"]), "<U1 (3,)"),
        (np.ones(3, complex), "complex128 (3,)"),
        (np.zeros(3, "datetime64[s]"), "datetime64[s] (3,)"),
        (np.zeros(3, [("a", "f4")]), "[('a', '<f4')] (3,)"),
    ],
    ids=["too_few", "a_column", "one_number", "texts", "complex", "dates", "fields"],
)
def test_array_of_another_form_is_refused(array: np.ndarray, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    np.save(path, array)

    assert refusal(path) == f"data.sample_weight: weights.npy holds {words}; {WANTED}"


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    size = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(text).to_bytes(size, "little") + text.encode()


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (pytest.fail, ("was unpickled",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"1, 2, 3\n",
        pickle.dumps([1, 2, 3]),
        pickle.dumps(Bomb()),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}\n") + pickle.dumps(Bomb()),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}\n") + b"\x00" * 8,
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}" + " " * 60_000 + "\n")
        + b"\x00" * 12,
        header("{" * 5000),
        header("__import__('os').system('false')"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    ],
    ids=[
        "empty",
        "cut_magic",
        "text",
        "pickle",
        "pickled_call",
        "pickled_call_inside",
        "huge_shape",
        "negative_shape",
        "cut_values",
        "long_header",
        "nested_header",
        "code_in_header",
        "huge_header",
    ],
)
def test_file_that_is_no_array_is_refused_without_running_or_filling_anything(
    content: bytes, tmp_path: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = refusal(tmp_path / "weights.npy", content)

    assert found.startswith("data.sample_weight: weights.npy cannot be read as an array (")
    assert found.endswith(f"); {WANTED}") and "\n" not in found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_archive_is_refused_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    with path.open("wb") as file:
        np.savez(file, weights=np.ones(3))

    assert refusal(path) == f"data.sample_weight: weights.npy holds an archive; {WANTED}"


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.npy") == f"data.sample_weight: there is no file none.npy; {WANTED}"
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder")


def test_weights_follow_their_examples_into_the_parts(tmp_path: Path) -> None:
    path = tmp_path / "weights.npy"
    weights = np.arange(1, 1439, dtype="float32")
    np.save(path, weights)
    section = DataSection(source=Choice("digits"), sample_weight=str(path))

    data = load_data(section, seed=1, validation_split=0.25, notify=print)

    assert data.validation is not None and data.test is not None
    np.testing.assert_array_equal(data.train.weights, weights[data.split["train"]])
    np.testing.assert_array_equal(data.validation.weights, weights[data.split["validation"]])
    assert data.test.weights is None


def test_other_weights_are_other_data(tmp_path: Path) -> None:
    prints = set()
    for weight in (None, 1, 2):
        path = tmp_path / f"{weight}.npy"
        if weight:
            np.save(path, np.full(1438, weight))
        section = DataSection(source=Choice("digits"), sample_weight=str(path) if weight else None)
        prints.add(load_data(section, seed=1, validation_split=0, notify=print).fingerprint)

    assert len(prints) == 3
