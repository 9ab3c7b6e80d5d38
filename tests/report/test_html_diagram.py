"""The diagram of a model on a page: every layer a box, every connection a line, what is repeated drawn once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pages import LAYERS, Element, read_page

from nnrun.report.folding import read_layers
from nnrun.report.html_blocks import fold_blocks
from nnrun.report.html_diagram import MOST_DRAWN, draw_diagram


def layer(name: str, *inputs: str, kind: str = "Dense", parameters: int = 72) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "output_shape": "(batch, 8)",
        "parameters": parameters,
        "inputs": list(inputs),
    }


def chain(count: int) -> list[dict[str, Any]]:
    """Layers of which no two look the same."""
    return [layer(f"l{at}", *([f"l{at - 1}"] if at else []), parameters=at) for at in range(count)]


def residual(blocks: int) -> list[dict[str, Any]]:
    """Blocks of three layers, and a connection around each."""
    layers, last = [layer("input", kind="InputLayer", parameters=0)], "input"
    for at in range(blocks):
        layers += [
            layer(f"a{at}", last),
            layer(f"b{at}", f"a{at}", kind="ReLU", parameters=0),
            layer(f"c{at}", last, f"b{at}", kind="Add", parameters=0),
        ]
        last = f"c{at}"
    return [*layers, layer("out", last, parameters=9)]


def drawn(layers: list[dict[str, Any]]) -> Element:
    made = draw_diagram(layers)
    assert made is not None
    return read_page(made)


def test_diagram_has_a_box_for_each_layer_and_a_line_for_each_connection() -> None:
    made = drawn(LAYERS)

    assert len(made.all("rect", "box")) == 4
    assert len(made.all("path", "edge")) == len(made.all("path", "head")) == 4  # one goes around a layer
    texts = [one.text for one in made.all("text")]
    assert texts == [
        "InputLayer input", "(batch, 8)", "Dense dense", "(batch, 8)  ·  72", "Add add", "(batch, 8)",
        "Dense out", "(batch, 3)  ·  27",
    ]  # fmt: skip
    assert [one.classes[1] for one in made.all("rect", "box")] == ["k0", "k1", "k5", "k1"]


def test_diagram_draws_a_connection_around_a_box_beside_it() -> None:
    made = drawn(LAYERS)

    boxes = [
        {name: float(one.attributes[name] or 0) for name in ("x", "y", "width", "height")}
        for one in made.all("rect", "box")
    ]
    tops = [box["y"] for box in boxes]
    assert tops == sorted(tops)
    assert len(set(tops)) == 4
    right = boxes[1]["x"] + boxes[1]["width"]
    ways = [
        [float(one) for one in way.replace("C", " ").replace("L", " ").replace("M", " ").split()[::2]]
        for way in (one.attributes["d"] or "" for one in made.all("path", "edge"))
    ]
    assert sum(max(way) > right or min(way) < boxes[1]["x"] for way in ways) == 1
    width = float((made.all("svg")[0].attributes["width"]) or 0)
    assert all(0 <= x <= width for way in ways for x in way)


def test_residual_blocks_are_drawn_once_with_their_number() -> None:
    made = drawn(residual(5))

    assert [one.text for one in made.all("g")] == ["5 times"]
    assert len(made.all("rect", "box")) == 5
    assert len(made.all("path", "edge")) == 5


def test_folded_blocks_stay_connected_to_what_follows() -> None:
    kept, runs = fold_blocks(read_layers(residual(4)))

    assert [(one.first, one.length, one.times) for one in runs] == [(1, 3, 4)]
    assert [(one.name, one.inputs) for one in kept] == [
        ("input", ()),
        ("a0", ("input",)),
        ("b0", ("a0",)),
        ("c0", ("input", "b0")),
        ("out", ("c0",)),
    ]


@pytest.mark.parametrize(
    "layers",
    [
        chain(12),
        residual(1),
        [
            *residual(2)[:4],
            *[one | {"parameters": one["parameters"] + 1} for one in residual(2)[4:]],
        ],  # other sizes
        [
            layer("a"),
            layer("b", "a"),
            layer("c", "a"),
            layer("d", "b"),
            layer("e", "c"),
            layer("f", "d", "e"),
        ],
    ],
    ids=["chain", "one block", "unlike blocks", "branches"],
)
def test_what_is_not_repeated_is_not_folded(layers: list[dict[str, Any]]) -> None:
    known = read_layers(layers)

    assert fold_blocks(known) == (known, [])


def test_blocks_wired_in_another_way_are_not_folded() -> None:
    layers = residual(2)[:-1]
    layers += [
        layer("a9", "c1"),
        layer("b9", "c1", kind="ReLU", parameters=0),
        layer("c9", "a9", "b9", kind="Add", parameters=0),
    ]

    _, runs = fold_blocks(read_layers(layers))

    assert [(one.length, one.times) for one in runs] == []


def test_equal_layers_in_a_row_are_folded() -> None:
    layers = [layer("first", parameters=1)]
    for at in range(20):
        layers.append(layer(f"d{at}", layers[-1]["name"]))

    made = drawn(layers)

    assert [one.text for one in made.all("g")] == ["20 times"]
    assert len(made.all("rect", "box")) == 2


def test_circle_is_drawn() -> None:
    layers = [layer("a", "c"), layer("b", "a"), layer("c", "b")]

    assert len(drawn(layers).all("path", "edge")) == 3


def test_two_inputs_are_drawn_beside_each_other() -> None:
    made = drawn([layer("a"), layer("b"), layer("c", "a", "b", kind="Concatenate")])

    first, second, joined = made.all("rect", "box")
    assert first.attributes["y"] == second.attributes["y"]
    assert float(joined.attributes["y"] or 0) > float(first.attributes["y"] or 0)
    assert first.attributes["x"] != second.attributes["x"]


def test_long_names_stay_in_their_boxes() -> None:
    made = drawn([layer("x" * 500, kind="K" * 500) | {"output_shape": "(" + "1, " * 200 + ")"}])

    assert all(len(one.text) < 60 for one in made.all("text"))
    assert float(made.all("svg")[0].attributes["width"] or 0) < 400


def test_too_many_layers_are_not_drawn() -> None:
    assert draw_diagram(chain(MOST_DRAWN)) is not None
    assert draw_diagram(chain(MOST_DRAWN + 1)) is None


def test_widely_branched_network_is_drawn_in_a_moment() -> None:
    layers = [layer("l0", parameters=1)]
    for at in range(1, MOST_DRAWN):
        layers.append(layer(f"l{at}", *(f"l{near}" for near in range(max(0, at - 4), at)), parameters=at))

    begun = time.perf_counter()
    made = drawn(layers)

    assert len(made.all("rect", "box")) == MOST_DRAWN
    assert time.perf_counter() - begun < 5  # about 0.7


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [{}],
        [layer("a", "nowhere")],
        [layer("a"), layer("a")],
        [{"name": "a", "type": "Dense"}],
        [layer("a") | {"inputs": "b"}],
    ],
)
def test_damaged_layers_are_not_drawn(layers: list[dict[str, Any]]) -> None:
    assert draw_diagram(layers) is None
