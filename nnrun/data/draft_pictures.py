"""A network for pictures: convolutions, and changes of the pictures that leave their meaning as it is."""

from __future__ import annotations

import math

from nnrun.data.draft_lines import Line
from nnrun.data.draft_network import Size

GLYPHS = 32
"""Pictures up to this size, or without colours, may be signs: a mirrored one is another one."""

SMALLEST_MAP = 4
ACTIVATION = "activation: relu, kernel_initializer: he_normal"
FILTERS = (16, 32, 64, 128)
FEW_PICTURES = 2_000

FEW = Size(FEW_PICTURES, (64,), 0.3, 0.002, 32, 100, 20)
MANY = Size(math.inf, (64,), 0.3, 0.001, 64, 40, 5)


def picture_size(examples: int) -> Size:
    """How pictures are trained on."""
    return FEW if examples < FEW_PICTURES else MANY


def picture_layers(shape: tuple[int, ...], examples: int) -> list[Line]:
    """The layers between pictures and the output.

    Args:
        shape: Height, width and channels; without channels the pictures have one.
        examples: To learn from.
    """
    height, width, channels = (*shape, 1)[:3]
    small = min(height, width)
    blocks = max(1, min(len(FILTERS), int(math.log2(max(small, 2 * SMALLEST_MAP) / SMALLEST_MAP))))
    lines = []
    if len(shape) == 2:
        lines.append(
            Line(f"- Reshape: {{target_shape: [{height}, {width}, 1]}}", "convolutions expect channels")
        )
    lines += _augmentation(is_sign=max(height, width) <= GLYPHS or channels == 1, examples=examples)
    why = "Finds small patterns anywhere in the picture; the later layers find larger ones made of them. "
    why += "relu lets it bend what it learns; he_normal is the start that suits relu."
    for index, filters in enumerate(FILTERS[:blocks]):
        code = f"- Conv2D: {{filters: {filters}, kernel_size: 3, padding: same, {ACTIVATION}}}"
        lines.append(Line(code, "" if index else why, above=True))
        lines.append(
            Line("- MaxPooling2D", "" if index else "halves height and width: the strongest of four counts")
        )
    lines.append(Line("- Flatten", "all patterns with their places as one row of numbers"))
    lines.append(Line("- Dropout: {rate: 0.3}", "leaves out some at random, against learning by heart"))
    lines.append(Line(f"- Dense: {{units: 64, {ACTIVATION}}}"))
    return lines


def _augmentation(*, is_sign: bool, examples: int) -> list[Line]:
    """Layers that change pictures at random while training."""
    if examples >= 10 * FEW_PICTURES:
        return []  # there are enough different ones
    why = (
        "In training each picture is changed a little every time, so that the model sees more than there are."
    )
    if is_sign:
        why += " They are not mirrored: a mirrored sign may be another one."
        code = "- RandomTranslation: {height_factor: 0.1, width_factor: 0.1, fill_mode: nearest}"
        return [Line(code, why, above=True)]
    why += " Remove RandomFlip where left and right matter."
    return [
        Line("- RandomFlip: {mode: horizontal}", why, above=True),
        Line("- RandomRotation: {factor: 0.05}"),
        Line("- RandomZoom: {height_factor: 0.1}"),
    ]
