"""A model on paper: parameters and memory without making a number."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import ResourceError
from nnrun.keras_backend import start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.compile import make_optimizer
from nnrun.model.summary import build_from_facts, describe_model, refuse_too_large, size_text, summary_lines
from nnrun.spec.load import Loaded, load_spec

pytestmark = pytest.mark.tensorflow

OUT = "{Dense: {units: 10, activation: softmax}}"


def load(folder: Path, *layers: str, training: str = "", source: str = "mnist") -> Loaded:
    path = folder / "spec.yaml"
    text = f"data: {{source: {source}}}\nmodel: {{layers: [{', '.join(layers)}]}}\n"
    path.write_text(f"{text}training: {{loss: sparse_categorical_crossentropy{training}}}\n", "utf-8")
    return load_spec(path)


def described(loaded: Loaded) -> dict[str, Any]:
    return describe_model(build_from_facts(loaded), loaded.spec.training)


@pytest.mark.parametrize(("units", "parameters"), [(10, 7_960), (512, 407_050)])
def test_parameters_are_those_of_the_course(units: int, parameters: int, tmp_path: Path) -> None:
    found = described(load(tmp_path, "Flatten", f"{{Dense: {{units: {units}, activation: relu}}}}", OUT))

    assert (found["parameters"], found["trainable"], found["not_trainable"]) == (parameters, parameters, 0)
    assert found["memory"]["parameters"] == found["memory"]["gradients"] == 4 * parameters
    assert [layer["parameters"] for layer in found["layers"]] == [0, 785 * units, 10 * units + 10]


def test_layers_are_listed_with_types_and_shapes(tmp_path: Path) -> None:
    found = described(load(tmp_path, "Flatten", "BatchNormalization", OUT))

    assert [(layer["name"], layer["type"], layer["output_shape"]) for layer in found["layers"]] == [
        ("flatten", "Flatten", "(batch, 784)"),
        ("batch_normalization", "BatchNormalization", "(batch, 784)"),
        ("dense", "Dense", "(batch, 10)"),
    ]
    assert (found["parameters"], found["not_trainable"]) == (4 * 784 + 7_850, 2 * 784)
    assert found["memory"]["gradients"] == 4 * found["trainable"]


@pytest.mark.parametrize("optimizer", ["sgd", "{SGD: {momentum: 0.9}}", "adam", "{Adam: {amsgrad: true}}"])
def test_memory_of_the_optimizer_is_what_a_built_one_takes(optimizer: str, tmp_path: Path) -> None:
    loaded = load(
        tmp_path, "Flatten", "{Dense: {units: 16}}", OUT, training=f", optimizer: {optimizer}, batch_size: 8"
    )
    start_session(0)
    model = build_model(loaded.spec.model, {"input": InputShape((28, 28))}, loaded.place)
    built = make_optimizer(loaded.spec.training)
    built.build(model.trainable_variables)
    slots = sum(variable.numpy().nbytes for variable in built.variables if len(variable.shape))

    memory = described(loaded)["memory"]

    assert memory["optimizer"] == slots
    assert memory["parameters"] == sum(variable.numpy().nbytes for variable in model.weights)
    assert memory["activations"] == 8 * 4 * (784 + 16 + 10)
    assert (slots == 0) == (optimizer == "sgd")


def test_model_of_a_million_million_units_is_described_without_memory(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Flatten", "{Dense: {units: 1000000000000}}", OUT)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB

    found = described(loaded)

    assert found["parameters"] == 795 * 10**12 + 10
    assert found["memory"]["optimizer"] == 2 * 4 * found["parameters"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_model_on_paper_leaves_later_models_their_values(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Flatten", OUT)
    build_from_facts(loaded)
    start_session(0)

    model = build_model(loaded.spec.model, {"input": InputShape((28, 28))}, loaded.place)

    assert model.get_weights()[0].std() > 0.01


def test_word_indices_are_whole_numbers_on_paper(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "{Embedding: {input_dim: 10000, output_dim: 8}}",
        "Flatten",
        "{Dense: {units: 2}}",
        source="imdb",
    )
    assert build_from_facts(loaded).inputs[0].dtype == "int32"


def test_model_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.model.summary._installed_bytes", lambda: 6_000_000)
    loaded = load(tmp_path, "Flatten", "{Dense: {units: 512}}", OUT)
    with pytest.raises(ResourceError) as caught:
        refuse_too_large(build_from_facts(loaded), loaded.spec.training)
    assert str(caught.value) == (
        "the model's 407,050 parameters take 6.5 MB with gradients and optimizer, this machine has 6.0 MB; "
        "use fewer units or filters"
    )


def test_model_that_fits_into_the_memory_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.model.summary._installed_bytes", lambda: 6_600_000)
    loaded = load(tmp_path, "Flatten", "{Dense: {units: 512}}", OUT)
    refuse_too_large(build_from_facts(loaded), loaded.spec.training)


def test_summary_ends_with_the_memory(tmp_path: Path) -> None:
    loaded = load(tmp_path, "Flatten", "{Dense: {units: 512}}", OUT)
    lines = summary_lines(build_from_facts(loaded), loaded.spec.training)

    assert any("407,050" in line for line in lines[:-1])
    assert lines[-1] == (
        " Memory for training: 1.6 MB parameters, 1.6 MB gradients, 3.3 MB adam, "
        "167.2 kB activations of a batch of 32"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_628_200, "1.6 MB"),
        (2.5e9, "2.5 GB"),
        (3e12, "3.0 TB"),
        (4e16, "40000.0 TB"),
    ],
)
def test_size_is_told_in_a_fitting_unit(count: float, text: str) -> None:
    assert size_text(count) == text
