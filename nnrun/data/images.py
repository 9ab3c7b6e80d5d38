"""Pictures in files: looked at before they are decoded, then decoded by TensorFlow."""

from __future__ import annotations

import math
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import aligned
from nnrun.errors import DataError, ResourceError
from nnrun.keras_backend import load_tensorflow
from nnrun.spec.file_sources import ImagesSource
from nnrun.spec.names import shorten

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
OTHER_SUFFIXES = (".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd")
"""Pictures that TensorFlow does not decode: to leave them out in silence would be wrong."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF")
MOST_PIXELS = 100_000_000
MOST_SHOWN = 5
BATCH = 64
CONVERT = "convert it to PNG or JPEG"


@dataclass(frozen=True)
class ImageSettings:
    """How pictures become arrays of one shape.

    Args:
        size: Height and width.
        channels: 3, or 1 for shades of gray.
        interpolation: Keras's name of it.
        crop: Whether what stands over is cut, instead of distorting the picture.
    """

    size: tuple[int, int]
    channels: int
    interpolation: str
    crop: bool

    @classmethod
    def of(cls, source: ImagesSource) -> ImageSettings:
        """The settings of a source."""
        height, width = source.size
        channels = 1 if source.color_mode == "grayscale" else 3
        return cls((height, width), channels, source.interpolation, source.crop_to_aspect_ratio)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one picture: (height, width, channels)."""
        return (*self.size, self.channels)

    def bytes(self, count: int) -> int:
        """What so many pictures take in memory."""
        return count * math.prod(self.shape)


def check_pictures(files: Sequence[str], channels: int) -> None:
    """Look at the headers of pictures; nothing is decoded, whatever size a header claims.

    Args:
        files: Their paths.
        channels: As which they are to be decoded.

    Raises:
        DataError: Files that are no pictures, are cut off, too large, or of a kind that TensorFlow does not read.
    """
    problems = []
    with _quiet_pillow():
        for path in files:
            if problem := _explain_header(path, channels):
                problems.append(f"{path}: {problem}")
    if problems:
        more = len(problems) - MOST_SHOWN
        raise DataError("\n".join(problems[:MOST_SHOWN] + [f"and {more:,} pictures more"] * (more > 0)))


def decode(path: Any, settings: ImageSettings) -> Any:
    """Read, decode and resize a picture as ``keras.utils.image_dataset_from_directory`` does; also inside tf.data.

    An alpha channel is dropped, 16 bits become 8, of an animation the first frame counts, and the orientation that
    a camera notes is not looked at.

    Args:
        path: A tensor of text.
        settings: The size and how to come to it.

    Returns:
        uint8 of shape (height, width, channels); what resizing leaves between two values is rounded, halves to even.
    """
    tf = load_tensorflow()
    picture = tf.io.decode_image(tf.io.read_file(path), channels=settings.channels, expand_animations=False)
    picture.set_shape([None, None, settings.channels])
    if settings.crop:
        picture = _crop(picture, settings.size)
    resized = tf.image.resize(picture, settings.size, method=settings.interpolation)
    return tf.saturate_cast(tf.round(resized), tf.uint8)


def decode_pictures(files: Sequence[str], settings: ImageSettings) -> NDArray[np.uint8]:
    """Decode pictures side by side, in their order.

    Returns:
        uint8 of shape (n, height, width, channels).

    Raises:
        DataError: The pixels of a picture are damaged.
        ResourceError: The memory cannot hold them.
    """
    tf = load_tensorflow()
    try:
        found = aligned((len(files), *settings.shape), np.uint8)
    except MemoryError:
        size = f"{len(files):,} pictures of {settings.shape} take {settings.bytes(len(files)):,} bytes"
        raise ResourceError(f"{size}, more than there is; use a smaller size") from None
    paths = tf.data.Dataset.from_tensor_slices([os.fsencode(path) for path in files])
    pictures = paths.map(lambda path: decode(path, settings), tf.data.AUTOTUNE, deterministic=True)
    done = 0
    try:
        for batch in pictures.batch(BATCH).as_numpy_iterator():
            found[done : done + len(batch)] = batch
            done += len(batch)
    except tf.errors.OpError as error:
        raise find_damaged(files[done:], settings) or error from error
    return found


def find_damaged(files: Sequence[str], settings: ImageSettings) -> DataError | None:
    """The first picture that cannot be decoded, decoded one by one; None where all can."""
    tf = load_tensorflow()
    for path in files:
        try:
            decode(os.fsencode(path), settings)
        except tf.errors.InvalidArgumentError as error:
            return DataError(
                f"{path}: the picture's pixels are damaged or cut off ({_reason(error)}); replace or remove the file"
            )
        except tf.errors.OpError as error:
            return DataError(f"{path}: cannot be read: {_reason(error)}")
    return None


def _reason(error: Any) -> str:
    """What TensorFlow says, without the names of its operations."""
    return shorten(re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*", "", error.message).strip(), 120)


def _crop(picture: Any, size: tuple[int, int]) -> Any:
    """The largest part around the middle that has the proportions of a size, cut where Keras cuts it."""
    tf = load_tensorflow()
    shape = tf.shape(picture)
    height, width = shape[0], shape[1]

    def part(other: Any, mine: int, others: int, most: Any) -> Any:
        fitting = tf.cast(tf.cast(other * mine, tf.float32) / others, tf.int32)
        return tf.clip_by_value(fitting, 1, most)

    part_height = part(width, size[0], size[1], height)
    part_width = part(height, size[1], size[0], width)
    top, left = (height - part_height) // 2, (width - part_width) // 2
    return picture[top : top + part_height, left : left + part_width]


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Let Pillow read any header without warnings and without its own limit: it never decodes here."""
    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _explain_header(path: str, channels: int) -> str | None:
    """What is wrong with a picture as far as its header tells; None where nothing is."""
    from PIL import Image, UnidentifiedImageError

    try:
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            return "expected a picture; it is no regular file"
        if not status.st_size:
            return "the file is empty: there is not a single byte in it"
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            kind, mode = str(picture.format), picture.mode
    except UnidentifiedImageError:
        return _explain_content(path)
    except OSError as error:
        if error.strerror:
            return f"cannot be read: {error.strerror}"
        return f"the picture's header cannot be read ({shorten(str(error))}); replace or remove the file"
    except Exception:  # Pillow promises nothing of what it raises on bytes that make no sense
        return _explain_content(path)
    if width * height > MOST_PIXELS:
        return (
            f"the picture has {width:,} x {height:,} pixels; at most {MOST_PIXELS:,} are read. Make it smaller, "
            "or cut it into pieces"
        )
    return _explain_mode(kind, mode, channels)


def _explain_mode(kind: str, mode: str, channels: int) -> str | None:
    """What TensorFlow does not decode, or decodes to other colors than the picture's."""
    if kind == "BMP" and mode not in ("RGB", "L"):
        return f"a BMP picture with a palette is not read; {CONVERT}"
    if channels == 1 and (kind in ("BMP", "GIF") or mode == "CMYK"):
        which = "a JPEG in printing colors (CMYK)" if mode == "CMYK" else f"a {kind}"
        return f"{which} is not read as shades of gray; {CONVERT}, or use color_mode: rgb"
    return None


def _explain_content(path: str) -> str:
    """What a file is that is no picture."""
    with open(path, "rb") as file:  # noqa: PTH123
        first = file.read(32)
    signatures = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")
    if first.startswith(signatures):
        return "the picture's header is damaged or cut off; replace the file, or remove it"
    return (
        f"expected a PNG, JPEG, BMP or GIF picture; the file begins with {shorten(repr(first)[1:], 60)}. "
        f"If it is a picture of another kind, {CONVERT}; else remove it"
    )
