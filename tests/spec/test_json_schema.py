"""The JSON Schema agrees with nnrun's own checks as far as a schema can see."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from nnrun.errors import Source, SpecError
from nnrun.spec import catalog
from nnrun.spec.argument_types import Values, accepts
from nnrun.spec.datasets import check_dataset, dataset_names, dataset_ranges
from nnrun.spec.docs import argument_docs, description, summary
from nnrun.spec.json_parts import plain_values
from nnrun.spec.json_schema import keras_version, schema_text
from nnrun.spec.schema import Choice, Spec
from nnrun.spec.source import parse_yaml, plain, read_source
from nnrun.spec.templates import MODELINE

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "configs" / "nnrun.schema.json"
GOOD = sorted([*REPOSITORY.glob("configs/**/*.yaml"), *REPOSITORY.glob("tests/specs/good/**/*.yaml")])
BAD = sorted(REPOSITORY.glob("tests/specs/bad/**/*.yaml"))

NOT_SEEN = {
    "files_together": "several arguments or sections",
    "rules_blocks_": "what a block makes of its names",
    "rules_fallback_": "what stands in for which data set",
    "rules_graph_duplicate_names": "names that differ",
    "rules_graph_hash_names": "a reference to a layer",
    "rules_graph_inputs_named": "a reference to a layer",
    "rules_graph_later_input": "a reference to a layer",
    "rules_graph_leads_nowhere": "a reference to a layer",
    "rules_graph_outputs": "a reference to a layer",
    "rules_graph_unknown_input": "a reference to a layer",
    "rules_inline_": "two lists of one length",
    "rules_learning_rate_twice": "two sections",
    "rules_loss_": "the last layer against loss and data",
    "rules_monitor_": "a name that other settings make",
    "rules_outputs_": "a reference to an output",
    "rules_plateau_": "two sections",
    "rules_several_at_once": "several of these",
    "rules_weights_": "two sections",
    "yaml_base_itself": "another file",
    "yaml_base_missing": "another file",
}
"""What no schema of one file can see, by the beginning of the file's name, with the reason."""

SCHEMA: dict[str, Any] = json.loads(schema_text())
VALIDATOR = Draft202012Validator(SCHEMA)

LINES = "model: {{layers: [Flatten, {layer}]}}\ndata: {{source: digits}}\ntraining: {{loss: mse}}\n"


def written(text: str) -> Any:
    return plain(parse_yaml(Source("x.yaml", text)))


def is_valid(text: str) -> bool:
    return VALIDATOR.is_valid(written(text))


def layer_is_valid(layer: str) -> bool:
    return is_valid(LINES.format(layer=layer))


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_refers_only_to_what_it_defines() -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(references, value))
        if not isinstance(value, dict):
            return set()
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))

    assert references(SCHEMA) <= {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


@pytest.mark.parametrize("path", GOOD, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_good_specification_is_valid(path: Path) -> None:
    error = best_match(VALIDATOR.iter_errors(plain(parse_yaml(read_source(path)))))

    assert error is None, f"{error.json_path}: {error.message}"


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_specification_is_invalid_unless_no_schema_can_see_why(path: Path) -> None:
    try:
        value = plain(parse_yaml(read_source(path)))
    except SpecError:
        assert path.stem.startswith("yaml_")  # the editor's own parser says so
        return

    assert VALIDATOR.is_valid(value) == any(path.stem.startswith(start) for start in NOT_SEEN)


def test_bad_specifications_are_all_here() -> None:
    assert len(GOOD) >= 19
    assert len(BAD) >= 150
    assert all(any(path.stem.startswith(start) for path in BAD) for start in NOT_SEEN)


@pytest.mark.parametrize(
    "layer",
    [
        "Dense: {units: 3}",
        "ReLU",
        "ReLU:",
        "Dense: {units: 3, activation: {leaky_relu: {negative_slope: 0.1}}}",
        "Dense: {units: 3, kernel_initializer: {HeNormal: {seed: 3}}, kernel_regularizer: {L2: {l2: 1e-4}}}",
        "Bidirectional: {layer: {LSTM: {units: 3}}, name: both, inputs: [input]}",
        "RNN: {cell: [{LSTMCell: {units: 3}}, {GRUCell: {units: 3}}]}",
        "Conv2D: {filters: 3, kernel_size: [3, 3], strides: 2, padding: same}",
        "MobileNetV2: {weights: null, include_top: false, pooling: avg, trainable: false}",
        "Dense: {units: 3, activation: bipolar_step}",
        "Dropout: {rate: 5e-1, inputs: flat}",
    ],
)
def test_layer_that_keras_takes_is_valid(layer: str) -> None:
    assert layer_is_valid("{" + layer + "}" if ":" in layer else layer)


@pytest.mark.parametrize(
    "layer",
    [
        "Dense",
        "{Dense: {}}",
        "{Dense: {units: many}}",
        "{Dense: {units: 0}}",
        "{Dense: {units: 3, activation: rulu}}",
        "{Dense: {units: 3, activation: {leaky_relu: {slope: 0.1}}}}",
        "{Dense: {unit: 3}}",
        "{Dense: {units: 3}, Flatten: null}",
        "{Bidirectional: {layer: {LSTM: {units: 3, inputs: [input]}}}}",
        "{Bidirectional: {layer: Dense}}",
        "{MobileNetV2: {include_top: false}}",
        "{Input: {shape: [3], batch_size: 3}}",
        "Desne",
        "dense",
        "relu",
        "{Lambda: {function: x}}",
        "{relu: {max_value: 6}}",
        "3",
    ],
)
def test_layer_that_nnrun_refuses_is_invalid(layer: str) -> None:
    assert not layer_is_valid(layer)


BLOCKS = """
data: {source: digits}
model:
  blocks:
    residual:
      defaults: {act: relu}
      layers:
        - Dense: {units: $units, activation: $act, use_bias: $bias, kernel_regularizer: {L2: {l2: $l2}}}
        - $last
  layers: [Flatten, LAYER]
training: {loss: mse}
"""


@pytest.mark.parametrize(
    ("layer", "valid"),
    [
        ("residual", True),
        ("{residual: {units: 3, repeat: 2, name: one, inputs: [input]}}", True),
        ("{residual: {repeat: 0}}", False),
        ("{residual: 3}", False),
        ("Desne", False),
        ("{Desne: {units: 3}}", False),
    ],
)
def test_block_of_the_file_is_a_layer(layer: str, valid: bool) -> None:
    assert is_valid(BLOCKS.replace("LAYER", layer)) == valid


OUTPUTS = """
data: {source: digits, target: {digit: labels, picture: inputs}, sample_weight: weights.npy}
model: {layers: [Flatten], outputs: [digit, picture]}
training:
  loss: {digit: sparse_categorical_crossentropy, picture: {MeanSquaredError: {name: far}}}
  loss_weights: {digit: 1, picture: 0.5}
  metrics: {digit: [accuracy], picture: [mae]}
  class_weight: {0: 1.0, 1: 5}
"""


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        ("", "", True),
        ("picture: inputs", "picture: [inputs]", False),
        ("picture: {Mean", "picture: {Maen", False),
        ("[mae]", "[mea]", False),
        ("0.5}", "half}", False),
        ("{0: 1.0, 1: 5}", "balanced", True),
        ("{0: 1.0, 1: 5}", "balancd", False),
    ],
)
def test_settings_by_output_are_checked(old: str, new: str, valid: bool) -> None:
    assert is_valid(OUTPUTS.replace(old, new)) == valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("base: other.yaml", True),
        ("{base: other.yaml, training: {epochs: null}, model: {layers: [residual]}}", True),
        ("{base: other.yaml, training: {epoch: 3}}", False),
        ("{base: 3}", False),
        ("{training: {loss: mse}, data: {source: digits}}", False),
        ("{training: {loss: mse, epochs: null}, data: {source: digits}, model: {layers: [Flatten]}}", False),
        ("{training: {loss: mse}, data: {source: digits}, model: {layers: [Flatten]}, runtime: }", True),
        ("{training: {loss: mse}, data: {source: digits}, model: {layers: [Flatten]}, seed: 1e-3}", False),
    ],
)
def test_required_sections_may_be_left_to_the_base(text: str, valid: bool) -> None:
    assert is_valid(text) == valid


PROBES = [None, True, False, 0, 1, 3, -1, 0.5, 1.5, "text", "3", [1, 2], {"a": 1}]


@pytest.mark.parametrize("probe", PROBES, ids=repr)
def test_plain_values_are_those_that_nnrun_accepts(probe: Any) -> None:
    taken: set[Values] = {
        argument.values
        for kind in catalog.KINDS
        for name in catalog.names(kind)
        if (part := catalog.find(kind, name))
        for argument in part.arguments
    }
    assert len(taken) >= 8
    differing = [
        values
        for values in taken
        if Draft202012Validator({"anyOf": plain_values(values) or [{}]}).is_valid(probe)
        != accepts(values, probe)
    ]

    assert differing == []


@pytest.mark.parametrize("name", [name for name in dataset_names() if name != "inline"])
@pytest.mark.parametrize("probe", [None, True, 0, 1, 5, 0.5, -1, 10**12, "large", "x"], ids=repr)
def test_arguments_of_data_sources_are_those_that_nnrun_accepts(name: str, probe: Any) -> None:
    source = Draft202012Validator({"$ref": "#/$defs/data_source", "$defs": SCHEMA["$defs"]})
    for argument in dataset_ranges(name):
        said = [text for _, text in check_dataset(Choice(name, {argument: probe})) if "expected" in text]

        assert source.is_valid({name: {argument: probe}}) == (not said), (argument, said)


def test_every_name_of_the_catalogue_is_in_it() -> None:
    for kind in catalog.KINDS:
        branches = SCHEMA["$defs"]["keras_layer" if kind == "layer" else kind]["anyOf"]
        (named,) = [branch["properties"] for branch in branches if "properties" in branch]
        assert sorted(named) == sorted(catalog.names(kind))


def test_every_argument_of_dense_is_described() -> None:
    dense = SCHEMA["$defs"]["layer.Dense"]

    assert dense["description"].startswith(
        "Just your regular densely-connected NN layer.\n\n`Dense` implements"
    )
    units = dense["properties"]["units"]
    assert units["description"] == "Positive integer, dimensionality of the output space."
    assert units["anyOf"][0] == {"type": "integer", "minimum": 1.0}
    assert dense["properties"]["use_bias"]["default"] is True
    assert dense["required"] == ["units"]
    described = [argument for argument in dense["properties"].values() if "description" in argument]
    assert len(described) >= 14


def test_every_key_of_the_sections_is_described() -> None:
    for name in ("DataSection", "ModelSection", "TrainingSection", "RuntimeSection", "BlockSection"):
        for key, field in SCHEMA["$defs"][name]["properties"].items():
            assert field["description"], f"{name}.{key}"
    assert set(SCHEMA["properties"]) == {"base", *Spec.model_fields}


def test_names_have_a_description_each() -> None:
    names, *_ = [branch for branch in SCHEMA["$defs"]["optimizer"]["anyOf"] if "enum" in branch]

    meanings = dict(zip(names["enum"], names["enumDescriptions"], strict=True))
    assert meanings["adam"] == "Optimizer that implements the Adam algorithm."
    assert "Dense" not in SCHEMA["$defs"]["keras_layer"]["anyOf"][0]["enum"]


def test_summary_ends_with_the_first_sentence() -> None:
    assert summary("Dot-product attention, a.k.a. Luong's, e.g. here. More.\n\nAnd more.").endswith("here.")


def test_description_stops_before_the_arguments_and_at_its_length() -> None:
    assert description("One.\n\nTwo\nlines.\n\nArgs:\n    units: A number.") == "One.\n\nTwo lines."
    assert description("One.\n\n" + "word " * 200) == "One."


def test_inherited_arguments_are_documented() -> None:
    part = catalog.find("layer", "Dense")
    assert part is not None

    assert argument_docs(part)["trainable"] == "Boolean, whether the layer's variables should be trainable."


def test_schema_is_small_and_made_quickly_without_heavy_packages() -> None:
    program = (
        "import sys\nfrom nnrun.spec.json_schema import schema_text\n"
        "size = len(schema_text().encode())\n"
        "print(size, sorted({'tensorflow', 'keras', 'numpy'} & sys.modules.keys()))"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start

    size, loaded = done.stdout.split(maxsplit=1)
    assert loaded == "[]\n"
    assert int(size) < 2_000_000
    assert seconds < 3  # about 0.5 on an idle machine


def test_shipped_schema_is_that_of_this_keras() -> None:
    shipped = json.loads(SHIPPED.read_text("utf-8"))
    if f"Keras {keras_version()};" not in shipped["description"]:
        pytest.skip(f"{SHIPPED.name} is for another Keras than {keras_version()}")

    assert shipped == SCHEMA, f"run: nnrun schema --output {SHIPPED.relative_to(REPOSITORY)}"


@pytest.mark.parametrize("path", sorted(SHIPPED.parent.rglob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configuration_leads_editors_to_the_schema(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    named = [line.removeprefix(MODELINE) for line in lines if line.startswith(MODELINE)]

    assert [(path.parent / name).resolve() for name in named] == [SHIPPED]
