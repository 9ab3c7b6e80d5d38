"""Pictures of the user's own: found, looked at, decoded."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnrun.data.image_reader import ImageReader
from nnrun.data.images import ImageSettings, check_pictures, decode, decode_pictures
from nnrun.data.own import load_own
from nnrun.errors import DataError
from nnrun.spec.file_sources import ImagesSource
from nnrun.spec.schema import Choice

CLASSES = Choice("sparse_categorical_crossentropy")
NUMBERS = Choice("mse")


def noise(height: int = 12, width: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise() if pixels is None else pixels).save(path)
    return path


def make_folder(folder: Path, each: int = 3) -> Path:
    """Pictures of two classes; those of dogs are all black but for their number."""
    for number in range(each):
        save(folder / "cat" / f"{number}.png", noise(seed=number))
        save(folder / "dog" / f"{number}.png", np.full((12, 10, 3), number, np.uint8))
    return folder


def source_of(path: Path | str, **arguments: Any) -> ImagesSource:
    return ImagesSource(path=str(path), **({"size": [6, 5]} | arguments))


def read(path: Path | str, losses: Choice = CLASSES, **arguments: Any) -> tuple[ImageReader, Any]:
    reader = ImageReader(source_of(path, **arguments), losses)
    return reader, reader.read(reader.training_files)


def refusal(path: Path | str, losses: Choice = CLASSES, **arguments: Any) -> str:
    with pytest.raises(DataError) as error:
        read(path, losses, **arguments)
    return str(error.value)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def test_folder_gives_classes_by_its_folders_and_files_in_a_fixed_order(tmp_path: Path) -> None:
    reader, part = read(make_folder(tmp_path / "pets"))

    assert reader.targets.classes == ["cat", "dog"]
    assert part.names == ["cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png"]
    assert part.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert reader.inputs()["input"].shape == (6, 5, 3)
    assert reader.inputs()["input"].divisor == 255
    assert reader.memory(part) == 6 * 6 * 5 * 3


def test_folders_that_are_numbers_are_classes_in_the_order_of_their_values(tmp_path: Path) -> None:
    for name in ("10", "9", "2"):
        save(tmp_path / name / "a.png")

    assert read(tmp_path)[0].targets.classes == ["2", "9", "10"]


def test_hidden_files_are_skipped_and_others_are_counted_in_a_note(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    save(tmp_path / "pets" / "cat" / ".hidden.png")
    save(tmp_path / "pets" / ".cache" / "a.png")
    (tmp_path / "pets" / "cat" / "Thumbs.db").write_text("x")
    (tmp_path / "pets" / "notes.txt").write_text("x")

    reader, part = read(tmp_path / "pets")

    assert len(part.files) == 6
    assert reader.notes == ["2 files are left out of pets: no picture of a class (such as notes.txt)"]


def test_pictures_in_folders_within_a_class_and_in_capital_letters_count(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    save(tmp_path / "pets" / "cat" / "young" / "9.PNG")

    assert "cat/young/9.PNG" in read(tmp_path / "pets")[1].names


def test_links_out_of_the_folder_are_followed_and_loops_end(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    save(tmp_path / "elsewhere" / "wild.png")
    (tmp_path / "pets" / "cat" / "wild").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pets" / "cat" / "wild" / "back").symlink_to(tmp_path / "pets" / "cat")
    (tmp_path / "pets" / "cat" / "up").symlink_to(tmp_path / "pets")
    (tmp_path / "pets" / "dog" / "itself").symlink_to("itself")

    reader, part = read(tmp_path / "pets")

    assert part.names[:4] == ["cat/0.png", "cat/1.png", "cat/2.png", "cat/wild/wild.png"]
    assert len(part.names) == 7
    assert "dog/itself" in reader.notes[0]


def test_class_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    (tmp_path / "pets" / "eel").mkdir()

    message = refusal(tmp_path / "pets")

    assert message.startswith(f"{tmp_path}/pets/eel: there are no pictures (.png, .jpg,")
    assert message.endswith("in the folder of this class; add some, or remove the folder")


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith("in it; found nothing")


def test_folder_of_pictures_without_classes_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")

    assert "the pictures lie in the folder itself (such as a.png); put each into a folder" in refusal(
        tmp_path
    )


def test_single_class_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "pets" / "cat" / "a.png")

    assert refusal(tmp_path / "pets") == (
        "pets has one class folder only ('cat'); with one class there is nothing to tell apart"
    )


def test_class_of_one_picture_is_refused_where_some_are_held_out(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    save(tmp_path / "pets" / "eel" / "a.png")
    source = source_of(tmp_path / "pets")

    with pytest.raises(DataError, match="pets: the class 'eel' has one example only"):
        load_own(
            ImageReader(source, CLASSES), source, cache="memory", seed=0, validation_split=0, notify=print
        )


def test_test_folder_with_a_new_class_is_refused(tmp_path: Path) -> None:
    reader, _ = read(make_folder(tmp_path / "pets"))
    save(tmp_path / "test" / "eel" / "a.png")

    with pytest.raises(DataError, match="test: the class 'eel' is not among those of the training part: cat"):
        reader.read(str(tmp_path / "test"))


def test_test_folder_without_one_of_the_classes_keeps_the_indices(tmp_path: Path) -> None:
    reader, _ = read(make_folder(tmp_path / "pets"))
    save(tmp_path / "test" / "dog" / "a.png")

    assert reader.read(str(tmp_path / "test")).y.tolist() == [1]


def test_pictures_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "a.webp").write_bytes(b"RIFF")

    assert refusal(tmp_path / "pets") == (
        f"{tmp_path}/pets/cat/a.webp: TensorFlow does not read pictures of this kind; convert them to PNG or JPEG, "
        "or remove them"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"no picture",
            "expected a PNG, JPEG, BMP or GIF picture; the file begins with 'no picture'. If it is a ",
        ),
        (b"", "the file is empty: there is not a single byte in it"),
        (
            b"\x89PNG\r\n\x1a\n\0\0",
            "the picture's header is damaged or cut off; replace the file, or remove it",
        ),
        (
            b"BM" + bytes(60),
            "the picture's header cannot be read (Unsupported BMP header type (0)); replace or ",
        ),
        (b"\xff\xd8\xff\xe0", "the picture's header is damaged or cut off; replace the file, or remove it"),
        (
            png_claiming(50_000, 50_000),
            "the picture has 50,000 x 50,000 pixels; at most 100,000,000 are read. Make ",
        ),
        (png_claiming(2**31 - 1, 2**31 - 1), "the picture has 2,147,483,647 x 2,147,483,647 pixels; at most"),
    ],
)
def test_file_that_is_no_picture_to_decode_is_refused_by_its_header(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = make_folder(tmp_path / "pets") / "cat" / "1.png"
    path.write_bytes(content)

    assert refusal(tmp_path / "pets").startswith(f"{path}: {message}")


def test_largest_picture_passes_the_look_at_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(10_000, 10_000))
    (tmp_path / "b.png").write_bytes(png_claiming(10_000, 10_001))

    check_pictures([str(tmp_path / "a.png")], 3)
    with pytest.raises(DataError, match="10,000 x 10,001 pixels"):
        check_pictures([str(tmp_path / "b.png")], 3)


def test_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets")
    os.mkfifo(tmp_path / "pets" / "cat" / "pipe.png")

    assert refusal(tmp_path / "pets").endswith("pipe.png: expected a picture; it is no regular file")


def test_all_damaged_headers_are_told_at_once_up_to_five(tmp_path: Path) -> None:
    make_folder(tmp_path / "pets", each=7)
    for path in (tmp_path / "pets" / "cat").iterdir():
        path.write_bytes(b"x")

    *shown, last = refusal(tmp_path / "pets").splitlines()

    assert [line.split(": expected")[0] for line in shown] == [
        f"{tmp_path}/pets/cat/{n}.png" for n in range(5)
    ]
    assert last == "and 2 pictures more"


def test_header_of_random_bytes_is_refused_or_passes_and_never_breaks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "a.png"
    for suffix in ("png", "jpg", "bmp", "gif"):
        whole = bytearray(save(tmp_path / f"good.{suffix}").read_bytes())
        for _ in range(150):
            broken = whole[: random.integers(4, len(whole))]
            for place in random.integers(0, min(60, len(broken)), 3):
                broken[place] = random.integers(0, 256)
            path.write_bytes(broken)
            try:
                check_pictures([str(path)], 3)
            except DataError as error:
                assert str(error).startswith(f"{path}: ")


def test_limit_and_warnings_of_pillow_are_left_as_they_were(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    check_pictures([str(save(tmp_path / "a.png"))], 3)

    assert Image.MAX_IMAGE_PIXELS == before is not None


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("a.bmp", "P", "a BMP picture with a palette is not read; convert it to PNG or JPEG"),
        (
            "a.gif",
            "P",
            "a GIF is not read as shades of gray; convert it to PNG or JPEG, or use color_mode: rgb",
        ),
        (
            "a.jpg",
            "CMYK",
            "a JPEG in printing colors (CMYK) is not read as shades of gray; convert it to PNG",
        ),
    ],
)
def test_kind_that_tensorflow_decodes_wrongly_is_refused(
    name: str, mode: str, message: str, tmp_path: Path
) -> None:
    Image.fromarray(noise()).convert(mode).save(tmp_path / name)

    with pytest.raises(DataError) as error:
        check_pictures([str(tmp_path / name)], 1)

    assert str(error.value).startswith(f"{tmp_path / name}: {message}")


def write_table(folder: Path, lines: str, name: str = "table.csv") -> Path:
    make_folder(folder / "pets")
    (folder / name).write_text(lines)
    return folder / name


def test_table_names_pictures_relative_to_its_folder(tmp_path: Path) -> None:
    path = write_table(tmp_path, "image,target\npets/dog/1.png,dog\npets/cat/0.png,cat\npets/cat/1.png,cat\n")

    reader, part = read(path)

    assert part.files[0] == str(tmp_path / "pets/dog/1.png")
    assert reader.targets.classes == ["cat", "dog"]
    assert part.y.tolist() == [1, 0, 0]


def test_table_with_numbers_is_for_regression_or_classes_as_the_loss_wants(tmp_path: Path) -> None:
    path = write_table(tmp_path, "file\tage\npets/dog/1.png\t7\npets/cat/0.png\t3\n", "table.tsv")
    columns = {"image": "file", "target": "age"}

    amounts, classes = read(path, NUMBERS, **columns), read(path, CLASSES, **columns)

    assert amounts[0].targets.classes is None
    assert amounts[1].y.dtype == np.float32
    assert amounts[1].y.tolist() == [7.0, 3.0]
    assert classes[0].targets.classes == ["3", "7"]
    assert classes[1].y.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("image,label\na.png,x\n", "table.csv: there is no column 'target'; there are image, label"),
        ("image,target\n,cat\npets/cat/0.png,dog\n", "table.csv: row 1 has no picture in the column 'image'"),
        ("image,target\npets/none.png,cat\npets/cat/0.png,dog\n", "none.png: cannot be read: No such file"),
        (
            "image,target\npets/cat/0.png,\na.png,dog\nb.png,cat\n",
            "table.csv: row 1 has no value in the target",
        ),
    ],
)
def test_table_that_does_not_fit_is_refused(lines: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(write_table(tmp_path, lines))


def test_file_that_is_neither_folder_nor_table_is_refused(tmp_path: Path) -> None:
    assert "expected a folder with a folder for each class, or a table" in refusal(save(tmp_path / "a.png"))


def test_fingerprint_depends_on_pixels_and_classes_and_not_on_the_place(tmp_path: Path) -> None:
    first = read(make_folder(tmp_path / "a"))[0].fingerprint()
    same = read(make_folder(tmp_path / "b"))[0].fingerprint()
    (tmp_path / "b" / "cat" / "2.png").rename(tmp_path / "b" / "dog" / "-.png")
    moved = read(tmp_path / "b")[0].fingerprint()
    save(tmp_path / "a" / "cat" / "0.png", noise(seed=9))

    assert first == same
    assert len({first, moved, read(tmp_path / "a")[0].fingerprint()}) == 3


def test_fingerprint_of_very_many_is_of_names_and_sizes(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nnrun.data.image_reader.MOST_HASHED", 5)
    reader, _ = read(make_folder(tmp_path / "pets"))
    first = reader.fingerprint()
    path = tmp_path / "pets" / "cat" / "0.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    assert reader.fingerprint() == first
    path.write_bytes(path.read_bytes() + b"x")
    assert reader.fingerprint() != first


@pytest.mark.tensorflow
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_pictures_are_those_of_keras(tmp_path: Path, interpolation: str, crop: bool, color_mode: str) -> None:
    import keras

    for number, (height, width) in enumerate([(12, 10), (40, 17), (9, 31), (6, 5), (3, 2)]):
        save(tmp_path / "pets" / "cat" / f"{number}.png", noise(height, width, number))
    save(tmp_path / "pets" / "dog" / "a.jpg", noise(24, 32))
    options = {"interpolation": interpolation, "crop_to_aspect_ratio": crop, "color_mode": color_mode}
    reader, part = read(tmp_path / "pets", **options)

    batches = keras.utils.image_dataset_from_directory(
        tmp_path / "pets", image_size=(6, 5), batch_size=6, shuffle=False, verbose=False, **options
    )
    (wanted, y) = next(batches.as_numpy_iterator())

    assert part.y.tolist() == y.tolist()
    np.testing.assert_array_equal(reader.examples(part, None), np.rint(wanted.clip(0, 255)).astype(np.uint8))


@pytest.mark.tensorflow
def test_rows_are_decoded_in_their_order_and_one_by_one_the_same(tmp_path: Path) -> None:
    reader, part = read(make_folder(tmp_path / "pets", each=90))
    rows = np.random.default_rng(0).permutation(180)

    found = reader.examples(part, rows)

    assert found.shape == (180, 6, 5, 3)
    assert found.dtype == np.uint8
    black = part.y[rows] == 1
    numbers = [int(Path(part.files[row]).stem) for row in rows]
    np.testing.assert_array_equal(found[black][:, 0, 0, 0], np.asarray(numbers)[black])
    alone = decode(part.files[int(rows[7])], reader.settings).numpy()
    np.testing.assert_array_equal(found[7], alone)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "mode", "off"),
    [
        ("a.png", "RGBA", 0), ("a.png", "P", 0), ("a.png", "L", 0), ("a.png", "LA", 0), ("a.png", "1", 0),
        ("a.jpg", "RGB", 6), ("a.jpg", "L", 4), ("a.jpg", "CMYK", 6), ("a.bmp", "RGB", 0), ("a.bmp", "L", 0),
        ("a.gif", "P", 0),
    ],
)  # fmt: skip
def test_picture_of_any_mode_becomes_red_green_and_blue(
    name: str, mode: str, off: int, tmp_path: Path
) -> None:
    path = str(tmp_path / name)
    Image.fromarray(noise()).convert(mode).save(path)
    settings = ImageSettings((12, 10), 3, "bilinear", False)
    check_pictures([path], 3)

    found = decode_pictures([path], settings)[0].astype(int)

    with Image.open(path) as picture:
        assert np.abs(found - np.asarray(picture.convert("RGB"))).max() <= off


@pytest.mark.tensorflow
def test_sixteen_bits_become_eight_and_an_animation_its_first_picture(tmp_path: Path) -> None:
    deep = np.arange(120, dtype=np.uint16).reshape(12, 10) * 500
    Image.fromarray(deep).save(tmp_path / "deep.png")
    first, second = Image.fromarray(noise()).convert("P"), Image.fromarray(noise(seed=1)).convert("P")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])

    found = decode_pictures(
        [str(tmp_path / "deep.png"), str(tmp_path / "moving.gif")],
        ImageSettings((12, 10), 3, "nearest", False),
    )

    assert np.abs(found[0, :, :, 0].astype(float) - deep / 257).max() <= 1
    np.testing.assert_array_equal(found[1], np.asarray(first.convert("RGB")))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["cat/1.png", "dog/70.png"])
def test_damaged_pixels_name_their_file(name: str, tmp_path: Path) -> None:
    path = make_folder(tmp_path / "pets", each=80) / name
    save(path, noise(60, 60))
    path.write_bytes(path.read_bytes()[:400])
    reader, part = read(tmp_path / "pets")

    with pytest.raises(DataError) as error:
        reader.examples(part, None)

    message = str(error.value)
    assert message.startswith(f"{path}: the picture's pixels are damaged or cut off (")
    assert message.endswith("); replace or remove the file")
    assert "{{" not in message


@pytest.mark.tensorflow
def test_file_that_vanished_since_is_named(tmp_path: Path) -> None:
    reader, part = read(make_folder(tmp_path / "pets"))
    (tmp_path / "pets" / "dog" / "1.png").unlink()

    with pytest.raises(DataError, match=r"dog/1\.png: cannot be read: .*No such file"):
        reader.examples(part, None)


@pytest.mark.tensorflow
def test_new_pictures_are_read_without_classes_in_batches(tmp_path: Path) -> None:
    source = source_of(make_folder(tmp_path / "pets"))
    trained, part = read(tmp_path / "pets")
    reader = ImageReader.restore(source, trained.targets)

    batches = list(reader.batches(str(tmp_path / "pets"), 4))

    assert [len(batch) for batch in batches] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), trained.examples(part, None))


@pytest.mark.tensorflow
def test_pictures_that_stay_in_their_files_are_the_same_as_in_memory(tmp_path: Path) -> None:
    reader, part = read(make_folder(tmp_path / "pets", each=5))
    rows, order = np.array([1, 2, 4, 5, 7, 9]), np.array([3, 0, 5, 1, 2])

    streamed = reader.stream(part, rows)
    windows = list(streamed.windows(order, 2))

    assert [len(window) for window in windows] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(windows), reader.examples(part, rows[order]))
    np.testing.assert_array_equal(streamed.y, part.y[rows])
