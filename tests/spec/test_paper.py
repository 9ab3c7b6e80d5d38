"""Shapes and parameters on paper are those that Keras finds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnrun.spec.load import load_spec
from nnrun.spec.paper import LayerOnPaper, parameter_count, trace

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))

IMAGE = "[{Reshape: {target_shape: [12, 10, 3]}}, LAYER]"
SEQUENCE = "[{Reshape: {target_shape: [24, 15]}}, LAYER]"
VOLUME = "[{Reshape: {target_shape: [6, 6, 5, 2]}}, LAYER]"
LAYERS = [
    *[(IMAGE, f"Conv2D: {{filters: 5, kernel_size: {k}, {rest}}}") for k, rest in [
        ("3", ""), ("[3, 2]", "strides: 2"), ("3", "padding: same, strides: 3"), ("2", "dilation_rate: 2"),
        ("1", "use_bias: false"), ("[5, 1]", "padding: same"),
    ]],
    (IMAGE, "Conv2D: {filters: 6, kernel_size: 3, groups: 3}"),
    (SEQUENCE, "Conv1D: {filters: 4, kernel_size: 3, padding: causal, dilation_rate: 2}"),
    (SEQUENCE, "Conv1D: {filters: 4, kernel_size: 5, strides: 2}"),
    (VOLUME, "Conv3D: {filters: 3, kernel_size: [2, 3, 2], strides: [1, 2, 1]}"),
    (IMAGE, "DepthwiseConv2D: {kernel_size: 3, depth_multiplier: 2}"),
    (SEQUENCE, "DepthwiseConv1D: {kernel_size: 3, use_bias: false}"),
    (IMAGE, "SeparableConv2D: {filters: 7, kernel_size: 3, padding: same}"),
    (SEQUENCE, "SeparableConv1D: {filters: 7, kernel_size: 4, depth_multiplier: 2}"),
    (IMAGE, "Conv2DTranspose: {filters: 4, kernel_size: 3, strides: 2}"),
    (IMAGE, "Conv2DTranspose: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),
    (SEQUENCE, "Conv1DTranspose: {filters: 4, kernel_size: 2, strides: 3}"),
    (VOLUME, "Conv3DTranspose: {filters: 2, kernel_size: 2}"),
    (IMAGE, "MaxPooling2D"), (IMAGE, "MaxPooling2D: {pool_size: 3, strides: 2}"),
    (IMAGE, "MaxPooling2D: {pool_size: [2, 3], padding: same}"),
    (SEQUENCE, "MaxPooling1D: {pool_size: 5}"), (VOLUME, "MaxPooling3D"),
    (IMAGE, "AveragePooling2D: {pool_size: 2}"), (SEQUENCE, "AveragePooling1D: {pool_size: 3, strides: 1}"),
    (IMAGE, "GlobalAveragePooling2D"), (IMAGE, "GlobalMaxPooling2D: {keepdims: true}"),
    (SEQUENCE, "GlobalMaxPooling1D"), (SEQUENCE, "GlobalAveragePooling1D"), (VOLUME, "GlobalAveragePooling3D"),
    (IMAGE, "UpSampling2D: {size: [2, 3]}"), (SEQUENCE, "UpSampling1D: {size: 3}"), (VOLUME, "UpSampling3D"),
    (IMAGE, "ZeroPadding2D: {padding: 2}"), (IMAGE, "ZeroPadding2D: {padding: [[1, 2], [3, 4]]}"),
    (IMAGE, "ZeroPadding2D: {padding: [1, 2]}"), (SEQUENCE, "ZeroPadding1D: {padding: 2}"),
    (SEQUENCE, "ZeroPadding1D: {padding: [1, 3]}"), (IMAGE, "Cropping2D: {cropping: [[1, 2], [3, 4]]}"),
    (SEQUENCE, "Cropping1D: {cropping: 2}"), (VOLUME, "ZeroPadding3D: {padding: 1}"),
    (SEQUENCE, "SimpleRNN: {units: 7}"), (SEQUENCE, "LSTM: {units: 7, return_sequences: true}"),
    (SEQUENCE, "LSTM: {units: 7, use_bias: false}"), (SEQUENCE, "GRU: {units: 7}"),
    (SEQUENCE, "GRU: {units: 7, reset_after: false}"), (SEQUENCE, "GRU: {units: 7, use_bias: false}"),
    (SEQUENCE, "Bidirectional: {layer: {LSTM: {units: 4}}}"),
    (SEQUENCE, "Bidirectional: {layer: {GRU: {units: 4, return_sequences: true}}, merge_mode: sum}"),
    (SEQUENCE, "TimeDistributed: {layer: {Dense: {units: 3}}}"),
    (SEQUENCE, "BatchNormalization"), (IMAGE, "BatchNormalization: {center: false}"),
    (SEQUENCE, "LayerNormalization"), (SEQUENCE, "LayerNormalization: {scale: false}"),
    (IMAGE, "GroupNormalization: {groups: 3}"), (IMAGE, "PReLU"), (IMAGE, "PReLU: {shared_axes: [1, 2]}"),
    (SEQUENCE, "Dense: {units: 6}"), (SEQUENCE, "Dense: {units: 6, use_bias: false}"),
    (SEQUENCE, "Permute: {dims: [2, 1]}"), ("[Flatten, LAYER]", "RepeatVector: {n: 3}"),
    ("[LAYER]", "Flatten"), ("[LAYER]", "Reshape: {target_shape: [-1, 6]}"), ("[LAYER]", "Dropout: {rate: 0.5}"),
    ("[Flatten, {Rescaling: {scale: 9}}, LAYER]", "Embedding: {input_dim: 10, output_dim: 4}"),
    (SEQUENCE.replace("LAYER", "{Dense: {units: 8, name: x}}, LAYER"),
     "MultiHeadAttention: {num_heads: 2, key_dim: 5, inputs: [x, x]}"),
    (SEQUENCE.replace("LAYER", "{Dense: {units: 8, name: x}}, LAYER"),
     "MultiHeadAttention: {num_heads: 2, key_dim: 5, use_bias: false, inputs: [x, x]}"),
    (SEQUENCE.replace("LAYER", "{Dense: {units: 8, name: x}}, LAYER"), "Add: {inputs: [x, x]}"),
    (SEQUENCE.replace("LAYER", "{Dense: {units: 8, name: x}}, {Dense: {units: 3, name: y}}, LAYER"),
     "Concatenate: {inputs: [x, y]}"),
    (SEQUENCE.replace("LAYER", "{Dense: {units: 15, name: x}}, LAYER"), "Concatenate: {axis: 1, inputs: [x, x]}"),
]  # fmt: skip
DATA = "{inline: {x: [" + "[" + ", ".join(["[" + ", ".join(["0.5"] * 36) + "]"] * 10) + "]" + "], y: [1.5]}}"


def value(formula: str) -> int:
    """What a formula comes to."""
    assert re.fullmatch(r"[\d,x+() ]+", formula)
    return int(eval(formula.replace(",", "").replace("x", "*")))


def agree(path: Path) -> list[LayerOnPaper]:
    """Hold the layers of a specification against those that Keras builds."""
    from nnrun.model.summary import build_from_facts

    loaded = load_spec(path)
    layers = trace(loaded)
    built = [layer for layer in build_from_facts(loaded).layers if type(layer).__name__ != "InputLayer"]
    by_name = {layer.name: layer for layer in built}
    named = {layer.choice.value("name") for layer in layers}
    unnamed = sorted(
        (layer for layer in built if layer.name not in named), key=lambda one: (len(one.name), one.name)
    )
    assert len(built) == len(layers)
    for layer in layers:
        name = layer.choice.value("name")
        if isinstance(name, str):
            keras = by_name[name]
        else:  # as they were made: dense, dense_1, ...; networks bear names of their own
            kin = [one for one in unnamed if type(one).__name__ in (layer.choice.name, "Functional")]
            keras = kin[0]
            unnamed.remove(keras)
        if layer.output is not None:
            assert layer.output == tuple(keras.output.shape[1:])
            assert layer.parameters == keras.count_params()
        if layer.formula:
            assert value(layer.formula) == layer.parameters
    return layers


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(path.parents[2])))
def test_shipped_configuration_has_keras_shapes_and_parameters(path: Path) -> None:
    agree(path)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("row", "layer"), LAYERS, ids=lambda text: text if ":" in text else text[:40])
def test_layer_on_paper_is_known_and_agrees_with_keras(row: str, layer: str, tmp_path: Path) -> None:
    path = tmp_path / "layer.yaml"
    written = f"{{{layer}}}" if ":" in layer else layer
    path.write_text(
        f"data: {{source: {DATA}}}\nmodel: {{layers: {row.replace('LAYER', written)}}}\ntraining: {{loss: mse}}\n"
    )

    assert agree(path)[-1].output is not None


@pytest.mark.parametrize(
    ("name", "formulas"),
    [
        ("mnist_perceptron", ["784 x 10 + 10", "10 x 10 + 10"]),
        ("mnist_512", ["784 x 512 + 512", "512 x 10 + 10"]),
        ("mnist_cnn", ["3 x 3 x 1 x 32 + 32", "3 x 3 x 32 x 64 + 64", "1,600 x 10 + 10"]),
    ],
)
def test_formulas_show_where_parameters_come_from(name: str, formulas: list[str], repository: Path) -> None:
    layers = trace(load_spec(repository / "configs" / f"{name}.yaml"))

    assert [layer.formula for layer in layers if layer.formula] == formulas
    assert parameter_count(layers) == sum(map(value, formulas))


def test_unknown_layer_leaves_what_follows_unknown(tmp_path: Path) -> None:
    path = tmp_path / "unknown.yaml"
    path.write_text(
        "data: {source: digits}\nmodel: {layers: [Flatten, {EinsumDense: {equation: 'ab,bc->ac', output_shape: 5}}, "
        "{Dense: {units: 2}}]}\ntraining: {loss: mse}\n"
    )
    layers = trace(load_spec(path))

    assert [layer.output for layer in layers] == [(64,), None, None]
    assert parameter_count(layers) is None
