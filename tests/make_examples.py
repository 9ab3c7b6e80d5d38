"""Make small data sets of one's own kind: ``python tests/make_examples.py FOLDER``.

It leaves ``shapes/`` (pictures in a folder for each class), ``shapes.csv`` (the same as a table) and ``reviews.csv``
(short texts with a label).
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 40
"""Pixels of a picture's height and width."""

SHAPES = ("circle", "square", "triangle")
GOOD = ["lovely", "great", "funny", "moving", "clever", "warm", "brilliant", "charming"]
BAD = ["boring", "awful", "dull", "clumsy", "tedious", "weak", "stupid", "pointless"]
SUBJECTS = ["film", "story", "cast", "music", "ending", "plot"]


def main() -> None:
    folder = Path(sys.argv[1])
    make_pictures(folder / "shapes", per_class=int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    make_reviews(folder / "reviews.csv", count=400)


def make_pictures(folder: Path, *, per_class: int, seed: int = 0) -> list[Path]:
    """Draw shapes into ``folder/<shape>/0000.png`` and write a table of them beside the folder."""
    random = np.random.default_rng(seed)
    made = []
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            path = folder / shape / f"{number:04}.png"
            Image.fromarray(draw(shape, random)).save(path)
            made.append(path)
    with folder.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "target"])
        rows.writerows([path.relative_to(folder.parent).as_posix(), path.parent.name] for path in made)
    return made


def draw(shape: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """A shape of a random color, size and place on noise: uint8 of shape (SIDE, SIDE, 3)."""
    down, right = np.mgrid[:SIDE, :SIDE]
    radius = random.uniform(8, 13)
    middle = random.uniform(radius, SIDE - radius, 2)
    y, x = (down - middle[0]) / radius, (right - middle[1]) / radius
    inside = {
        "circle": x**2 + y**2 < 1,
        "square": (abs(x) < 0.9) & (abs(y) < 0.9),
        "triangle": (y < 0.9) & (2 * abs(x) < 0.9 + y),
    }[shape]
    picture: NDArray[Any] = random.integers(0, 90, (SIDE, SIDE, 3))
    picture[inside] = random.integers(140, 256, 3)
    return picture.astype(np.uint8)


def make_reviews(path: Path, *, count: int, seed: int = 0) -> None:
    """Write short texts, each with ``good`` or ``bad``."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "opinion"])
        for number in range(count):
            words = random.choice(GOOD if number % 2 else BAD, 2)
            subjects = random.choice(SUBJECTS, 2, replace=False)
            text = f"The {subjects[0]} was {words[0]}, and what a {words[1]} {subjects[1]}!"
            rows.writerow([text, "good" if number % 2 else "bad"])


if __name__ == "__main__":
    main()
