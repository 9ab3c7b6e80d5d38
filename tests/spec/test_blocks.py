"""Blocks are laid out where they are used; the problems of wrong ones stand in tests/specs/bad/blocks_*.yaml."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from nnrun.errors import SpecError
from nnrun.spec.load import Loaded, dump_spec, load_spec, origins
from nnrun.spec.node import path_text

RESIDUAL = """
    residual:
      defaults: {kernel_size: 3, strides: 1}
      layers:
        - Conv2D: {filters: $filters, kernel_size: $kernel_size, strides: $strides, padding: same, name: conv}
        - ReLU
        - Conv2D: {filters: $filters, kernel_size: $kernel_size, padding: same, name: again}
        - Add: {inputs: [input, again]}
"""
HIDDEN = """
    hidden:
      layers:
        - Dense: {units: $units, name: dense}
        - ReLU
"""


def load(folder: Path, blocks: str, layers: str, *overrides: str, model: str = "") -> Loaded:
    """A specification with these blocks; the layers stand between Flatten and a softmax."""
    path = folder / "spec.yaml"
    path.write_text(
        "data: {source: digits}\n"
        f"model:\n{model}  blocks:{blocks}\n"
        f"  layers:\n    - Flatten: {{name: flat}}\n{layers}"
        "    - Dense: {units: 10, activation: softmax}\n"
        "training: {loss: sparse_categorical_crossentropy}\n"
    )
    return load_spec(path, overrides)


def laid_out(loaded: Loaded) -> list[Any]:
    """The layers between the first and the last one."""
    return [layer.plain() for layer in loaded.model.layers[1:-1]]


def problems(folder: Path, blocks: str, layers: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, blocks, layers, *overrides)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_parameters_stand_in_the_places_of_their_names(tmp_path: Path) -> None:
    loaded = load(tmp_path, RESIDUAL, "    - residual: {filters: 8, strides: 2}\n")

    assert laid_out(loaded) == [
        {
            "Conv2D": {
                "filters": 8,
                "kernel_size": 3,
                "strides": 2,
                "padding": "same",
                "name": "residual_1_conv",
            }
        },
        "ReLU",
        {"Conv2D": {"filters": 8, "kernel_size": 3, "padding": "same", "name": "residual_1_again"}},
        {"Add": {"inputs": ["#0", "residual_1_again"]}},
    ]
    assert [layer.name for layer in loaded.spec.model.layers] == ["Flatten", "residual", "Dense"]


@pytest.mark.parametrize(
    "value", ["3", "0.5", "true", "null", "[1, 2]", "{L2: {l2: 0.01}}", "text", "''", "$other"]
)
def test_parameter_may_be_any_value(value: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        "data: {source: digits}\n"
        "model:\n"
        "  blocks: {one: {layers: [{Mine: {first: $value, second: [$value, {inner: $value}]}}]}}\n"
        f"  layers: [Flatten, {{one: {{value: {value}}}}}, {{Dense: {{units: 10}}}}]\n"
        "training: {loss: mse}\n"
    )
    (tmp_path / "parts.py").write_text(
        "import keras\n"
        "class Mine(keras.layers.Layer):\n"
        "    def __init__(self, first, second): super().__init__()\n"
    )
    found = load_spec(path, (), tmp_path / "parts.py").model.layers[1].arguments
    read = yaml.safe_load(value)

    assert found == {"first": read, "second": [read, {"inner": read}]}


def test_default_serves_where_a_use_gives_nothing_and_null_is_a_value(tmp_path: Path) -> None:
    blocks = "\n    one: {defaults: {kind: relu}, layers: [{Dense: {units: 3, activation: $kind}}]}"

    loaded = load(tmp_path, blocks, "    - one\n    - one: {kind: null}\n    - one:\n")

    assert [layer["Dense"]["activation"] for layer in laid_out(loaded)] == ["relu", None, "relu"]


def test_names_in_a_block_are_its_own_in_each_use(tmp_path: Path) -> None:
    layers = "    - hidden: {units: 3, repeat: 2}\n    - hidden: {units: 4}\n"

    found = laid_out(load(tmp_path, HIDDEN, layers))

    assert found == [
        {"Dense": {"units": 3, "name": "hidden_1_dense"}},
        "ReLU",
        {"Dense": {"units": 3, "name": "hidden_2_dense"}},
        "ReLU",
        {"Dense": {"units": 4, "name": "hidden_3_dense"}},
        "ReLU",
    ]


def test_name_of_a_use_is_that_of_its_last_layer_and_begins_the_others(tmp_path: Path) -> None:
    layers = (
        "    - hidden: {units: 3, name: first}\n"
        "    - hidden: {units: 3, name: second, repeat: 2}\n"
        "    - Add: {inputs: [first, second]}\n"
    )

    assert laid_out(load(tmp_path, HIDDEN, layers)) == [
        {"Dense": {"units": 3, "name": "first_dense"}},
        {"ReLU": {"name": "first"}},
        {"Dense": {"units": 3, "name": "second_1_dense"}},
        "ReLU",
        {"Dense": {"units": 3, "name": "second_2_dense"}},
        {"ReLU": {"name": "second"}},
        {"Add": {"inputs": ["first", "second"]}},
    ]


def test_last_layer_of_a_named_use_gives_its_own_name_up(tmp_path: Path) -> None:
    blocks = "\n    one: {layers: [{Dense: {units: 3, name: a}}, {Dense: {units: 3, name: b, inputs: a}}]}"

    found = laid_out(load(tmp_path, blocks, "    - one: {name: whole}\n"))

    assert found == [
        {"Dense": {"units": 3, "name": "whole_a"}},
        {"Dense": {"units": 3, "name": "whole", "inputs": ["whole_a"]}},
    ]


def test_name_and_inputs_may_be_parameters(tmp_path: Path) -> None:
    blocks = "\n    one: {layers: [{Dense: {units: 3, name: $called}}, {Dense: {units: 3, inputs: $called}}]}"

    found = laid_out(load(tmp_path, blocks, "    - one: {called: x}\n"))

    assert found[0]["Dense"]["name"] == "one_1_x"
    assert found[1]["Dense"]["inputs"] == ["one_1_x"]


def test_input_of_the_first_block_is_the_input_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        "data: {source: xor}\n"
        "model:\n"
        "  blocks:\n"
        "    skip: {layers: [{Dense: {units: 1, name: hidden}}, {Concatenate: {inputs: [input, hidden]}}]}\n"
        "  layers: [skip, {Dense: {units: 1, activation: sigmoid}}]\n"
        "training: {loss: mse}\n"
    )

    assert load_spec(path).model.layers[1].arguments == {"inputs": ["#-1", "skip_1_hidden"]}


def test_inputs_of_a_use_arrive_at_the_first_turn_only(tmp_path: Path) -> None:
    layers = (
        "    - Dense: {units: 3, name: other}\n    - hidden: {units: 3, inputs: flat, repeat: 2, name: last}\n"
        "    - Add: {inputs: [other, last]}\n"
    )
    found = laid_out(load(tmp_path, HIDDEN, layers))

    assert found[1] == {"Dense": {"units": 3, "name": "last_1_dense", "inputs": ["flat"]}}
    assert found[3] == {"Dense": {"units": 3, "name": "last_2_dense"}}


def test_several_inputs_arrive_where_the_block_says_input(tmp_path: Path) -> None:
    blocks = "\n    join: {layers: [{Concatenate: {inputs: input}}, {Dense: {units: 3}}]}"
    first = "\n    join: {layers: [Concatenate, {Dense: {units: 3}}]}"
    layers = "    - Dense: {units: 3, name: a}\n    - join: {inputs: [flat, a]}\n"

    assert laid_out(load(tmp_path, blocks, layers))[1] == {"Concatenate": {"inputs": ["flat", "a"]}}
    assert laid_out(load(tmp_path, first, layers))[1] == {"Concatenate": {"inputs": ["flat", "a"]}}


def test_layer_named_input_in_a_block_is_that_layer(tmp_path: Path) -> None:
    blocks = "\n    one: {layers: [{Dense: {units: 3, name: input}}, {Dense: {units: 3, inputs: input}}]}"

    assert laid_out(load(tmp_path, blocks, "    - one\n"))[1]["Dense"]["inputs"] == ["one_1_input"]


def test_row_of_blocks_without_wires_stays_a_row(tmp_path: Path) -> None:
    loaded = load(tmp_path, HIDDEN, "    - hidden: {units: 3, repeat: 3}\n")

    assert not any("inputs" in layer.arguments for layer in loaded.model.layers)


NESTED = """
    inner: {layers: [{Dense: {units: $units, name: dense}}]}
    outer:
      layers:
        - Dense: {units: 4, name: a}
        - inner: {units: $width, inputs: input, name: b}
        - Concatenate: {inputs: [a, b]}
"""


def test_block_in_a_block_takes_what_it_is_told_not_the_layer_above(tmp_path: Path) -> None:
    assert laid_out(load(tmp_path, NESTED, "    - outer: {width: 5}\n")) == [
        {"Dense": {"units": 4, "name": "outer_1_a"}},
        {"Dense": {"units": 5, "name": "outer_1_b", "inputs": ["#0"]}},
        {"Concatenate": {"inputs": ["outer_1_a", "outer_1_b"]}},
    ]


def test_block_in_a_block_takes_several_inputs(tmp_path: Path) -> None:
    blocks = """
    join: {layers: [Concatenate, {Dense: {units: 3}}]}
    outer: {layers: [{Dense: {units: 4, name: a}}, {join: {inputs: [input, a]}}]}
"""
    found = laid_out(load(tmp_path, blocks, "    - outer\n"))

    assert found[1] == {"Concatenate": {"inputs": ["#0", "outer_1_a"]}}


def test_inputs_of_a_block_reach_the_block_at_its_beginning(tmp_path: Path) -> None:
    blocks = """
    inner: {layers: [{Dense: {units: 3}}]}
    outer: {layers: [inner, ReLU]}
"""
    layers = "    - Dense: {units: 3, name: a}\n    - outer: {inputs: flat, name: b}\n    - Add: {inputs: [a, b]}\n"

    assert laid_out(load(tmp_path, blocks, layers))[1] == {"Dense": {"units": 3, "inputs": ["flat"]}}


def test_repeat_may_be_a_parameter(tmp_path: Path) -> None:
    blocks = HIDDEN + "    outer: {layers: [{hidden: {units: 3, repeat: $times}}]}\n"

    assert len(laid_out(load(tmp_path, blocks, "    - outer: {times: 3}\n"))) == 6


def test_repeat_of_a_named_last_block_names_its_last_layer(tmp_path: Path) -> None:
    blocks = HIDDEN + "    outer: {layers: [Identity, {hidden: {units: 3, repeat: 2}}]}\n"

    found = laid_out(load(tmp_path, blocks, "    - outer: {name: whole}\n"))

    assert [layer if isinstance(layer, str) else next(iter(layer.values()))["name"] for layer in found] == [
        "Identity",
        "whole_1_dense",
        "ReLU",
        "whole_2_dense",
        "whole",
    ]


def test_place_of_a_value_is_where_it_is_written(tmp_path: Path) -> None:
    loaded = load(tmp_path, HIDDEN, "    - hidden: {units: 3}\n")

    inner = loaded.place("model", "layers", 1, "Dense", "units")
    outer = loaded.place("model", "layers", 2, "ReLU")

    assert inner is not None and (inner.line, inner.column) == (11, 23)  # at the use, where the 3 stands
    assert outer is not None and (outer.line, outer.column) == (7, 11)  # in the block


def test_dumped_specification_keeps_its_blocks(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, RESIDUAL + NESTED, "    - outer: {width: 3}\n    - residual: {filters: 3, repeat: 2}\n"
    )
    again = tmp_path / "again.yaml"
    again.write_text(dump_spec(loaded.spec))

    reloaded = load_spec(again)
    assert reloaded.spec.model == loaded.spec.model
    assert reloaded.model == loaded.model
    assert "residual: {filters: 3, repeat: 2}" in again.read_text()
    assert "filters: $filters" in again.read_text()


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("model.blocks.residual.layers.0.Conv2D.filters=3", [3, 8]),
        ("model.blocks.residual.defaults.kernel_size=5", [8, 8]),
        ("model.layers.1.residual.filters=16", [16, 16]),
        ("model.layers[1].residual.repeat=3", [8] * 6),
    ],
)
def test_override_reaches_into_blocks_and_uses(override: str, found: Sequence[int], tmp_path: Path) -> None:
    loaded = load(tmp_path, RESIDUAL, "    - residual: {filters: 8}\n", override)
    filters = [layer["Conv2D"]["filters"] for layer in laid_out(loaded) if "Conv2D" in layer]

    assert filters == found
    assert ("kernel_size: 5" in dump_spec(loaded.spec)) == ("kernel_size" in override)


def test_override_that_leads_nowhere_in_a_block_is_refused(tmp_path: Path) -> None:
    found = problems(
        tmp_path, HIDDEN, "    - hidden: {units: 3}\n", "model.blocks.hiden.layers.0.Dense.units=3"
    )

    assert found[0].startswith("command line:1:1  model.blocks.hiden")


def test_base_gives_blocks_that_another_file_changes(tmp_path: Path) -> None:
    load(tmp_path, RESIDUAL + HIDDEN, "    - hidden: {units: 3}\n")
    path = tmp_path / "wider.yaml"
    path.write_text(
        "base: spec.yaml\n"
        "model:\n"
        "  blocks:\n"
        "    residual: null\n"
        "    hidden: {layers: [{Dense: {units: $units, activation: tanh}}]}\n"
        "    more: {defaults: {rate: 0.5}, layers: [{Dropout: {rate: $rate}}]}\n"
        "  layers: [Flatten, {hidden: {units: 4}}, more, {Dense: {units: 10}}]\n"
    )
    loaded = load_spec(path)

    assert sorted(loaded.spec.model.blocks) == ["hidden", "more"]
    assert laid_out(loaded) == [{"Dense": {"units": 4, "activation": "tanh"}}, {"Dropout": {"rate": 0.5}}]


def test_base_merges_the_defaults_of_a_block(tmp_path: Path) -> None:
    load(tmp_path, RESIDUAL, "    - residual: {filters: 8}\n")
    path = tmp_path / "wider.yaml"
    path.write_text("base: spec.yaml\nmodel: {blocks: {residual: {defaults: {kernel_size: 5}}}}\n")

    convolution = laid_out(load_spec(path))[0]["Conv2D"]
    assert (convolution["kernel_size"], convolution["strides"]) == (5, 1)


def test_origins_tell_where_the_values_of_blocks_are_written(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, HIDDEN, "    - hidden: {units: 3}\n", "model.blocks.hidden.layers.0.Dense.use_bias=false"
    )
    found = {path_text(path): where.replace(f"{tmp_path}/", "") for path, where in origins(loaded).items()}

    assert found["model.blocks.hidden.layers[0].Dense.units"] == "spec.yaml:6"
    assert found["model.blocks.hidden.layers[0].Dense.use_bias"].startswith("command line: model.blocks")
    assert found["model.layers[1].hidden.units"] == "spec.yaml:11"
    assert not any("hidden_1" in where for where in found)


@pytest.mark.parametrize(
    ("blocks", "layers"),
    [
        (HIDDEN, "    - hidden: {units: 3, repeat: 1000000000}\n"),
        ("\n    none: {layers: []}", "    - none: {repeat: 1000000000}\n"),
        ("\n    none: {layers: []}\n    outer: {layers: [none]}", "    - outer: {repeat: 1000000000}\n"),
        (
            "\n    a: {layers: [ReLU]}"
            + "".join(
                f"\n    {name}: {{layers: [{{{before}: {{repeat: 100000}}}}]}}"
                for before, name in zip("abcdef", "bcdefg", strict=True)
            ),
            "    - g: {repeat: 100000}\n",
        ),
        ("\n    a: {layers: [a, a, a, a]}", "    - a: {repeat: 100000}\n"),
        (
            "\n    a: {layers: ["
            + ", ".join(["b"] * 2000)
            + "]}\n    b: {layers: ["
            + ", ".join(["a"] * 2000)
            + "]}",
            "    - a\n",
        ),
    ],
    ids=["repeat", "without_layers", "around_none", "nested_repeats", "of_itself", "in_a_circle"],
)
def test_blocks_without_end_are_refused_quickly(blocks: str, layers: str, tmp_path: Path) -> None:
    start = time.process_time()
    assert problems(tmp_path, blocks, layers)
    assert time.process_time() - start < 3


def test_ten_thousand_layers_are_too_many_by_one(tmp_path: Path) -> None:
    blocks = "\n    one: {layers: [ReLU]}"

    assert len(laid_out(load(tmp_path, blocks, "    - one: {repeat: 9998}\n"))) == 9998
    assert problems(tmp_path, blocks, "    - one: {repeat: 9999}\n")[0] == (
        "spec.yaml:8:7  model.layers[2].Dense: more than 10,000 layers; repeat less"
    )


@pytest.mark.parametrize("deep", [8, 9])
def test_blocks_may_be_eight_deep(deep: int, tmp_path: Path) -> None:
    names = [f"block{number}" for number in range(deep)]
    inner = [*names[1:], "ReLU"]
    blocks = "".join(f"\n    {name}: {{layers: [{below}]}}" for name, below in zip(names, inner, strict=True))
    if deep <= 8:
        assert laid_out(load(tmp_path, blocks, "    - block0\n")) == ["ReLU"]
    else:
        assert problems(tmp_path, blocks, "    - block0\n") == [
            "spec.yaml:11:23  model.blocks.block7.layers[0].block8: "
            "blocks inside blocks, more than 8 deep; lay some of them out"
        ]
