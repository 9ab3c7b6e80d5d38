"""Single examples on a page: what the model sees, what it says, and whether that is right."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.report.html_reading import Map, maps_in
from nnrun.report.page import NOTHING, Markup, element, figure, measured, table
from nnrun.spec.names import shorten
from nnrun.store.values import count_of, map_at, number_of

MOST_SHOWN = 12
MOST_INPUTS = 4
MOST_BARS = 6
MOST_VALUES = 8
MOST_COLUMNS = 6
LONGEST_NAME = 40
LONGEST_TEXT = 300

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
MOST_PICTURE_CHARACTERS = 40_000
MOST_PICTURE_SIDE = 256
SIDE = 96
"""Pixels on the screen; a smaller picture is enlarged by a whole factor."""

SMALL = 48
"""Pixels up to which a picture's pixels are shown as squares."""


def draw_samples(samples: Map, part: str) -> list[Markup]:
    """Examples at equal distances, and those on which the model was wrong most.

    Args:
        samples: As ``evaluation.pick_samples`` keeps them.
        part: What the examples are called.
    """
    if copies := maps_in(samples, "copies")[:MOST_SHOWN]:
        return [_copies(copies, part)]
    classes = samples.get("classes")
    spread, worst = maps_in(samples, "spread")[:MOST_SHOWN], maps_in(samples, "worst")[:MOST_SHOWN]
    if not isinstance(classes, list):
        parts = (("Examples", spread), ("Where it is furthest off", worst))
        return [_numbers_table(title, shown) for title, shown in parts if shown]
    names = [shorten(str(name), LONGEST_NAME) for name in classes]
    groups = (
        (
            "What it says of examples",
            f"{len(spread)} {part} examples at equal distances; nobody picked them.",
            spread,
        ),
        ("Mistakes of which it was surest", "What it was wrong about, the surest first.", worst),
    )
    return [
        element("div", element("h3", title), element("p", remark, class_="quiet"),
                element("ul", *(_card(sample, names) for sample in shown), class_="samples"))
        for title, remark, shown in groups
        if shown
    ]  # fmt: skip


def _copies(copies: Sequence[Map], part: str) -> Markup:
    """Pictures beside what an autoencoder made of them."""
    pairs = []
    for sample in copies:
        number = _number(sample)
        given = _picture(sample.get("given"), f"example {number}, as it is given")
        said = _picture(sample.get("said"), f"example {number}, as the model gives it back")
        if given and said:
            label = element("span", f"no. {number}", class_="quiet number")
            pairs.append(
                element("li", element("div", given, said, class_="pair"), label, class_="sample copy")
            )
    remark = f"{len(pairs)} {part} examples at equal distances: left what is given, right what the model gives back."
    return element("div", element("h3", "What it gives back"), element("p", remark, class_="quiet"),
                   element("ul", *pairs, class_="samples copies"))  # fmt: skip


def _card(sample: Map, names: Sequence[str]) -> Markup:
    """An example with its bars; a sign and words say whether it is right, not the colour alone."""
    target, predicted = count_of(sample.get("target")), count_of(sample.get("predicted"))
    is_right = target == predicted
    verdict = [element("span", "✓" if is_right else "✗", class_="sign", aria_hidden="true"), " "]
    if is_right:
        verdict += [element("span", "right: ", class_="unseen"), element("strong", _name(names, target))]
    else:
        verdict += [element("span", "wrong: ", class_="unseen"), "said ", element("strong", _name(names, predicted)),
                    ", is ", element("strong", _name(names, target))]  # fmt: skip
    words = f"example {_number(sample)}, {_name(names, target)}"
    shown = element("div", *_inputs(map_at(sample, "inputs"), words), class_="shown")
    bars = element("dl", *_bars(sample.get("probabilities"), names, target, predicted), class_="bars")
    number = element("span", f"no. {_number(sample)}", class_="quiet number")
    said = element("p", element("span", *verdict), number, class_="verdict")
    return element("li", said, shown, bars,
                   class_=f"sample {'right' if is_right else 'wrong'}")  # fmt: skip


def _number(sample: Map) -> str:
    return figure(count_of(sample.get("example")))


def _name(names: Sequence[str], index: int | None) -> str:
    return names[index] if index is not None and 0 <= index < len(names) else NOTHING


def _bars(values: Any, names: Sequence[str], target: int | None, predicted: int | None) -> Iterator[Markup]:
    """The most probable classes; the true one has a tick, one that was said wrongly a cross."""
    for pair in values[:MOST_BARS] if isinstance(values, list) else []:
        known = pair if isinstance(pair, list) and len(pair) == 2 else [None, None]
        of_class, chance = count_of(known[0]), number_of(known[1])
        if of_class is None or chance is None or not 0 <= chance <= 1:
            continue
        kind = "true" if of_class == target else "said" if of_class == predicted else None
        sign = {"true": " ✓", "said": " ✗"}.get(kind or "", "")
        bar = element("svg", element("rect", width=f"{100 * chance:.1f}", height=8), viewBox="0 0 100 8",
                      preserveAspectRatio="none", aria_hidden="true")  # fmt: skip
        label = element(
            "dt", _name(names, of_class), element("span", sign, aria_hidden="true") if sign else None
        )
        yield element("div", label, element("dd", bar, element("span", _share(chance))), class_=kind)


def _share(chance: float) -> str:
    """``97.2 %``; never 0 or 100 where it is not."""
    if chance in (0, 1):
        return f"{100 * chance:.0f} %"
    if 0 < chance < 0.001:
        return "< 0.1 %"
    if 0.999 < chance < 1:
        return "> 99.9 %"
    return f"{100 * chance:.1f} %"


def _inputs(inputs: Map, words: str) -> Iterator[Markup]:
    for value in list(inputs.values())[:MOST_INPUTS]:
        if not isinstance(value, dict):
            continue
        if made := _picture(value.get("picture"), words):
            yield made
        if isinstance(value.get("text"), str):
            yield element("blockquote", shorten(value["text"], LONGEST_TEXT))
        pairs = _pairs(value)
        if pairs:
            rows = [(element("dt", name), element("dd", _plain(said))) for name, said in pairs[:MOST_VALUES]]
            more = len(pairs[MOST_VALUES:]) + (count_of(value.get("more")) or 0)
            yield element("dl", *(element("div", *row) for row in rows), class_="values")
            if more > 0:
                yield element("p", f"and {more:,} more", class_="quiet")


def _plain(value: Any) -> str:
    """A value of the data, with no digits that are not its own."""
    number = number_of(value)
    return figure(value) if number is None else f"{number:,.6g}"


def _pairs(value: Map) -> list[tuple[str, Any]]:
    """Names and values of an example: numbers and texts only."""
    values = value.get("values")
    pairs = (
        [pair for pair in values if isinstance(pair, list) and len(pair) == 2]
        if isinstance(values, list)
        else []
    )
    return [
        (
            shorten(str(name), LONGEST_NAME),
            said if number_of(said) is not None else shorten(str(said), LONGEST_NAME),
        )
        if said is not None
        else (shorten(str(name), LONGEST_NAME), None)
        for name, said in pairs
    ]


def _picture(value: Any, words: str) -> Markup | None:
    """A picture; None where there is none, or one that nnrun does not write."""
    size = _size_of_png(value)
    if size is None:
        return None
    factor = max(1, SIDE // max(size))
    return element(
        "img",
        src=f"data:image/png;base64,{value}",
        width=size[0] * factor,
        height=size[1] * factor,
        alt=words,
        class_="pixels" if max(size) <= SMALL else None,
    )


def _size_of_png(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, str) or len(value) > MOST_PICTURE_CHARACTERS:
        return None
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(PNG) or len(content) < len(PNG) + 8:
        return None
    width, height = struct.unpack_from(">II", content, len(PNG))
    is_small = 0 < width <= MOST_PICTURE_SIDE and 0 < height <= MOST_PICTURE_SIDE
    return (width, height) if is_small else None


def _numbers_table(title: str, samples: Sequence[Map]) -> Markup:
    """A row for each example: true and predicted numbers, their difference, and what the model sees."""
    pictures = [_first_picture(sample) for sample in samples]
    rows = [_numbers_row(sample, picture) for sample, picture in zip(samples, pictures, strict=True)]
    columns = [name for name, _ in _values(samples[0])]
    head = ["no.", "true", "predicted", "difference", *(["picture"] if any(pictures) else []), *columns]
    wide = [row if any(pictures) else [*row[:4], *row[5:]] for row in rows]
    return table(title, head, wide, sortable=not any(pictures))


def _numbers_row(sample: Map, picture: Markup | None) -> list[Any]:
    target, predicted = _floats(sample.get("target")), _floats(sample.get("predicted"))
    values = [
        measured(number) if (number := number_of(value)) is not None else value
        for _, value in _values(sample)
    ]
    first: list[Any] = [count_of(sample.get("example"))]
    if len(target) == len(predicted) == 1:
        first += [measured(target[0]), measured(predicted[0]), measured(target[0] - predicted[0])]
    else:
        first += [", ".join(f"{one:,.6g}" for one in values) for values in (target, predicted)]
        first.append(None)
    return [*first, element("td", picture), *values]


def _floats(values: Any) -> list[float]:
    items = values if isinstance(values, list) else [values]
    return [number for value in items if (number := number_of(value)) is not None]


def _values(sample: Map) -> list[tuple[str, Any]]:
    shown = [value for value in map_at(sample, "inputs").values() if isinstance(value, dict)]
    return [pair for value in shown[:MOST_INPUTS] for pair in _pairs(value)][:MOST_COLUMNS]


def _first_picture(sample: Map) -> Markup | None:
    shown = [value for value in map_at(sample, "inputs").values() if isinstance(value, dict)]
    made = [_picture(value.get("picture"), f"example {_number(sample)}") for value in shown[:MOST_INPUTS]]
    return next((picture for picture in made if picture), None)
