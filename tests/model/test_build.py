"""From the model section to a Keras model, and what is said where it does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import SpecError
from nnrun.keras_backend import load_keras, start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.compile import check_output, compile_model
from nnrun.spec.load import Loaded, load_spec

pytestmark = pytest.mark.tensorflow

IMAGE = {"input": InputShape((28, 28))}
OUT = "Dense: {units: 10, activation: softmax}"
RESHAPE = "Reshape: {target_shape: [28, 28, 1]}"


def load(folder: Path, *layers: str, model: str = "", training: str = "") -> Loaded:
    """A specification with each layer on a line of its own: the first stands in line 4."""
    path = folder / "spec.yaml"
    lines = ["data: {source: mnist}", "model:", "  layers:", *(f"  - {layer}" for layer in layers)]
    lines += [f"  {model}"] if model else []
    lines += [f"training: {{loss: mse, metrics: [mae]{training}}}"]
    path.write_text("\n".join(lines), "utf-8")
    return load_spec(path)


def build(loaded: Loaded, inputs: dict[str, InputShape] | None = None) -> Any:
    start_session(0)
    return build_model(loaded.spec.model, inputs or IMAGE, loaded.place)


def refusal(folder: Path, *layers: str, model: str = "", inputs: dict[str, InputShape] | None = None) -> str:
    """The one problem, without the folder."""
    loaded = load(folder, *layers, model=model)
    with pytest.raises(SpecError) as caught:
        build(loaded, inputs)
    return str(caught.value).replace(f"{folder}/", "")


def test_layers_in_a_row_give_a_sequential_model(tmp_path: Path) -> None:
    model = build(load(tmp_path, "Flatten", "Dense: {units: 3, name: hidden}", "Dropout: {rate: 0.5}", OUT))

    assert type(model) is load_keras().Sequential
    assert [layer.name for layer in model.layers] == ["flatten", "hidden", "dropout", "dense"]
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))
    assert model.built and not model.compiled


def test_input_layer_names_the_input_and_is_no_layer(tmp_path: Path) -> None:
    model = build(load(tmp_path, "Input: {shape: [28, 28], name: picture}", "Flatten", OUT))

    assert [layer.name for layer in model.layers] == ["flatten", "dense"]
    assert model.inputs[0].name == "picture"


def test_inputs_give_a_functional_model(tmp_path: Path) -> None:
    model = build(
        load(
            tmp_path,
            "Flatten: {name: flat}",
            "Dense: {units: 4, name: a}",
            "Dense: {units: 4, name: b, inputs: flat}",
            "Add: {inputs: [a, b]}",
            OUT,
        )
    )

    assert isinstance(model, load_keras().Model) and not isinstance(model, load_keras().Sequential)
    assert [layer.name for layer in model.layers] == ["input", "flat", "a", "b", "add", "dense"]
    (arriving,) = model.get_layer("add")._inbound_nodes
    assert [tensor._keras_history.operation.name for tensor in arriving.input_tensors] == ["a", "b"]


def test_several_outputs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    layers = ("Flatten", "Dense: {units: 4, name: a}", "Dense: {units: 5, name: b}")
    model = build(load(tmp_path, *layers, model="outputs: [b, a]"))

    assert model.output_names == ["b", "a"]
    assert model.output_shape == [(None, 5), (None, 4)]


def test_layer_below_the_one_named_output_is_refused(tmp_path: Path) -> None:
    layers = ("Flatten", "Dense: {units: 4, name: a}", "Dense: {units: 5, name: b}")
    with pytest.raises(SpecError, match=r"layers\[2\]\.Dense: leads to no output"):
        load(tmp_path, *layers, model="outputs: [a]")


def test_model_inputs_are_those_of_the_data_in_any_order(tmp_path: Path) -> None:
    two = {"left": InputShape((3,)), "right": InputShape((4,), "int32")}
    loaded = load(tmp_path, "Concatenate: {inputs: [left, right]}", model="inputs: [right, left]")
    model = build(loaded, {"left": InputShape((3,)), "right": InputShape((4,))})

    assert list(model.input) == ["right", "left"]
    assert model.output_shape == (None, 7)
    embedding = "Embedding: {input_dim: 5, output_dim: 2, inputs: right}"
    mixed = build(load(tmp_path, embedding, model="inputs: [left, right]"), two)
    assert [tensor.dtype for tensor in mixed.inputs] == ["float32", "int32"]


def test_model_inputs_of_other_names_than_the_data_has_are_refused(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Concatenate: {inputs: [l, r]}", model="inputs: [l, r]")

    with pytest.raises(SpecError, match=r"the data's inputs are left, right; name all of them"):
        build(loaded, {"left": InputShape((3,)), "right": InputShape((4,))})


def test_layer_of_several_tensors_takes_them_one_after_the_other(tmp_path: Path) -> None:
    attention = "MultiHeadAttention: {num_heads: 2, key_dim: 3, inputs: [input, input]}"
    assert build(load(tmp_path, attention)).output_shape == (None, 28, 28)


def test_layers_draw_seeds_in_the_order_in_which_they_stand(tmp_path: Path) -> None:
    keras = load_keras()
    model = build(load(tmp_path, "Flatten", "Dense: {units: 3}", OUT))
    start_session(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Dense(10, activation="softmax")]
    plain = keras.Sequential([keras.Input((28, 28)), *layers])

    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert (ours == theirs).all()


MISFITS = {
    "convolution of a picture without channels": (
        ["Conv2D: {filters: 4, kernel_size: 3}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].Conv2D: receives (batch, 28, 28), wants (batch, height, width, channels); "
        "put `Reshape: {target_shape: [28, 28, 1]}` before it",
    ),
    "recurrence over features": (
        ["Flatten", "LSTM: {units: 3}", OUT],
        "spec.yaml:5:5  model.layers[1].LSTM: receives (batch, 784), wants (batch, steps, features); "
        "put `Reshape: {target_shape: [784, 1]}` before it",
    ),
    "wrapped recurrence over features": (
        ["Flatten", "Bidirectional: {layer: {LSTM: {units: 3}}}", OUT],
        "spec.yaml:5:5  model.layers[1].Bidirectional: receives (batch, 784), wants (batch, steps, features); "
        "put `Reshape: {target_shape: [784, 1]}` before it",
    ),
    "recurrence of a cell over features": (
        ["Flatten", "RNN: {cell: {LSTMCell: {units: 3}}}", OUT],
        "spec.yaml:5:5  model.layers[1].RNN: receives (batch, 784), which does not fit: Shapes used to initialize "
        "variables must be fully-defined (no `None` dimensions). Received: shape=(None, 12) for variable "
        "path='rnn/lstm_cell/kernel'",
    ),
    "two dimensions missing": (
        ["Flatten", "Conv2D: {filters: 4, kernel_size: 3}", OUT],
        "spec.yaml:5:5  model.layers[1].Conv2D: receives (batch, 784), wants (batch, height, width, channels)",
    ),
    "too many dimensions": (
        [RESHAPE, "LSTM: {units: 3}", OUT],
        "spec.yaml:5:5  model.layers[1].LSTM: receives (batch, 28, 28, 1), wants (batch, steps, features); "
        "put Flatten or a pooling layer before it",
    ),
    "kernel larger than the picture": (
        [RESHAPE, "Conv2D: {filters: 4, kernel_size: 30}", "Flatten", OUT],
        "spec.yaml:5:5  model.layers[1].Conv2D: receives (batch, 28, 28, 1), which does not fit: Computed output "
        "size would be zero or negative. Received `inputs shape=(None, 28, 28, 1)`, `kernel shape=(30, 30, 1, 4)`, "
        "`dilation_rate=[1 1]`, `strides=(1, 1)`, `padding=valid`.",
    ),
    "too deep pooling": (
        [RESHAPE, *["MaxPooling2D"] * 5, "Flatten", OUT],
        "spec.yaml:9:5  model.layers[5].MaxPooling2D: receives (batch, 1, 1, 1), which does not fit: Computed "
        "output size would be zero or negative. Received: `inputs.shape=[None 1 1 1]`, `pool_size=[2 2]`, "
        "`strides=(2, 2)`, `padding=valid`.",
    ),
    "reshape to another size": (
        ["Reshape: {target_shape: [5, 5]}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].Reshape: receives (batch, 28, 28), which does not fit: The total size of "
        "the tensor must be unchanged. Received: input_shape=(28, 28), target_shape=(5, 5)",
    ),
    "reshape that does not divide": (
        ["Reshape: {target_shape: [-1, 5]}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].Reshape: receives (batch, 28, 28), which does not fit: The total size of "
        "the tensor must be unchanged, however, the input size cannot by divided by the specified dimensions in "
        "target_shape. Received: input_shape=(28, 28), target_shape=(-1, 5)",
    ),
    "crop of all there is": (
        ["Cropping1D: {cropping: 20}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].Cropping1D: receives (batch, 28, 28), which does not fit: `cropping` "
        "parameter of `Cropping1D` layer must be smaller than the input length. Received: input_shape=(None, 28, "
        "28), cropping=(20, 20)",
    ),
    "concatenation of different shapes": (
        ["Flatten", "Dense: {units: 4, name: a}", "Concatenate: {inputs: [a, input]}", OUT],
        "spec.yaml:6:5  model.layers[2].Concatenate: receives [(batch, 4), (batch, 28, 28)], which does not fit: "
        "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. Received: "
        "input_shape=[(None, 4), (None, 28, 28)]",
    ),
    "sum of different shapes": (
        ["Flatten", "Dense: {units: 4, name: a}", "Dense: {units: 5, name: b}", "Add: {inputs: [a, b]}", OUT],
        "spec.yaml:7:5  model.layers[3].Add: receives [(batch, 4), (batch, 5)], which does not fit: Inputs have "
        "incompatible shapes. Received shapes (4,) and (5,)",
    ),
    "sum of one": (
        ["Flatten", "Add", OUT],
        "spec.yaml:5:5  model.layers[1].Add: receives (batch, 784), which does not fit: A merge layer should be "
        "called on a list of inputs. Received: input_shape=(None, 784) (not a list of shapes)",
    ),
    "attention to nothing": (
        ["MultiHeadAttention: {num_heads: 2, key_dim: 3}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].MultiHeadAttention: takes 2 inputs (query, value), found 1; give it "
        "`inputs: [...]` with the name of a layer for each",
    ),
    "axis that is not there": (
        ["Flatten", "BatchNormalization: {axis: 3}", OUT],
        "spec.yaml:5:5  model.layers[1].BatchNormalization: receives (batch, 784), which does not fit: tuple "
        "index out of range",
    ),
    "states in a row": (
        ["LSTM: {units: 3, return_state: true}", OUT],
        "spec.yaml:4:5  model.layers[0].LSTM: gives several outputs, a layer here gives one; leave return_state out",
    ),
    "states at the end": (
        ["LSTM: {units: 3, return_state: true}"],
        "spec.yaml:4:5  model.layers[0].LSTM: gives several outputs, a layer here gives one; leave return_state out",
    ),
    "picture without channels taken for one without a batch": (
        ["CenterCrop: {height: 3, width: 3}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].CenterCrop: takes the batch for a part of one example and gives "
        "(3, 3, 28); it wants (batch, height, width, channels), put a Reshape before it",
    ),
    "Input of another shape": (
        ["Input: {shape: [28, 27]}", "Flatten", OUT],
        "spec.yaml:4:20  model.layers[0].Input.shape: the data's examples have the shape [28, 28], not [28, 27]; "
        "correct it, or leave the Input layer out",
    ),
    "Input whose shape is a number": (
        ["Input: {shape: 784}", "Flatten", OUT],
        "spec.yaml:4:20  model.layers[0].Input.shape: the data's examples have the shape [28, 28], not 784; "
        "correct it, or leave the Input layer out",
    ),
    "two Input layers": (
        ["Input: {name: a}", "Input: {name: b}", "Flatten", OUT],
        "spec.yaml:4:5  model.layers[0].Input: the data has 1 input(s), here are 2 Input layers",
    ),
    "name that Keras gives to another layer": (
        ["Flatten", "Dense: {units: 3, name: dense_1}", "Dense: {units: 4}", "Dense: {units: 5}"],
        "spec.yaml:5:29  model.layers[1].Dense.name: the name 'dense_1' is also that of model.layers[3]; "
        "choose another",
    ),
    "value that Keras refuses": (
        [RESHAPE, "Conv2D: {filters: 5, kernel_size: 3, groups: 2}", "Flatten", OUT],
        "spec.yaml:5:50  model.layers[1].Conv2D.groups: The number of filters must be evenly divisible by the "
        "number of groups. Received: groups=2, filters=5.",
    ),
    "value over which Keras stumbles": (
        [RESHAPE, "Conv2D: {filters: 5, kernel_size: 3, padding: {a: 1}}", "Flatten", OUT],
        "spec.yaml:5:51  model.layers[1].Conv2D.padding: Keras cannot take a map here ('dict' object has no "
        "attribute 'lower')",
    ),
    "size that is not known": (
        ["Flatten", "Reshape: {target_shape: [28, null]}", OUT],
        "spec.yaml:6:5  model.layers[2].Dense: receives (batch, 28, any), and needs to know the size that is "
        "'any'; say it in the layer before",
    ),
    "ready network for a flat input": (
        ["Flatten", "MobileNetV2: {weights: null}"],
        "spec.yaml:5:5  model.layers[1].MobileNetV2: receives (batch, 784), wants (batch, height, width, channels)",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_misfit_is_refused_at_the_layer(case: str, tmp_path: Path) -> None:
    layers, message = MISFITS[case]
    assert refusal(tmp_path, *layers) == message


def test_first_misfit_of_a_graph_is_refused_at_the_layer(tmp_path: Path) -> None:
    layers = (
        "Flatten",
        "Dense: {units: 3, name: a}",
        "Conv1D: {filters: 2, kernel_size: 3, inputs: a}",
        "LSTM: {units: 1}",
    )
    assert refusal(tmp_path, *layers) == (
        "spec.yaml:6:5  model.layers[2].Conv1D: receives (batch, 3), wants (batch, steps, features); "
        "put `Reshape: {target_shape: [3, 1]}` before it"
    )


def test_more_names_than_inputs_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "Flatten", OUT, model="inputs: [a, b]") == (
        "spec.yaml:6:11  model.inputs: the data has 1 input(s), here are 2 names"
    )


def test_value_that_keras_refuses_without_validation_is_a_spec_error(tmp_path: Path) -> None:
    from nnrun.spec.schema import Choice

    loaded = load(tmp_path, "Flatten", "Dense: {units: 3}")
    section = loaded.spec.model.model_copy(
        update={"layers": [Choice("Flatten"), Choice("Dense", {"units": -1})]}
    )
    with pytest.raises(SpecError) as caught:
        build_model(section, IMAGE, loaded.place)
    (problem,) = caught.value.problems
    assert (problem.path, problem.place and problem.place.line) == ("model.layers[1].Dense.units", 5)
    assert problem.message == (
        "Received an invalid value for `units`, expected a positive integer. Received: units=-1"
    )


def test_output_with_more_dimensions_than_the_targets_is_refused(tmp_path: Path) -> None:
    loaded = load(tmp_path, OUT)
    with pytest.raises(SpecError) as caught:
        check_output(build(loaded), (), loaded.spec.model, loaded.place)
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        "spec.yaml:4:5  model.layers[0].Dense: gives (batch, 28, 10), but there is one target for each example; "
        "put Flatten (or a pooling layer) before it, so that it gives (batch, values)"
    )


def test_output_that_fits_the_targets_is_accepted(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Flatten", OUT)
    check_output(build(loaded), (), loaded.spec.model, loaded.place)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            ", optimizer: {SGD: {momentum: 2.0}}",
            "spec.yaml:6:50  training.optimizer: `momentum` must be a float between [0, 1].",
        ),
    ],
)
def test_value_that_keras_refuses_in_training_is_refused_at_its_place(
    training: str, message: str, tmp_path: Path
) -> None:
    loaded = load(tmp_path, "Flatten", OUT, training=training)
    model = build(loaded)
    with pytest.raises(SpecError) as caught:
        compile_model(model, loaded.spec.training, jit_compile=False, place=loaded.place)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_compiled_model_has_loss_optimizer_learning_rate_and_metrics(tmp_path: Path) -> None:
    training = ", optimizer: {SGD: {momentum: 0.5}}, learning_rate: 0.25"
    loaded = load(tmp_path, "Flatten", OUT, training=training)
    model = build(loaded)
    compile_model(model, loaded.spec.training, jit_compile=True, place=loaded.place)

    assert (type(model.optimizer).__name__, model.optimizer.momentum) == ("SGD", 0.5)
    assert float(model.optimizer.learning_rate) == 0.25
    assert (model.loss, model.jit_compile) == ("mse", True)
    assert model.get_compile_config()["metrics"] == ["mae"]
