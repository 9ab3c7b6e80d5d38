"""The diagram of a model shows every layer and every connection, and folds what is repeated."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nnrun.errors import DataError
from nnrun.report.diagram import draw_diagram
from nnrun.report.folding import Run, fold, read_layers
from nnrun.report.layout import lay_out
from nnrun.report.pictures import MOST_PIXELS, picture_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plain = dict[str, Any]


def layer(
    name: str, *inputs: str, kind: str = "Dense", shape: Any = (None, 8), parameters: int = 72
) -> Plain:
    return {
        "name": name,
        "type": kind,
        "output_shape": shape,
        "parameters": parameters,
        "inputs": list(inputs),
    }


def chain(count: int, **changes: Any) -> list[Plain]:
    names = [f"layer_{index}" for index in range(count)]
    first = layer(names[0], kind="InputLayer", parameters=0)
    return [first, *(layer(after, before, **changes) for before, after in itertools.pairwise(names))]


def residual() -> list[Plain]:
    """A skip past two layers: input, a, b, sum of b and input, end."""
    return [
        layer("input", kind="InputLayer", parameters=0),
        layer("a", "input"),
        layer("b", "a", kind="ReLU", parameters=0),
        layer("sum", "b", "input", kind="Add", parameters=0),
        layer("end", "sum", parameters=9),
    ]


def texts(figure: Figure) -> list[str]:
    root = ElementTree.fromstring(picture_bytes(figure, "svg"))
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_diagram_has_every_layer_with_its_shape_and_parameters() -> None:
    said = texts(draw_diagram(residual(), "a <model> of $math$"))

    assert "a <model> of $math$: 5 layers, 81 parameters" in said
    for plain in residual():
        assert f"{plain['type']}   {plain['name']}" in said
    assert "(batch, 8)   72" in said and "(batch, 8)" in said and "(batch, 8)   9" in said


def test_diagram_has_an_arrow_for_every_connection() -> None:
    from matplotlib.patches import PathPatch

    lines = [one for one in draw_diagram(residual()).axes[0].patches if isinstance(one, PathPatch)]

    assert len(lines) == 5


def test_diagram_drawn_twice_is_the_same() -> None:
    for kind in ("png", "svg"):
        assert picture_bytes(draw_diagram(residual()), kind) == picture_bytes(draw_diagram(residual()), kind)


def test_hundred_equal_layers_are_folded_into_one() -> None:
    figure = draw_diagram(chain(101))
    said = texts(figure)

    assert "Model: 101 layers, 7,200 parameters" in said
    assert "100 times" in said
    assert "Dense   layer_1" in said and "Dense   layer_2" not in said
    assert figure.get_figheight() < 4


def test_hundred_different_layers_all_stand_there() -> None:
    plain = [one | {"parameters": index} for index, one in enumerate(chain(100))]
    figure = draw_diagram(plain)

    assert sum(text.startswith("Dense   layer_") for text in texts(figure)) == 99
    assert figure.get_size_inches()[0] == 8


def test_layers_of_all_kinds_fit_into_a_picture_however_many() -> None:
    plain = [one | {"parameters": index} for index, one in enumerate(chain(500))]
    content = picture_bytes(draw_diagram(plain))

    assert int.from_bytes(content[20:24], "big") <= MOST_PIXELS


def test_repeated_pairs_are_folded_and_what_follows_is_connected() -> None:
    pairs = [
        layer(f"{kind}_{index}", kind=kind, parameters=number)
        for index in range(10)
        for kind, number in (("Dense", 72), ("ReLU", 0))
    ]
    plain = [layer("input", kind="InputLayer"), *pairs, layer("end", parameters=9)]
    for before, after in itertools.pairwise(plain):
        after["inputs"] = [before["name"]]
    drawn, runs = fold(read_layers(plain))

    assert runs == [Run(first=1, length=2, times=10)]
    assert [(one.name, one.inputs) for one in drawn] == [
        ("input", ()),
        ("Dense_0", ("input",)),
        ("ReLU_0", ("Dense_0",)),
        ("end", ("ReLU_0",)),
    ]


def test_repeated_layers_that_others_take_are_not_folded() -> None:
    plain = [*chain(9), layer("sum", "layer_8", "layer_4", kind="Add")]
    drawn, runs = fold(read_layers(plain))

    assert len(drawn) == len(plain) and runs == []


def test_few_repeated_layers_are_not_folded() -> None:
    assert fold(read_layers(chain(4)))[1] == []
    assert fold(read_layers(chain(6)))[1] == [Run(1, 1, 5)]


def test_layers_are_sorted_behind_their_inputs() -> None:
    assert [one.name for one in read_layers(residual()[::-1])] == ["input", "a", "b", "sum", "end"]


def test_layer_that_is_used_twice_is_drawn_with_its_circle() -> None:
    plain = [layer("input"), layer("shared", "input", "relu"), layer("relu", "shared", kind="ReLU")]

    assert [one.name for one in read_layers(plain)] == ["input", "shared", "relu"]
    assert "ReLU   relu" in texts(draw_diagram(plain))


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ([], "expected layers of different names; found 0 names of 0 layers"),
        ([layer("a"), layer("a")], "found 1 names of 2 layers"),
        ([layer("a", "b")], "layer a: there is no layer b, which it takes as its input"),
    ],
)
def test_layers_that_make_no_model_are_refused(plain: list[Plain], message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_diagram(plain)


def test_odd_names_stand_in_the_diagram_as_they_are() -> None:
    names = ["$x_1$ <b>", "分类", "اسم", "\x1b[31m", "a" * 200]
    said = " ".join(texts(draw_diagram([layer(name) for name in names])))

    assert "$x_1$ <b>" in said and "分类" in said and "\\x1b[31m" in said and "aaa...aaa" in said


def boxes_of(count: int, edges: list[tuple[int, int]]) -> Any:
    return lay_out(count, edges, width=2.0, gap=0.5, lane=0.3)


def test_layout_puts_every_layer_below_its_inputs() -> None:
    found = boxes_of(5, [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)])

    assert found.rank_of[:5] == [0, 1, 2, 3, 4]
    assert [found.rank_of[point] for point in found.paths[0, 3]] == [0, 1, 2, 3]


def test_layout_of_a_skip_is_straight_and_beside_the_boxes() -> None:
    found = boxes_of(5, [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)])
    boxes = found.x[:5]
    lane = found.x[found.paths[0, 3][1:-1]]

    np.testing.assert_allclose(boxes, boxes[0], atol=0.02)
    np.testing.assert_allclose(lane, lane[0], atol=0.02)
    assert abs(lane[0] - boxes[0]) >= 1.0


def test_layout_puts_a_late_input_right_above_what_takes_it() -> None:
    found = boxes_of(5, [(0, 1), (1, 2), (2, 4), (3, 4)])

    assert found.rank_of[3] == found.rank_of[4] - 1


@pytest.mark.parametrize("seed", range(20))
def test_layout_of_any_graph_keeps_boxes_apart(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 40))
    edges = sorted(
        {
            (int(generator.integers(0, end)), end)
            for end in range(1, count)
            for _ in range(generator.integers(1, 4))
        }
    )
    found = boxes_of(count, edges)

    for start, end in edges:
        assert found.rank_of[start] < found.rank_of[end]
    for rank in found.ranks:
        half = [1.0 if point < count else 0.0 for point in rank]
        for (left, near), (right, far) in itertools.pairwise(zip(found.x[rank], half, strict=True)):
            assert right - left >= near + far + 0.1


def test_layout_of_nested_skips_is_straight_with_the_outer_ones_outside() -> None:
    """The shape of a U-Net: three skips around each other."""
    found = boxes_of(8, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (2, 5), (1, 6), (0, 7)])
    lanes = [found.x[found.paths[edge][1:-1]] for edge in ((2, 5), (1, 6), (0, 7))]

    for lane in lanes:
        np.testing.assert_allclose(lane, lane[0], atol=0.02)
    assert (
        1.0 <= abs(lanes[0][0] - found.x[3]) < abs(lanes[1][0] - found.x[3]) < abs(lanes[2][0] - found.x[3])
    )


def test_layout_crosses_no_edges_that_need_not_cross() -> None:
    """Two chains whose layers come in turn, the other way round in every second rank."""
    found = boxes_of(7, [(0, 3), (1, 2), (2, 4), (3, 5), (4, 6), (5, 6)])

    assert (found.x[0] < found.x[1]) == (found.x[3] < found.x[2]) == (found.x[5] < found.x[4])


@pytest.mark.tensorflow
def test_layers_of_a_keras_model_are_all_its_connections() -> None:
    from nnrun.keras_backend import load_keras
    from nnrun.model.summary import layers_of

    keras = load_keras()
    start = keras.Input((4,), name="start")
    shared = keras.layers.Dense(4, name="shared")
    left, right = shared(start), shared(keras.layers.ReLU(name="relu")(start))
    both = keras.layers.Add(name="sum")([left, right])
    shared(keras.layers.ReLU(name="elsewhere")(start))
    found = layers_of(keras.Model(start, both))

    assert {one["name"]: one["inputs"] for one in found} == {
        "start": [],
        "relu": ["start"],
        "shared": ["start", "relu"],
        "sum": ["shared"],
    }
    assert [one for one in found if one["name"] == "shared"] == [
        {
            "name": "shared",
            "type": "Dense",
            "output_shape": "(batch, 4)",
            "parameters": 20,
            "inputs": ["start", "relu"],
        }
    ]
    assert "Add   sum" in texts(draw_diagram(found))


@pytest.mark.tensorflow
def test_layers_of_a_sequential_model_begin_with_its_input() -> None:
    from nnrun.keras_backend import load_keras
    from nnrun.model.summary import layers_of

    keras = load_keras()
    model = keras.Sequential(
        [
            keras.Input((3,), name="start"),
            keras.layers.Dense(2, name="one"),
            keras.layers.Dense(1, name="two"),
        ]
    )

    assert [(one["name"], one["inputs"], one["parameters"]) for one in layers_of(model)] == [
        ("start", [], 0),
        ("one", ["start"], 8),
        ("two", ["one"], 3),
    ]
