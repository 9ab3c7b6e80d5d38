"""Files in $NNRUN_DATA_DIR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.examples import Dataset
from nnrun.data.lookup import describe_file, look_up
from nnrun.errors import DataError
from nnrun.spec.schema import Choice

Arrays = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NNRUN_DATA_DIR", str(tmp_path))
    return tmp_path


def mnist(train: int = 30, test: int = 10) -> Arrays:
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        arrays[f"x_{part}"] = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        arrays[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    return arrays


def reviews(length: int = 6) -> Arrays:
    x = np.array([[0, 0, 1, 5, 6, 7], [1, 4, 4, 4, 12, 13]])[:, -length:]
    return {"x_train": x, "y_train": np.array([0, 1]), "x_test": x[:1], "y_test": np.array([1])}


def load(source: str, **arguments: Any) -> Dataset:
    """Look a source up; a download would need Keras, and fails the test."""
    return look_up(Choice(source, arguments), pytest.fail)


def test_look_up_of_a_local_file_gives_its_examples(folder: Path) -> None:
    arrays = mnist()
    np.savez(folder / "mnist.npz", **arrays)
    dataset = load("mnist")
    assert dataset.test is not None
    assert (dataset.train.x == arrays["x_train"]).all() and (dataset.test.x == arrays["x_test"]).all()
    assert dataset.train.y.tolist() == arrays["y_train"].tolist()
    assert (dataset.train.x.dtype, dataset.train.y.dtype) == (np.uint8, np.int32)
    assert (dataset.facts.train, dataset.facts.test, dataset.facts.divisor) == (30, 10, 255.0)
    assert dataset.class_names == tuple("0123456789")


def test_look_up_flattens_labels_in_a_column(folder: Path) -> None:
    arrays = {name: array for name, array in mnist().items() if name.startswith("y")}
    images = {
        f"x_{part}": np.zeros((count, 32, 32, 3), np.uint8) for part, count in (("train", 30), ("test", 10))
    }
    np.savez(folder / "cifar10.npz", **images, **{name: y.reshape(-1, 1) for name, y in arrays.items()})
    dataset = load("cifar10")
    assert dataset.train.y.shape == (30,)
    assert dataset.class_names is not None and dataset.class_names[3] == "cat"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"x_train": np.zeros((30, 28, 27), np.uint8)},
            "x_train: expected uint8 of shape (n, 28, 28); found uint8 of shape (30, 28, 27)",
        ),
        ({"y_test": np.zeros(9, int)}, "x_test has 10 examples, y_test has 9; expected as many"),
        (
            {"y_test": np.array([*range(10)]) + 1},
            "y_test: expected class numbers from 0 to 9; found 10 in row 9",
        ),
        (
            {"y_train": -np.ones(30, int)},
            "y_train: expected class numbers from 0 to 9; found -1 in row 0, and 29 more outside",
        ),
    ],
)
def test_look_up_of_a_wrong_local_file_says_what_is_wrong(
    folder: Path, changed: Arrays, message: str
) -> None:
    path = folder / "mnist.npz"
    np.savez(path, **(mnist() | changed))
    with pytest.raises(DataError) as caught:
        load("mnist")
    assert str(caught.value) == f"{path}: {message}"


def test_look_up_with_a_folder_that_is_none_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNRUN_DATA_DIR", "/no/such/folder")
    with pytest.raises(DataError, match="NNRUN_DATA_DIR is '/no/such/folder', which is no folder"):
        load("mnist")


def test_look_up_of_words_cuts_them_to_the_arguments(folder: Path) -> None:
    np.savez(folder / "imdb.npz", **reviews())
    dataset = load("imdb", num_words=13, maxlen=4)
    assert dataset.train.x.tolist() == [[1, 5, 6, 7], [4, 4, 12, 2]]
    assert dataset.train.x.dtype == np.int32
    assert dataset.facts.shape == (4,)
    assert dataset.class_names == ("negative", "positive")


def test_look_up_of_words_pads_them_to_the_arguments(folder: Path) -> None:
    np.savez(folder / "imdb.npz", **reviews(length=3))
    assert load("imdb", maxlen=5).train.x.tolist() == [[0, 0, 5, 6, 7], [0, 0, 4, 12, 13]]


def test_look_up_of_pickled_words_from_elsewhere_reads_no_pickle(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("the pickle was read",))

    arrays = reviews() | {"x_train": np.array([[Trap()], [Trap(), Trap()]], dtype=object)}
    np.savez(folder / "imdb.npz", **arrays)
    with pytest.raises(
        DataError,
        match=r"x_train: expected whole numbers of shape \(n, length\), found pickled Python objects",
    ):
        load("imdb")


def test_look_up_of_housing_reads_numbers(folder: Path) -> None:
    x = np.arange(40, dtype=np.float64).reshape(5, 8)
    y = np.array([1e5, 2e5, 3e5, 4e5, 5e5])
    np.savez(folder / "california_housing.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    dataset = load("california_housing")
    assert (dataset.train.x.dtype, dataset.train.y.dtype) == (np.float32, np.float32)
    assert dataset.train.y.tolist() == y.tolist()
    assert dataset.class_names is None


def test_look_up_of_housing_divides_the_original_as_keras(folder: Path) -> None:
    x = np.arange(8 * 700, dtype=np.float32).reshape(700, 8)
    y = np.arange(700, dtype=np.float32)
    np.savez(folder / "california_housing.npz", x=x, y=y)
    dataset = load("california_housing", version="small")
    order = np.arange(600)
    np.random.RandomState(113).shuffle(order)
    assert dataset.test is not None
    assert dataset.train.y.tolist() == order[:480].tolist()
    assert dataset.test.y.tolist() == order[480:].tolist()
    assert (dataset.train.x[:, 0] == dataset.train.y * 8).all()


def test_look_up_of_original_housing_with_unequal_lengths_is_refused(folder: Path) -> None:
    x = np.zeros((700, 8), np.float32)
    np.savez(folder / "california_housing.npz", x=x, y=np.zeros(699, np.float32))
    with pytest.raises(DataError, match="x has 700 examples, y has 699; expected as many"):
        load("california_housing")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        (
            "mnist",
            "mnist.npz with the arrays x_train and x_test (uint8 of shape (n, 28, 28)) "
            "and y_train and y_test (whole numbers of shape (n,) or (n, 1))",
        ),
        (
            "imdb",
            "imdb.npz with the arrays x_train and x_test (whole numbers of shape (n, length)) "
            "and y_train and y_test (whole numbers of shape (n,) or (n, 1)), words padded in front with 0",
        ),
    ],
)
def test_describe_file_says_what_it_holds(name: str, description: str) -> None:
    assert describe_file(Choice(name)) == description
