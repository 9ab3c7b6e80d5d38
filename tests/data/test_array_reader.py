"""NumPy arrays of the user's own: archives and files, whatever is in them."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.array_reader import ArrayReader
from nnrun.data.load import load_data
from nnrun.data.own import load_own
from nnrun.errors import DataError, ResourceError
from nnrun.spec.file_sources import Arrays, NpySource, NpzSource
from nnrun.spec.schema import Choice, DataSection

CLASSES = Choice("sparse_categorical_crossentropy")
BINARY = Choice("binary_crossentropy")
NUMBERS = Choice("mse")
X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def read(path: Path, losses: Choice = CLASSES, **arguments: Any) -> tuple[ArrayReader, Any]:
    reader = ArrayReader(NpzSource(path=str(path), **arguments), losses)
    return reader, reader.read(reader.training_files)


def examples(path: Path, losses: Choice = CLASSES, rows: Any = None, **arguments: Any) -> Any:
    reader, part = read(path, losses, **arguments)
    return reader.examples(part, rows)


def refusal(path: Path, losses: Choice = CLASSES, **arguments: Any) -> str:
    with pytest.raises(DataError) as error:
        examples(path, losses, **arguments)
    return str(error.value)


@pytest.mark.parametrize(
    ("dtype", "kept", "divisor"),
    [
        ("uint8", "uint8", 255.0),
        ("int8", "int32", None),
        ("int64", "int32", None),
        (">u2", "int32", None),
        ("float16", "float32", None),
        ("float64", "float32", None),
        (">f4", "float32", None),
        ("bool", "float32", None),
    ],
)
def test_examples_are_kept_in_a_small_dtype(
    dtype: str, kept: str, divisor: float | None, tmp_path: Path
) -> None:
    x = (X % 2).astype(dtype)
    path = write(tmp_path / "a.npz", x=x, y=Y)

    facts = read(path)[0].inputs()["input"]
    found = examples(path, rows=np.array([1, 4]))

    assert (facts.shape, facts.dtype, facts.divisor) == ((4,), kept, divisor)
    assert found.dtype.name == kept
    np.testing.assert_array_equal(found, x[[1, 4]].astype(kept))
    np.testing.assert_array_equal(examples(path), x.astype(kept))


def test_scale_divides_whatever_the_dtype(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=X.astype(np.uint8), y=Y)

    assert read(path, scale=16.0)[0].inputs()["input"].divisor == 16


def test_examples_of_one_number_get_a_dimension(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=X[:, 0], y=Y)

    assert read(path)[0].inputs()["input"].shape == (1,)
    assert examples(path).shape == (6, 1)


def test_several_inputs_come_by_their_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", words=X.astype(np.int64), ages=X[:, 1:], label=Y)

    reader, part = read(path, x={"text": "words", "numbers": "ages"}, y="label")
    found = reader.examples(part, np.array([2]))

    assert {name: (one.shape, one.dtype) for name, one in reader.inputs().items()} == {
        "text": ((4,), "int32"),
        "numbers": ((3,), "float32"),
    }
    assert found["text"].tolist() == [[8, 9, 10, 11]]
    assert found["numbers"].tolist() == [[9, 10, 11]]


def test_inputs_with_different_divisors_are_divided_here(tmp_path: Path) -> None:
    pixels = np.full((6, 2, 2), 51, np.uint8)
    path = write(tmp_path / "a.npz", pixels=pixels, numbers=X, y=Y)

    reader, part = read(path, x={"picture": "pixels", "row": "numbers"})
    found = reader.examples(part, None)

    assert {one.divisor for one in reader.inputs().values()} == {None}
    np.testing.assert_array_equal(found["picture"], np.full((6, 2, 2), 51, np.float32) / np.float32(255))
    np.testing.assert_array_equal(found["row"], X)


@pytest.mark.parametrize(
    ("y", "losses", "classes", "found"),
    [
        ([7, 3, 10, 3, 7, 7], CLASSES, ["3", "7", "10"], [1, 0, 2, 0, 1, 1]),
        ([[7], [3], [3], [3], [7], [7]], CLASSES, ["3", "7"], [1, 0, 0, 0, 1, 1]),
        ([-1.0, 1.0, 1.0, -1.0, 1.0, 1.0], BINARY, ["-1", "1"], [0, 1, 1, 0, 1, 1]),
        ([True, False, True, False, True, True], BINARY, ["0", "1"], [1, 0, 1, 0, 1, 1]),
        (list("banana"), NUMBERS, ["a", "b", "n"], [1, 0, 2, 0, 2, 0]),
        (np.array(list("banana"), "S"), CLASSES, ["a", "b", "n"], [1, 0, 2, 0, 2, 0]),
        (np.eye(3)[[0, 2, 1, 1, 0, 2]], CLASSES, ["0", "1", "2"], [0, 2, 1, 1, 0, 2]),
        (np.eye(3, dtype=bool)[[0, 2, 2, 2, 0, 2]], CLASSES, ["0", "1", "2"], [0, 2, 2, 2, 0, 2]),
        ([7, 3, 10, 3, 7, 7], NUMBERS, None, [7, 3, 10, 3, 7, 7]),
        (np.eye(3)[[0, 2, 1, 1, 0, 2]], NUMBERS, None, np.eye(3)[[0, 2, 1, 1, 0, 2]]),
        ([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [1, 1]], BINARY, None, None),
        ([[1, 2], [1, 0], [0, 1], [1, 0], [0, 1], [0, 1]], CLASSES, None, None),
        ([0.5, 0.1, 0.9, 0.2, 0.3, 1.0], BINARY, None, None),
    ],
)  # fmt: skip
def test_targets_are_classes_or_numbers(
    y: Any, losses: Choice, classes: list[str] | None, found: Any, tmp_path: Path
) -> None:
    reader, part = read(write(tmp_path / "a.npz", x=X, y=np.asarray(y)), losses)

    assert reader.targets.classes == classes
    assert part.y.dtype == (np.float32 if classes is None else np.int32)
    np.testing.assert_array_equal(part.y, np.asarray(y if found is None else found, part.y.dtype))


def test_test_arrays_of_the_same_archive_have_the_same_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=X, y=Y + 5, x_test=X[:2], y_test=np.array([7, 5]))
    reader, _ = read(path)

    part = reader.read(Arrays(x="x_test", y="y_test"))

    assert part.y.tolist() == [2, 0]
    assert reader.examples(part, None).shape == (2, 4)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:2], [9, 0], "a.npz: y2: row 1: '9' is no class of the target 'y'; the classes are 0, 1, 2"),
        (X[:2, :3], [0, 1], "a.npz: x: expected float32 of shape (n, 4) as in training, found float32 of shape "
         "(2, 3)"),
        (X[:2].astype(np.uint8), [0, 1], "expected float32 of shape (n, 4) as in training, found uint8 of shape"),
        (X[:2], [0.5, 1], "a.npz: y2: row 1: expected a class, found 0.5"),
        (X[:2], [[0, 1], [1, 0]], "a.npz: y2: expected one-hot rows of 3 numbers, found shape (2, 2)"),
    ],
)  # fmt: skip
def test_test_arrays_that_do_not_fit_the_training_are_refused(
    x: Any, y: Any, message: str, tmp_path: Path
) -> None:
    reader, _ = read(write(tmp_path / "a.npz", x=X, y=Y, x2=x, y2=np.asarray(y)))

    with pytest.raises(DataError) as error:
        reader.read(Arrays(x="x2", y="y2"))

    assert message in str(error.value)


def test_test_rows_that_are_not_one_hot_are_refused(tmp_path: Path) -> None:
    odd = np.array([[0, 0, 1], [0, 1, 1]])
    reader, _ = read(write(tmp_path / "a.npz", x=X, y=np.eye(3)[Y], x2=X[:2], y2=odd))

    with pytest.raises(DataError, match=r"a\.npz: y2: row 2 is not one-hot"):
        reader.read(Arrays(x="x2", y="y2"))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.array([{}] * 6, object), "x: expected numbers, found Python objects, which are not read (objects of "),
        (np.zeros(6, [("a", "f4"), ("b", "i4")]), "x: expected numbers, found rows with named fields ("),
        (X + 1j, "x: expected numbers, found complex numbers (complex64 of shape (6, 4))"),
        (np.zeros(6, "M8[s]"), "x: expected numbers, found dates (datetime64[s] of shape (6,))"),
        (np.array(["a"] * 6), "x: expected numbers, found texts; use the source text"),
        (np.float32(1), "x: expected an array with a row for each example, found a single value"),
        (X[:0], "x: expected examples, found none: its shape is (0, 4)"),
        (X[:, :0], "x: expected examples, found none: its shape is (6, 0)"),
        (X[:5], "expected a row in each array for each example; x has 5, y has 6"),
        (np.where(X == 9, np.nan, X), "x: row 3 holds a value that is NaN or infinite; correct it, or remove the "),
        (np.where(X == 9, -np.inf, X), "x: row 3 holds a value that is NaN or infinite"),
        (np.where(X == 9, 1e39, X.astype("f8")), "x: row 3 holds 1e+39, which is too large for float32; scale"),
        (np.where(X == 9, 2**31, X.astype("i8")), "x: row 3 holds 2.14748e+09, which is too large for int32"),
    ],
)  # fmt: skip
def test_array_that_is_no_examples_is_refused(x: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=x, y=Y)

    assert message in refusal(path)
    if len(np.shape(x)) and len(x) == 6:
        np.save(tmp_path / "x.npy", x)
        np.save(tmp_path / "y.npy", Y)
        reader = ArrayReader(NpySource(x=str(tmp_path / "x.npy"), y=str(tmp_path / "y.npy")), CLASSES)
        with pytest.raises(DataError) as error:
            reader.examples(reader.read(reader.training_files), None)
        assert message.removeprefix("x: ") in str(error.value)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, np.nan, 0, 1, 1], "a.npz: y: row 3: the target is NaN, infinite or too large"),
        (np.zeros((6, 2, 2)), "a.npz: y: expected targets of shape (n,) or (n, k), found (6, 2, 2)"),
        ([1, 1, 1, 1, 1, 1], "a.npz: y: the target 'y' has the same value in all rows ('1')"),
    ],
)
def test_array_that_is_no_targets_is_refused(y: Any, message: str, tmp_path: Path) -> None:
    assert message in refusal(write(tmp_path / "a.npz", x=X, y=np.asarray(y)))


def test_wrong_name_of_an_array_tells_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x_train=X, y=Y, junk=np.array([{}], object))

    assert refusal(path, x="X_trian") == (
        f"{path}: there is no array 'X_trian'; did you mean 'x_train'?; there are x_train (float32 of shape (6, 4)), "
        "y (int64 of shape (6,)), junk (objects of shape (1,))"
    )


def test_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    whole = write(path, x=X, y=Y).read_bytes()
    contents = {
        b"text": "expected a NumPy archive (.npz); the file is none, or is damaged or cut off",
        whole[
            : len(whole) // 2
        ]: "expected a NumPy archive (.npz); the file is none, or is damaged or cut off",
        pickle.dumps([1]): "holds pickled Python objects, which are not read; save it with np.savez",
        b"\x93NUMPY\x01\x00": "is a single array (.npy), no archive; use the source npy",
        b"": "is empty",
    }
    for content, message in contents.items():
        path.write_bytes(content)
        assert message in refusal(path)


def test_archive_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    content = bytearray(write(path, x=X, y=Y).read_bytes())
    content[content.index(X[3:].tobytes())] ^= 1
    path.write_bytes(content)

    assert f"{path}: x: cannot be read, the file is damaged (Bad CRC-32" in refusal(path)


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_header_that_claims_more_than_is_there_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header((10**12,)) + b"abcd")

    assert refusal(path) == (
        f"{path}: x: its shape (1000000000000,) takes 4,000,000,000,000 bytes, found 4; the file is cut off or damaged"
    )


def test_archive_that_unpacks_to_more_than_the_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path = write(tmp_path / "a.npz", x=X, y=Y)
    monkeypatch.setattr("os.sysconf", lambda name: 9)

    with pytest.raises(
        ResourceError, match=r"a\.npz: x takes 96 bytes, this machine has 81; save it as \.npy"
    ):
        read(path)


def write_files(folder: Path, **arrays: Any) -> dict[str, str]:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}


def test_files_of_one_array_each_are_mapped_and_copied_once(tmp_path: Path) -> None:
    files = write_files(tmp_path, x=np.asfortranarray(X), y=Y, a=X[:3], b=Y[:3])
    source = NpySource(x=files["x"], y=files["y"], test=Arrays(x=files["a"], y=files["b"]))
    reader = ArrayReader(source, CLASSES)

    own = load_own(reader, source, cache="memory", seed=0, validation_split=0.5, notify=print)

    assert isinstance(reader.read(reader.training_files).x["input"], np.memmap)
    assert reader.name == "x.npy"
    assert not isinstance(own.train.x, np.memmap)
    np.testing.assert_array_equal(own.train.x, X[own.split["train"]])
    assert own.test is not None
    assert not isinstance(own.test.x, np.memmap)
    np.testing.assert_array_equal(own.test.x, X[:3])


def test_large_array_is_checked_and_copied_in_pieces(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nnrun.data.arrays.CHUNK_BYTES", 2 * 4 * 4)
    rows = np.array([0, 2, 3, 5])
    path = write(tmp_path / "a.npz", x=X.astype(np.float64), y=Y)

    np.testing.assert_array_equal(examples(path, rows=rows), X[rows])
    np.testing.assert_array_equal(examples(path), X)
    broken = np.where(X == 20, np.nan, X)
    write(path, x=broken, y=Y)
    with pytest.raises(DataError, match="row 6 holds"):
        examples(path, rows=rows)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_division_takes_little_more_memory_than_the_array(dtype: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, (40_000, 20, 20)).astype(dtype)
    y = np.arange(len(x)) % 3
    source = NpzSource(path=str(write(tmp_path / "a.npz", x=x, y=y)), test_split=0.1)
    kept_bytes = x.size * (1 if dtype == "uint8" else 4)
    converted = x.nbytes if dtype == "float64" else 0  # another dtype needs an array of its own
    tracemalloc.start()

    own = load_own(
        ArrayReader(source, CLASSES), source, cache="memory", seed=0, validation_split=0.1, notify=print
    )

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parts = {"train": own.train, "validation": own.validation, "test": own.test}
    for name, part in parts.items():
        assert part is not None
        np.testing.assert_array_equal(part.x, x[own.split[name]].astype("float32" if converted else dtype))
        assert part.x.ctypes.data % 64 == 0
    assert peak < converted + 1.25 * kept_bytes + (12 << 20)


def test_files_of_several_inputs_come_by_their_names(tmp_path: Path) -> None:
    files = write_files(tmp_path, a=X, b=X.astype(np.int64), y=Y)
    reader = ArrayReader(NpySource(x={"left": files["a"], "right": files["b"]}, y=files["y"]), CLASSES)
    found = reader.examples(reader.read(reader.training_files), np.array([1]))

    assert {name: array.dtype.name for name, array in found.items()} == {"left": "float32", "right": "int32"}


def test_archive_as_a_file_of_one_array_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.npz", x=X)
    write_files(tmp_path, y=Y)
    reader = ArrayReader(NpySource(x=str(tmp_path / "a.npz"), y=str(tmp_path / "y.npy")), CLASSES)

    with pytest.raises(DataError, match="is an archive of several arrays; use the source npz"):
        reader.read(reader.training_files)


def test_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path, x=X, y=Y)
    content = Path(files["x"]).read_bytes()
    reader = ArrayReader(NpySource(x=files["x"], y=files["y"]), CLASSES)
    for length, message in ((-1, "takes 96 bytes, found 95"), (20, "cannot be read, the file is damaged")):
        Path(files["x"]).write_bytes(content[:length])
        with pytest.raises(DataError, match=message):
            reader.read(reader.training_files)


def test_fingerprint_depends_on_content_and_on_which_arrays_are_used(tmp_path: Path) -> None:
    first = read(write(tmp_path / "a.npz", x=X, z=X, y=Y))[0].fingerprint()
    other = read(tmp_path / "a.npz", x="z")[0].fingerprint()
    same = read(tmp_path / "a.npz")[0].fingerprint()
    changed = read(write(tmp_path / "a.npz", x=X, z=X + 1, y=Y))[0].fingerprint()

    assert first == same
    assert len({first, other, changed}) == 3


def test_new_arrays_are_read_without_targets_in_batches(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", x=X.astype(np.float64), y=Y)
    trained, _ = read(path)
    reader = ArrayReader.restore(NpzSource(path=str(path)), trained.targets, trained.inputs())
    new = write(tmp_path / "new.npz", x=X[:5] + 1)

    batches = list(reader.batches(str(new), 2))

    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches), X[:5] + 1)


def test_mnist_as_an_archive_is_the_built_in_mnist(real_mnist: Path) -> None:
    given = {"x": "x_train", "y": "y_train", "test": {"x": "x_test", "y": "y_test"}}
    choice = Choice("npz", {"path": str(real_mnist / "mnist.npz"), **given})
    options: dict[str, Any] = {"losses": CLASSES, "seed": 7, "validation_split": 0.1, "notify": print}

    own = load_data(DataSection(source=choice), **options)
    built_in = load_data(DataSection(source=Choice("mnist")), **options)

    assert own.class_names == tuple("0123456789")
    for part in ("train", "validation", "test"):
        mine, theirs = getattr(own, part), getattr(built_in, part)
        np.testing.assert_array_equal(mine.x, theirs.x)
        np.testing.assert_array_equal(mine.y, theirs.y)
        assert mine.x.dtype == np.uint8


def test_rows_that_stay_in_their_file_are_the_same_as_in_memory(tmp_path: Path) -> None:
    files = write_files(tmp_path, x=X.astype(np.float64), y=Y)
    reader = ArrayReader(NpySource(x=files["x"], y=files["y"]), CLASSES)
    part = reader.read(reader.training_files)

    windows = list(reader.stream(part, np.array([0, 2, 3, 5])).windows(np.array([2, 0, 3]), 2))

    assert reader.memory(part) == 6 * 4 * 4
    np.testing.assert_array_equal(np.concatenate(windows), X[[3, 0, 5]])


def test_new_arrays_are_divided_as_those_of_the_training_were(tmp_path: Path) -> None:
    pixels = np.full((6, 2), 51, np.uint8)
    source = NpzSource(path=str(write(tmp_path / "a.npz", p=pixels, n=X, y=Y)), x={"p": "p", "n": "n"})
    trained = ArrayReader(source, CLASSES)
    part = trained.read(trained.training_files)
    reader = ArrayReader.restore(source, trained.targets, trained.inputs())

    (batch,) = reader.batches(str(tmp_path / "a.npz"), 6)

    assert isinstance(batch, dict)
    np.testing.assert_array_equal(batch["p"], np.full((6, 2), 51, np.float32) / np.float32(255))
    again = reader.read(reader.training_files)
    np.testing.assert_array_equal(again.y, part.y)
    write(tmp_path / "b.npz", p=pixels, n=X[:, :3])
    with pytest.raises(DataError, match=r"b\.npz: n: expected float32 of shape \(n, 4\) as in training"):
        next(reader.batches(str(tmp_path / "b.npz"), 6))
