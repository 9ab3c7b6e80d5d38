"""Pictures of examples beside what a classifier says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError
from nnrun.report.answers import Answers
from nnrun.report.pictures import FAINT, GREY, HEAD, RED, WIDTH, fit, new_figure, say, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
MOST_EXAMPLES = 60
MOST_BARS = 5
CELL = 1.45  # inches: the height of an example with its caption
SIDE = 1.05  # inches: of an image
PALE_GREEN, PALE_RED = "#7CCBAE", "#F0A070"
"""Of bars: names stand on them."""

DARK_GREEN = "#00704F"


@styled()
def draw_predictions(
    images: NDArray[Any],
    answers: Answers,
    indices: Sequence[int] | None = None,
    title: str = "Predictions",
) -> Figure:
    """Draw images, each with its most probable classes: green is the true class, red what it was mistaken for.

    Args:
        images: Of all examples of ``answers``, of shape (n, height, width), (n, height, width, 1) or (n, height,
            width, 3): uint8, or floats from 0 to 1. Floats in another range are stretched, each image by itself.
        answers: What the classifier says of them.
        indices: Which to draw, at most 60; None: the first 15.
        title: Stands over it.

    Raises:
        DataError: The images are of another shape, or not as many as the answers.
    """
    if len(images) != len(answers) or not is_image_shape(np.shape(images)[1:]):
        raise DataError(
            f"expected {len(answers)} images of shape (height, width), (height, width, 1) or (height, width, 3); "
            f"found an array of shape {np.shape(images)}"
        )
    chosen = list(range(min(15, len(answers))) if indices is None else indices)[:MOST_EXAMPLES]
    lines = max(1, math.ceil(len(chosen) / COLUMNS))
    figure = new_figure(HEAD + lines * CELL + 0.1, title=title, arranged=False)
    if not chosen:
        say(figure.add_axes((0, 0, 1, 0.6)), "there are no such examples")
    height, cell = figure.get_figheight(), WIDTH / COLUMNS
    for place, index in enumerate(chosen):
        line, column = divmod(place, COLUMNS)
        x, y = column * cell + 0.15, height - HEAD - (line + 1) * CELL + 0.1
        picture = figure.add_axes((x / WIDTH, y / height, SIDE / WIDTH, SIDE / height))
        _draw_image(picture, images[index])
        bars = ((x + SIDE + 0.08) / WIDTH, y / height, (cell - SIDE - 0.33) / WIDTH, SIDE / height)
        _draw_bars(figure.add_axes(bars), answers, index)
        caption, colour = _caption(answers, index, cell - 0.3)
        figure.text(x / WIDTH, (y + SIDE + 0.06) / height, caption, color=colour, fontsize=9)
    return figure


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Whether examples of this shape can be drawn as images."""
    is_flat = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    return is_flat and min(shape) > 0


def _draw_image(axes: Axes, image: NDArray[Any]) -> None:
    axes.set_axis_off()
    pixels = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
    if np.asarray(image).dtype.kind != "f":
        pixels = pixels / 255
    if pixels.min() < 0 or pixels.max() > 1:
        pixels = (pixels - pixels.min()) / (np.ptp(pixels) or 1)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _draw_bars(axes: Axes, answers: Answers, index: int) -> None:
    chances = answers.probabilities[index]
    target, predicted = int(answers.targets[index]), int(answers.predicted[index])
    top = [int(of_class) for of_class in np.argsort(-chances, kind="stable")[:MOST_BARS]]
    if target not in top:
        top[-1] = target
    colours = {predicted: PALE_RED, target: PALE_GREEN}
    axes.barh(range(len(top)), 1, color="#F4F4F4", height=0.8)
    axes.barh(range(len(top)), chances[top], color=[colours.get(one, FAINT) for one in top], height=0.8)
    for place, of_class in enumerate(top):
        weight = "bold" if of_class == target else "normal"
        name = fit(answers.class_names[of_class], 0.8, 7.5)
        axes.text(0.03, place, name, va="center", fontsize=7.5, weight=weight, color="#111111")
        axes.text(0.98, place, f"{chances[of_class]:.0%}", ha="right", va="center", fontsize=7.5, color=GREY)
    axes.set(xlim=(0, 1), ylim=(MOST_BARS - 0.5, -0.5))
    axes.set_axis_off()


def _caption(answers: Answers, index: int, room: float) -> tuple[str, str]:
    """What was predicted, how surely, and what it is: ``Shirt 98 % (Coat)``; green where it is right."""
    target, predicted = int(answers.targets[index]), int(answers.predicted[index])
    share = f" {answers.confidence[index]:.0%} "
    room -= 0.5  # for the share
    if target == predicted:
        return fit(answers.class_names[predicted], room, 9) + share, DARK_GREEN
    names = [fit(answers.class_names[of_class], (room - 0.15) / 2, 9) for of_class in (predicted, target)]
    return f"{names[0]}{share}({names[1]})", RED
