"""A specification for a folder with a folder of pictures or texts for each class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nnrun.data.draft import Draft, Found, heading, path_from
from nnrun.data.draft_lines import Line, indented, page
from nnrun.data.draft_network import (
    FEW,
    HELD_OUT,
    Goal,
    Size,
    is_balanced,
    output_layers,
    test_line,
    training_section,
)
from nnrun.data.draft_pictures import picture_layers, picture_size
from nnrun.data.draft_target import describe_classes
from nnrun.data.draft_words import LONGEST_WORD_VECTOR, embedding_size, measure_texts
from nnrun.data.images import SUFFIXES as PICTURES
from nnrun.data.images import check_pictures
from nnrun.data.labelled_files import Listing, has_suffix, list_class_folders, list_files
from nnrun.data.targets import Targets, refuse_lonely_classes, sort_classes
from nnrun.data.text_reader import SUFFIXES as TEXTS
from nnrun.data.text_reader import read_texts
from nnrun.errors import Problem, SpecError
from nnrun.spec.datasets import held_out
from nnrun.spec.dump import flow
from nnrun.spec.names import shorten

PARTS = {
    "test": ("test", "testing"),
    "validation": ("validation", "valid", "val"),
    "train": ("train", "training"),
}
"""Names of folders that hold a part of the examples instead of a class."""

LARGEST_PICTURE = 64
"""Height or width; larger ones take long on a processor."""

MOST_LOOKED_AT = 500
MOST_WORDS = 20_000
FEW_TEXTS = 2_000
FEW_TEXTS_SIZE = Size(FEW_TEXTS, (16,), 0.3, 0.01, 16, 100, 10)
MANY_TEXTS_SIZE = Size(float("inf"), (16,), 0.3, 0.003, 64, 30, 4)


@dataclass(frozen=True)
class Folder:
    """Class folders that were looked at.

    Args:
        data: As the user named it.
        parts: The folders of ``train``, ``test`` and ``validation``, where there are such; else ``train`` alone.
        listing: The files to learn from.
        counts: Of each class, by its index.
    """

    data: str
    parts: dict[str, Path]
    listing: Listing
    counts: dict[str, int]

    @property
    def goal(self) -> Goal:
        """What is to be told apart."""
        return Goal("class", len(self.counts), balanced=is_balanced(list(self.counts.values())))

    @property
    def learned(self) -> int:
        """How many examples are learned from."""
        rest = len(self.listing.files)
        for part in ("test", "validation"):
            if part not in self.parts and len(self.listing.files) >= FEW:
                rest -= held_out(rest, HELD_OUT)
        return rest

    def sample(self) -> list[str]:
        """Some of the files at equal distances."""
        step = -(-len(self.listing.files) // MOST_LOOKED_AT)
        return self.listing.files[::step]


def draft_folder(data: str, file: Path) -> Draft:
    """Write a specification for a folder of class folders.

    Args:
        data: The folder; it may hold the folders train and test, and those the class folders.
        file: Where the specification will be.

    Raises:
        SpecError: There are neither pictures nor texts in it.
        DataError: There are no class folders, or one only, or one with a single file.
    """
    parts = _find_parts(Path(data))
    of_texts = _holds_texts(parts["train"], data)
    listing = list_class_folders(
        parts["train"], TEXTS if of_texts else PICTURES, "texts" if of_texts else "pictures"
    )
    found = Counter(listing.classes)
    counts = {name: found[name] for name in sort_classes(list(found))}
    y = np.repeat(np.arange(len(counts)), list(counts.values()))
    folder = Folder(data, parts, listing, counts)
    if len(counts) < 2:
        raise SpecError(
            [
                Problem(
                    f"--from: {shorten(data, 200)} has one class folder only; with one class there is "
                    "nothing to tell apart"
                )
            ]
        )
    if len(y) >= FEW:
        refuse_lonely_classes(y, Targets(columns=["class"], classes=list(counts)), Path(data).name)
    return _texts(folder, file) if of_texts else _pictures(folder, file)


def _find_parts(folder: Path) -> dict[str, Path]:
    """The folders of the parts, if all folders in it are such; else the folder itself to learn from."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    parts = {part: path for part, names in PARTS.items() for path in inside if path.name.lower() in names}
    return parts if len(parts) == len(inside) and "train" in parts else {"train": folder}


def _holds_texts(folder: Path, data: str) -> bool:
    names = list_files(folder, (*PICTURES, *TEXTS)) if any(_fitting(folder)) else []
    if not names:
        tables = [
            path.name for path in folder.iterdir() if has_suffix(path.name, (".csv", ".tsv", ".parquet"))
        ]
        advice = (
            f"; for the tables in it write --from '{shorten(data, 200)}/*{Path(tables[0]).suffix}'"
            if tables
            else ""
        )
        expected = (
            f"expected a folder for each class, with pictures ({', '.join(PICTURES)}) or texts (.txt) in it"
        )
        raise SpecError([Problem(f"--from: {shorten(data, 200)}: {expected}{advice}")])
    return sum(has_suffix(name, TEXTS) for name in names) > len(names) / 2


def _fitting(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if has_suffix(path.name, (*PICTURES, *TEXTS))][:1]


def _pictures(folder: Folder, file: Path) -> Draft:
    height, width, gray, usual = _picture_shape(folder.sample())
    settings = [
        Line(f"size: [{height}, {width}]", f"all are made this size; they are about {usual}"),
        *([Line("color_mode: grayscale", "shades of gray: one number for each pixel")] if gray else []),
    ]
    layers = picture_layers((height, width, 1 if gray else 3), folder.learned)
    why = f"{len(folder.listing.files):,} pictures; their pixels arrive as numbers from 0 to 1."
    return _draft(
        folder,
        file,
        ("images", settings),
        [Line("layers:", why, above=True), *indented(layers, 2)],
        picture_size(folder.learned),
    )


def _picture_shape(files: list[str]) -> tuple[int, int, bool, str]:
    """Height and width to resize to, whether there are shades of gray only, and the usual size in words."""
    from PIL import Image

    check_pictures(files, 3)
    sizes, modes = [], set()
    for path in files:
        with Image.open(path) as picture:
            sizes.append((picture.size[1], picture.size[0]))
            modes.add((picture.format, picture.mode))
    height, width = (int(one) for one in np.median(sizes, axis=0))
    shrink = min(1.0, LARGEST_PICTURE / max(height, width))
    gray = all(mode in ("1", "L", "LA", "I;16") and kind not in ("BMP", "GIF") for kind, mode in modes)
    return max(8, round(height * shrink)), max(8, round(width * shrink)), gray, f"{height} x {width}"


def _texts(folder: Folder, file: Path) -> Draft:
    sizes = measure_texts(read_texts(folder.sample())["text"], MOST_WORDS)
    vector = embedding_size(sizes.tokens, LONGEST_WORD_VECTOR)
    settings = [
        Line(
            f"max_tokens: {sizes.tokens}",
            "words that occur twice or more; all others count as one unknown word",
        ),
        Line(
            f"sequence_length: {sizes.length}",
            f"words of a text that are read; half of them have {sizes.usual:,} or less",
        ),
    ]
    size = FEW_TEXTS_SIZE if folder.learned < FEW_TEXTS else MANY_TEXTS_SIZE
    layers = [
        Line(
            f"- Embedding: {{input_dim: {sizes.tokens}, output_dim: {vector}}}",
            f"a vector of {vector} numbers, which is learned, for each word of the vocabulary",
            above=True,
        ),
        Line(
            "- GlobalAveragePooling1D", "the mean of a text's words: which there are counts, not their order"
        ),
        Line(f"- Dropout: {{rate: {size.dropout}}}", "leaves out some at random, against learning by heart"),
        Line(f"- Dense: {{units: {size.units[0]}, activation: relu}}"),
    ]
    return _draft(folder, file, ("text", settings), [Line("layers:"), *indented(layers, 2)], size)


def _draft(
    folder: Folder, file: Path, source: tuple[str, list[Line]], layers: list[Line], size: Size
) -> Draft:
    """The whole specification."""
    kind, settings = source
    about = f"{len(folder.listing.files):,} files, {len(folder.counts):,} classes"
    validation: Literal["split", "files"] | None = "split" if len(folder.listing.files) >= FEW else None
    if "validation" in folder.parts:
        validation = "files"
    lines = [
        *heading(file, folder.data, "tells classes apart", about),
        Line(""),
        Line("data:"),
        Line("  source:"),
        Line(f"    {kind}:"),
        *indented([*_paths(folder, file), *settings], 6),
        Line(""),
        Line("model:"),
        *indented([*layers, *indented(output_layers(folder.goal), 2)], 2),
        Line(""),
        *training_section(folder.goal, folder.learned, validation=validation, size=size),
    ]
    what = "pictures" if kind == "images" else "texts"
    found = [
        Found(name, "class", f"{number:,} {what}", 0, "is predicted")
        for name, number in folder.counts.items()
    ]
    return Draft(page(lines), about, tuple(found))


def _paths(folder: Folder, file: Path) -> list[Line]:
    """Where the examples are, and which of them are held out."""
    classes = describe_classes(list(folder.counts), list(folder.counts.values()))
    reasons = {
        "train": f"{len(folder.counts):,} classes: {classes}",
        "test": "nothing is learned from these",
        "validation": "these tell when to stop",
    }
    lines = [
        Line(f"{'path' if part == 'train' else part}: {flow(path_from(file, str(folder.parts[part])))}", why)
        for part, why in reasons.items()
        if part in folder.parts
    ]
    return lines if "test" in folder.parts else [*lines, test_line(len(folder.listing.files))]
