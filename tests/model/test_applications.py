"""Ready networks of keras.applications: their weights come from a file or from the seed, never from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet import Quiet

from nnrun import experiment, inference
from nnrun.errors import SpecError
from nnrun.keras_backend import load_keras, start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.summary import check_on_paper
from nnrun.spec import catalog
from nnrun.spec.load import Loaded, load_spec

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("no_data")]

IMAGE = {"input": InputShape((32, 32, 3))}
ARGUMENTS = "alpha: 0.35, include_top: false, pooling: avg"


def load(folder: Path, *layers: str) -> Loaded:
    """A specification on CIFAR-10; the first layer stands in line 4."""
    path = folder / "spec.yaml"
    lines = "".join(f"    - {layer}\n" for layer in layers)
    path.write_text(
        f"data: {{source: cifar10}}\nmodel:\n  layers:\n{lines}"
        "    - Dense: {units: 10, activation: softmax}\ntraining: {loss: sparse_categorical_crossentropy}\n"
    )
    return load_spec(path)


def build(loaded: Loaded) -> Any:
    start_session(0)
    return build_model(loaded.model, IMAGE, loaded.place)


def refusal(folder: Path, *layers: str) -> str:
    """What is said where the model is built, without the folder."""
    with pytest.raises(SpecError) as caught:
        build(load(folder, *layers))
    return str(caught.value).replace(f"{folder}/", "")


def small_network(**changes: Any) -> Any:
    arguments = {"input_shape": (32, 32, 3), "alpha": 0.35, "include_top": False, "pooling": "avg"} | changes
    return load_keras().applications.MobileNetV2(weights=None, **arguments)


def test_every_network_of_keras_is_a_layer() -> None:
    applications = load_keras().applications
    theirs = {name for name in dir(applications) if name[0].isupper()}
    ours = {name for name in catalog.names("layer") if catalog.is_application(name)}

    assert ours == theirs and len(ours) > 30


def test_network_takes_the_shape_that_arrives_and_shares_the_argument_names(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"MobileNetV2: {{weights: null, {ARGUMENTS}, name: net}}")
    model = build(loaded)
    network = model.get_layer("net")

    assert network.input_shape == (None, 32, 32, 3)
    assert network.count_params() == small_network().count_params()
    assert network.trainable
    assert check_on_paper(loaded).count_params() == model.count_params()


def test_network_that_may_not_learn_has_no_trainable_weights(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"MobileNetV2: {{weights: null, {ARGUMENTS}, trainable: false}}")
    model = build(loaded)

    assert [one.path for one in model.trainable_weights] == ["dense/kernel", "dense/bias"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as a Keras program saves it."""
    path = tmp_path_factory.mktemp("weights") / "net.weights.h5"
    small_network().save_weights(path)
    return path


def test_weights_come_from_the_file(weights: Path, tmp_path: Path) -> None:
    loaded = load(tmp_path, f"MobileNetV2: {{weights: {weights}, {ARGUMENTS}, name: net}}")
    network = build(loaded).get_layer("net")
    expected = small_network()
    expected.load_weights(weights)

    for theirs, ours in zip(expected.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not h5 at all" * 100, "Unable to synchronously open file (file signature not found)"),
        (b"", "Unable to synchronously open file (file signature not found)"),
        (b"\x89HDF\r\n\x1a\n" + b"\x00" * 100, "Unable to synchronously open file"),
    ],
    ids=["text", "empty", "broken"],
)
def test_file_that_is_no_h5_is_refused_at_its_place(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "net.weights.h5").write_bytes(content)

    assert refusal(tmp_path, f"MobileNetV2: {{weights: net.weights.h5, {ARGUMENTS}}}").startswith(
        "spec.yaml:4:30  model.layers[0].MobileNetV2.weights: holds no weights of this network: " + message
    )


def test_weights_of_another_network_are_refused(weights: Path, tmp_path: Path) -> None:
    arguments = ARGUMENTS.replace("0.35", "0.5")

    assert refusal(tmp_path, f"MobileNetV2: {{weights: {weights}, {arguments}}}").startswith(
        "spec.yaml:4:30  model.layers[0].MobileNetV2.weights: holds no weights of this network: "
    )


def test_file_without_the_weights_of_some_layers_is_refused(weights: Path, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "part.weights.h5"
    path.write_bytes(weights.read_bytes())
    with h5py.File(path, "r+") as file:
        del file["_layer_checkpoint_dependencies" if "_layer_checkpoint_dependencies" in file else "layers"]

    assert "model.layers[0].MobileNetV2.weights: " in refusal(
        tmp_path, f"MobileNetV2: {{weights: part.weights.h5, {ARGUMENTS}}}"
    )


@pytest.mark.parametrize(
    "value", ["imagenet", "noisy-student", "imagenet21k", "3", "''", "nowhere.h5", "https://example.com/a.h5"]
)
def test_nothing_is_ever_downloaded(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("looks for a file to download")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)

    assert "MobileNetV2.weights: " in refusal(tmp_path, f"MobileNetV2: {{weights: {value}, {ARGUMENTS}}}")


@pytest.mark.parametrize("argument", ["alpha: many", "include_top: maybe", "classes: -1"])
def test_refused_argument_downloads_nothing(
    argument: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        pytest.fail("looks for a file to download")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    for file in ("null", str(weights)):
        arguments = f"weights: {file}, {argument}, name: net"

        assert "model.layers[0].MobileNetV2" in refusal(tmp_path, f"MobileNetV2: {{{arguments}}}", "Flatten")


def test_network_needs_its_weights_said_and_stands_alone(tmp_path: Path) -> None:
    assert refusal(tmp_path, "MobileNetV2", "TimeDistributed: {layer: {MobileNetV2: {weights: null}}}") == (
        "spec.yaml:4:7  model.layers[0].MobileNetV2: missing argument 'weights'; write MobileNetV2: {weights: ...}\n"
        "spec.yaml:5:33  model.layers[1].TimeDistributed.layer: "
        "a ready network stands among model.layers itself, not inside another layer"
    )


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    one = f"MobileNetV2: {{weights: null, {ARGUMENTS}, inputs: a"
    layers = [
        "Identity: {name: a}",
        f"{one}, name: b}}",
        f"{one}}}",
        "Identity: {name: c}",
        "Add: {inputs: [b, c]}",
    ]
    twins = ["Identity: {name: a}", f"{one}}}", "Identity: {name: b}", *layers[2:]]

    assert build(load(tmp_path, *layers)).get_layer("b").name == "b"
    assert refusal(tmp_path, *twins) == (
        "spec.yaml:5:20  model.layers[1].MobileNetV2.name: "
        "the name 'mobilenetv2_0.35_32' is also that of model.layers[3]; choose another"
    )


def test_network_may_not_take_the_name_of_another_layer(tmp_path: Path) -> None:
    assert refusal(tmp_path, f"MobileNetV2: {{weights: null, {ARGUMENTS}, name: dense}}") == (
        "spec.yaml:4:89  model.layers[0].MobileNetV2.name: "
        "the name 'dense' is also that of model.layers[1]; choose another"
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ["Flatten", "MobileNetV2: {weights: null}"],
            "spec.yaml:5:7  model.layers[1].MobileNetV2: receives (batch, 3072), "
            "wants (batch, height, width, channels)",
        ),
        (
            ["MaxPooling2D", "MobileNetV2: {weights: null}"],
            "spec.yaml:5:7  model.layers[1].MobileNetV2: Input size must be at least 32x32; "
            "Received: input_shape=(16, 16, 3)",
        ),
    ],
)
def test_shape_that_a_network_cannot_take_is_refused(layers: list[str], message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, *layers) == message


RUN = """
data: {source: {digits: {test_split: 0.9}}}
model:
  layers:
    - Reshape: {target_shape: [8, 8, 1]}
    - UpSampling2D: {size: 4, name: large}
    - Concatenate: {inputs: [large, large, large]}
    - MobileNet: {weights: my.weights.h5, alpha: 0.25, include_top: false, pooling: avg, trainable: false}
    - Dense: {units: 10, activation: softmax}
training: {loss: sparse_categorical_crossentropy, epochs: 1, batch_size: 90, metrics: [accuracy]}
"""


def test_run_is_whole_without_the_file_of_weights(tmp_path: Path) -> None:
    arguments = {"input_shape": (32, 32, 3), "alpha": 0.25, "include_top": False, "pooling": "avg"}
    network = load_keras().applications.MobileNet(weights=None, **arguments)
    network.save_weights(tmp_path / "my.weights.h5")
    path = tmp_path / "spec.yaml"
    path.write_text(RUN)
    run, _ = experiment.train(path, display=Quiet(), runs_dir=tmp_path / "runs")
    first = next(array for name, array in run.checkpoints.read_model()[1].items() if "conv1/kernel" in name)
    result = run.result()
    (tmp_path / "my.weights.h5").unlink()

    np.testing.assert_array_equal(first, network.get_layer("conv1").get_weights()[0])
    assert result is not None
    assert inference.evaluate(str(run.path), display=Quiet())[1].facts["scores"] == result["test"]
    with pytest.raises(SpecError, match="there is no file"):
        load_spec(path)
