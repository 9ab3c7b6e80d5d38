"""What a page shows of single examples, in plain values: made while the examples are at hand, kept with the run."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.preprocessing import Category, Numbers, Preprocessing, Text
from nnrun.report.classification import confident_mistakes
from nnrun.report.evaluation import Judged
from nnrun.report.image_grid import is_image_shape
from nnrun.spec.datasets import DatasetFacts, InputFacts
from nnrun.spec.names import shorten

MOST_EXAMPLES = 24
"""Of a run: half of them are spread over the part, half are what went wrong most."""

MOST_SIDE = 64
"""Pixels of a picture's side; larger ones are made smaller."""

LEAST_SIDE = 4
MOST_STRETCHED = 4
"""How many times as long as the other a picture's side may be."""

MOST_BARS = 5
MOST_VALUES = 12
MOST_CHARACTERS = 300
LONGEST_NAME = 40

Plain = dict[str, Any]


def choose_examples(judged: Judged, count: int) -> tuple[list[int], list[int]]:
    """Which examples to show.

    Args:
        judged: An output.
        count: How many, of each kind.

    Returns:
        Some at equal distances, which nobody picked; and those on which the model was wrong most.
    """
    total = len(judged.output)
    spread = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int)).tolist()
    if judged.answers is not None:
        return spread, [one.index for one in confident_mistakes(judged.answers, count)]
    distance = _distances(judged)
    return spread, np.argsort(-distance, kind="stable")[:count].tolist()


def _distances(judged: Judged) -> NDArray[np.float64]:
    """How far each example's numbers are off, each number measured by how much it varies; of shape (n,)."""
    true = np.asarray(judged.known.targets, np.float64).reshape(len(judged.output), -1)
    spread = true.std(axis=0)
    distances: NDArray[np.float64] = (np.abs(true - judged.output) / np.where(spread > 0, spread, 1)).mean(
        axis=1
    )
    return distances


def describe_answers(judged: Judged, indices: Sequence[int]) -> list[Plain]:
    """What was said of some examples, and what is so.

    Returns:
        For classes ``example``, ``target``, ``predicted`` (class indices) and ``probabilities`` (pairs, the greatest
        first, that of the target among them); for numbers ``example``, ``target`` and ``predicted`` (lists).
    """
    answers = judged.answers
    if answers is None:
        true = np.asarray(judged.known.targets, np.float64).reshape(len(judged.output), -1)
        return [
            {"example": index, "target": true[index].tolist(), "predicted": _plain(judged.output[index])}
            for index in indices
        ]
    described = []
    for index in indices:
        chances, target = answers.probabilities[index], int(answers.targets[index])
        top = np.argsort(-chances, kind="stable")[:MOST_BARS].tolist()
        if target not in top:
            top[-1] = target
        bars = [[of_class, round(float(chances[of_class]), 9)] for of_class in top]
        predicted = int(answers.predicted[index])
        described.append({"example": index, "target": target, "predicted": predicted, "probabilities": bars})
    return described


def _plain(values: NDArray[Any]) -> list[float]:
    return [float(f"{value:.7g}") for value in np.ravel(values).tolist()]


def describe_inputs(
    x: NDArray[Any] | Mapping[str, NDArray[Any]], facts: DatasetFacts, preprocessing: Preprocessing | None
) -> list[Plain]:
    """What examples look like to a person.

    Args:
        x: Of shape (n, ...), or such arrays by input name; as they are stored, not divided.
        facts: Of the data.
        preprocessing: What made the columns of a table, or texts, into inputs.

    Returns:
        For each example, by the names of its inputs: ``picture`` (PNG in Base64), ``values`` (pairs of a name and a
        number or a text), or ``text``; and ``more``, how many values there are besides.
    """
    arrays = dict(x) if isinstance(x, Mapping) else {"input": x}
    alone = InputFacts(facts.shape, facts.dtype, facts.divisor)
    count = len(next(iter(arrays.values())))
    return [
        {
            name: _describe(name, array[row], facts.inputs.get(name, alone), preprocessing)
            for name, array in arrays.items()
        }
        for row in range(count)
    ]


def _describe(name: str, example: NDArray[Any], facts: InputFacts, made: Preprocessing | None) -> Plain:
    if made is not None and name in made.inputs:
        return _describe_columns(example, made.inputs[name])
    if is_picture(example.shape):
        return {"picture": encode_picture(example, facts.divisor)}
    flat = np.ravel(example)
    if example.ndim == 1 and example.dtype.kind in "iu" and facts.divisor is None:
        words = flat[np.argmax(flat != 0) :].tolist()  # without the padding in front
        return {"text": shorten(" ".join(map(str, words)), MOST_CHARACTERS)}
    places = itertools.islice(np.ndindex(example.shape), MOST_VALUES)
    names = ["x" + "".join(f"[{at}]" for at in place) for place in places]
    values = [[name, value] for name, value in zip(names, _plain(flat[:MOST_VALUES]), strict=True)]
    return {"values": values, "more": flat.size - len(values)}


def _first(values: list[list[Any]]) -> Plain:
    return {"values": values[:MOST_VALUES], "more": max(0, len(values) - MOST_VALUES)}


def _describe_columns(example: NDArray[Any], steps: Sequence[Numbers | Category | Text]) -> Plain:
    """The columns of a row, as they were before they became numbers around 0."""
    values: list[list[Any]] = []
    texts: list[str] = []
    first = 0
    for step in steps:
        own = example[first : first + step.width]
        first += step.width
        match step:
            case Numbers():
                values += _numbers(own.astype(np.float64), step)
            case Category():
                values.append([shorten(step.column, LONGEST_NAME), _category(own, step)])
            case Text():
                texts.append(_words(own, step))
    text = {"text": shorten(" ".join(texts), MOST_CHARACTERS)} if texts else {}
    return text | (_first(values) if values else {})


def _numbers(own: NDArray[np.float64], step: Numbers) -> list[list[Any]]:
    count = len(step.columns)
    raw = own[:count] * np.sqrt(step.variance) + np.asarray(step.mean)
    if step.log:
        raw = np.expm1(raw)
    missing = {step.flags[place] for place in np.flatnonzero(own[count:])}
    return [
        [shorten(name, LONGEST_NAME), None if index in missing else float(f"{raw[index]:.5g}")]
        for index, name in enumerate(step.columns)
    ]


def _category(own: NDArray[Any], step: Category) -> str | None:
    """The category; None for one that was not among those to learn from."""
    place = int(own[0]) if step.encode == "index" else int(own.argmax())
    return shorten(step.vocabulary[place - 1], LONGEST_NAME) if 0 < place <= len(step.vocabulary) else None


def _words(own: NDArray[Any], step: Text) -> str:
    """The words that the model sees; of those outside the vocabulary it sees only that they are there."""
    if step.settings.output_mode != "int":  # a bag: 0 is for unknown words, and there is no padding
        return ", ".join(["[UNK]", *step.vocabulary][place] for place in np.flatnonzero(own))
    known = ["", "[UNK]", *step.vocabulary]
    return " ".join(known[number] for number in own.tolist() if 0 < number < len(known))


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether an example of this shape is shown as a picture."""
    if not is_image_shape(shape):
        return False
    low, high = sorted(shape[:2])
    return low >= LEAST_SIDE and high <= MOST_STRETCHED * low


def encode_picture(pixels: NDArray[Any], divisor: float | None) -> str:
    """A picture as PNG in Base64, of at most 64 pixels a side.

    Args:
        pixels: Of shape (height, width), (height, width, 1) or (height, width, 3).
        divisor: ``pixels / divisor`` lies in [0, 1]; None: they are stretched to it if they do not.
    """
    from PIL import Image

    values = np.nan_to_num(np.asarray(pixels, np.float32) / (divisor or 1), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        values = (values - low) / ((high - low) or 1)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    picture = Image.fromarray(np.rint(values * 255).astype(np.uint8))
    if max(picture.size) > MOST_SIDE:
        picture.thumbnail((MOST_SIDE, MOST_SIDE))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()
