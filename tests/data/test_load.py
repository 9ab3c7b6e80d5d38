"""From a data section to examples, found, divided and identified."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data import builtin
from nnrun.data.download import Unavailable
from nnrun.data.examples import Dataset, Examples
from nnrun.data.fingerprint import fingerprint
from nnrun.data.load import Data, load_data
from nnrun.errors import DataError
from nnrun.spec.datasets import dataset_facts
from nnrun.spec.schema import Choice, DataSection


def load(
    source: str, seed: int = 7, validation_split: float = 0, fallback: Any = None, **arguments: Any
) -> Data:
    section = DataSection(source=Choice(source, arguments), fallback=fallback)
    return load_data(section, seed=seed, validation_split=validation_split, notify=pytest.fail)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file and no network."""

    def fail(name: str, *_: Any) -> None:
        raise Unavailable("Name or service not known")

    monkeypatch.delenv("NNRUN_DATA_DIR", raising=False)
    monkeypatch.setattr("nnrun.data.lookup.fetch_arrays", fail)


def test_digits_are_the_original() -> None:
    data = load("digits", test_split=0)
    assert data.test is None and len(data.train) == 1797
    assert data.train.y[:10].tolist() == list(range(10))
    assert data.train.x[0].tolist()[0] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert int(data.train.x.sum()) == 561718
    assert (data.train.x.dtype, data.train.x.max()) == (np.uint8, 16)
    assert np.bincount(data.train.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_test_part_is_the_same_for_every_seed() -> None:
    one, two = load("digits", seed=1), load("digits", seed=2)
    assert one.test is not None and two.test is not None
    assert len(one.test) == 359
    assert (one.test.x == two.test.x).all()
    assert one.fingerprint == two.fingerprint


def test_digits_test_part_shares_no_example_with_training() -> None:
    data, whole = load("digits"), load("digits", test_split=0)
    assert data.test is not None
    parts = np.concatenate([data.train.x, data.test.x]).reshape(1797, 64)
    assert sorted(map(bytes, parts)) == sorted(map(bytes, whole.train.x.reshape(1797, 64)))


@pytest.mark.parametrize("source", ["digits", "xor", "celsius", "blobs", "moons", "circles", "spirals"])
def test_load_data_gives_what_the_facts_promise(source: str) -> None:
    facts, data = dataset_facts(Choice(source)), load(source)
    assert data.facts == facts
    assert (len(data.train), len(data.test or ())) == (facts.train, facts.test)
    assert (data.train.x.shape[1:], data.train.x.dtype.name) == (facts.shape, facts.dtype)
    assert data.train.y.dtype == (np.int32 if facts.classes else np.float32)
    assert (data.class_names is None) == (facts.classes is None)
    assert facts.classes is None or len(set(data.train.y.tolist())) == facts.classes


def test_load_data_takes_validation_from_training_alone() -> None:
    whole, data = load("digits"), load("digits", validation_split=0.1)
    assert data.validation is not None and data.test is not None and whole.test is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (1294, 144, 359)
    assert (data.train.x == whole.train.x[data.split["train"]]).all()
    assert (data.validation.y == whole.train.y[data.split["validation"]]).all()
    assert sorted([*data.split["train"], *data.split["validation"]]) == list(range(1438))
    assert (data.test.x == whole.test.x).all()


def test_load_data_without_validation_keeps_every_training_example() -> None:
    data = load("xor")
    assert data.validation is None
    assert data.split["train"].tolist() == [0, 1, 2, 3]
    assert len(data.split["validation"]) == 0


def test_fingerprint_ignores_the_split_and_sees_the_seed_of_what_is_made() -> None:
    assert load("moons").fingerprint == load("moons", validation_split=0.2).fingerprint
    assert load("moons").fingerprint != load("moons", seed=8).fingerprint


def test_fingerprint_is_the_hash_of_names_dtypes_shapes_and_bytes() -> None:
    data = load("xor")
    content = (
        b"train.x <f4 (4, 2)\n" + data.train.x.tobytes() + b"train.y <i4 (4,)\n" + data.train.y.tobytes()
    )
    assert data.fingerprint == f"sha256:{hashlib.sha256(content).hexdigest()}"


def dataset(x: Any, y: Any, test: Examples | None = None) -> Dataset:
    return Dataset(dataset_facts(Choice("xor")), Examples(x, y), test, None)


def test_fingerprint_changes_with_every_part_of_the_content() -> None:
    x, y = np.zeros((4, 6), np.uint8), np.zeros(4, np.int32)
    changed = x.copy()
    changed[3, 5] = 1
    variants = [
        dataset(x, y),
        dataset(changed, y),
        dataset(x.reshape(4, 3, 2), y),
        dataset(x.view(np.int8), y),
        dataset(x, y + 1),
        dataset(x, y, Examples(x, y)),
        dataset({"a": x}, y),
        dataset({"b": x}, y),
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)


def test_fingerprint_does_not_see_the_memory_layout() -> None:
    x, y = np.arange(24, dtype=np.uint8).reshape(4, 6), np.zeros(4, np.int32)
    assert fingerprint(dataset(x, y)) == fingerprint(dataset(np.asfortranarray(x), y))


@pytest.mark.usefixtures("offline")
def test_source_that_cannot_be_had_says_where_to_put_it() -> None:
    with pytest.raises(DataError) as caught:
        load("mnist")
    assert str(caught.value) == (
        "mnist cannot be had: Name or service not known. Put mnist.npz with the arrays x_train and x_test "
        "(uint8 of shape (n, 28, 28)) and y_train and y_test (whole numbers of shape (n,) or (n, 1)) into a "
        "folder that the environment variable NNRUN_DATA_DIR names; or write data.fallback: digits, to train "
        "on nnrun's own small digits instead"
    )


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("fallback", "ending"),
    [
        (None, "NNRUN_DATA_DIR names"),
        ("digits", "data.fallback: digits cannot stand in for it: the shape or the classes differ"),
    ],
)
def test_source_without_a_fitting_fallback_is_an_error(fallback: Any, ending: str) -> None:
    with pytest.raises(DataError) as caught:
        load("cifar10", fallback=fallback)
    assert str(caught.value).startswith("cifar10 cannot be had: Name or service not known. Put cifar10.npz")
    assert str(caught.value).endswith(ending)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_fallback_says_so_wherever_the_name_is_shown(source: str) -> None:
    data = load(source, fallback="digits")
    assert data.name == f"digits (fallback for {source}: Name or service not known)"
    assert data.warning == (
        f"{source} cannot be had (Name or service not known). Training on 1,797 embedded digits of 8 x 8 "
        f"pixels instead, enlarged to 28 x 28: the scores are not {source}'s."
    )
    assert data.class_names == tuple("0123456789")
    assert (data.facts.name, data.facts.downloaded) == ("digits", False)


@pytest.mark.usefixtures("offline")
def test_fallback_has_the_form_of_mnist() -> None:
    data, digits = load("mnist", fallback="digits"), load("digits")
    assert data.test is not None
    assert (data.facts.shape, data.facts.divisor, data.facts.classes) == ((28, 28), 255.0, 10)
    assert (data.facts.train, data.facts.test) == (len(data.train), len(data.test)) == (1438, 359)
    assert (data.train.x.shape, data.train.x.dtype, data.train.x.max()) == ((1438, 28, 28), np.uint8, 255)
    assert (data.train.y == digits.train.y).all()
    assert data.train.x[:, :2].max() == data.train.x[:, :, -2:].max() == 0
    blocks = data.train.x[:, 2:-2, 2:-2].reshape(-1, 8, 3, 8, 3)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    assert (np.rint(blocks[:, :, 0, :, 0] * (16 / 255)) == digits.train.x).all()
    assert data.fingerprint not in (digits.fingerprint, "")


def test_fallback_does_not_hide_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNRUN_DATA_DIR", str(tmp_path))
    (tmp_path / "mnist.npz").write_bytes(b"half a file")
    with pytest.raises(DataError, match=r"mnist\.npz: expected a NumPy \.npz archive"):
        load("mnist", fallback="digits")


def test_embedded_digits_stand_beside_their_licence() -> None:
    readme = (builtin.DIGITS.parent / "README.md").read_text()
    assert "CC BY 4.0" in readme and "Alpaydin" in readme and "archive.ics.uci.edu" in readme
    assert builtin.DIGITS.stat().st_size < 60_000


def test_load_data_of_a_local_file_loads_no_tensorflow(tmp_path: Path) -> None:
    x, y = np.zeros((10, 28, 28), np.uint8), np.arange(10)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    code = (
        "import sys\n"
        "from nnrun.data.load import load_data\n"
        "from nnrun.spec.schema import DataSection\n"
        "data = load_data(DataSection(source='mnist'), seed=0, validation_split=0, notify=print)\n"
        "print(len(data.train), *{'keras', 'tensorflow'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": "",
            "NNRUN_DATA_DIR": str(tmp_path),
            "PYTHONPATH": str(Path(builtin.__file__).parents[2]),
        },
    )
    assert result.stdout.strip() == "10"


@pytest.mark.usefixtures("real_mnist")
def test_real_mnist_is_divided_as_promised() -> None:
    data = load("mnist", validation_split=0.1, fallback="digits")
    assert data.validation is not None and data.test is not None
    assert (data.name, data.warning) == ("mnist", None)
    assert (len(data.train), len(data.validation), len(data.test)) == (54_000, 6_000, 10_000)
    assert data.test.y[:5].tolist() == [7, 2, 1, 0, 4]
