"""What the training runs on, by fixed rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import ResourceError
from nnrun.keras_backend import load_keras, load_tensorflow
from nnrun.model.parts import make_part
from nnrun.spec.load import load_spec
from nnrun.spec.schema import Choice, RuntimeSection
from nnrun.training.devices import (
    XLA_WORTHWHILE_STEPS,
    Devices,
    choose_jit,
    choose_precision,
    cpu_flags,
    has_small_steps,
    prepare_devices,
)

pytestmark = pytest.mark.tensorflow

CPU = Devices("cpu", 0, "none", deterministic=True)
GPU = Devices("gpu", 0, "none", deterministic=False)
ENOUGH = XLA_WORTHWHILE_STEPS
DENSE: list[Any] = ["Flatten", {"Dense": {"units": 2}}]
IMAGE: list[Any] = [{"Reshape": {"target_shape": [8, 8, 1]}}]
WORDS: list[Any] = [{"Reshape": {"target_shape": [8, 8]}}]


def model_of(layers: list[Any]) -> Any:
    keras = load_keras()
    return keras.Sequential([keras.Input((64,)), *(make_part("layer", Choice.parse(one)) for one in layers)])


@pytest.mark.parametrize(
    ("layers", "steps", "devices", "expected"),
    [
        (DENSE, ENOUGH, CPU, True),
        (DENSE, ENOUGH - 1, CPU, False),
        (["BatchNormalization", *DENSE], ENOUGH, CPU, True),
        ([*WORDS, {"LSTM": {"units": 2}}], ENOUGH, CPU, True),
        ([*IMAGE, "GlobalAveragePooling2D"], ENOUGH, CPU, True),
        ([*IMAGE, {"Conv2D": {"filters": 1, "kernel_size": 3}}], ENOUGH, CPU, False),
        ([*IMAGE, {"SeparableConv2D": {"filters": 1, "kernel_size": 3}}], ENOUGH, CPU, False),
        ([*IMAGE, "MaxPooling2D"], ENOUGH, CPU, False),
        ([*IMAGE, {"AveragePooling2D": {"pool_size": 2}}], ENOUGH, CPU, False),
        ([*WORDS, {"TimeDistributed": {"layer": {"Dropout": {"rate": 0.5}}}}], ENOUGH, CPU, False),
        ([*DENSE, {"Dropout": {"rate": 0.5}}], ENOUGH, CPU, False),
        ([*DENSE, {"GaussianNoise": {"stddev": 0.5}}], ENOUGH, CPU, False),
        ([*WORDS, {"LSTM": {"units": 2, "dropout": 0.1}}], ENOUGH, CPU, False),
        ([*WORDS, {"GRU": {"units": 2, "recurrent_dropout": 0.1}}], ENOUGH, CPU, False),
        ([*WORDS, {"Bidirectional": {"layer": {"LSTM": {"units": 2, "dropout": 0.1}}}}], ENOUGH, CPU, False),
        ([*IMAGE, {"Conv2D": {"filters": 1, "kernel_size": 3}}], ENOUGH, GPU, True),
        ([*DENSE, {"Dropout": {"rate": 0.5}}], ENOUGH, GPU, True),
        (DENSE, ENOUGH, Devices("gpu", 0, "none", deterministic=True), False),
        (DENSE, ENOUGH, Devices("cpu", 0, "mirrored", deterministic=True), False),
    ],
)
def test_xla_follows_the_rule_of_layers_steps_and_devices(
    layers: list[Any], steps: int, devices: Devices, expected: bool
) -> None:
    assert choose_jit(RuntimeSection(), model_of(layers), devices, steps) is expected


def test_xla_is_not_used_where_a_layer_rules_it_out() -> None:
    model = model_of(DENSE)
    model.layers[-1].supports_jit = False
    assert choose_jit(RuntimeSection(), model, CPU, ENOUGH) is False


@pytest.mark.parametrize("wanted", [True, False])
def test_xla_as_written_is_not_overridden(wanted: bool) -> None:
    model = model_of([*IMAGE, "MaxPooling2D"] if wanted else DENSE)
    assert choose_jit(RuntimeSection(jit_compile=wanted), model, CPU, 1 if wanted else ENOUGH) is wanted


def test_gpu_that_is_not_there_is_an_error_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_tensorflow().config, "list_physical_devices", lambda kind: [])
    with pytest.raises(ResourceError) as caught:
        prepare_devices(RuntimeSection(device="gpu"))
    assert str(caught.value) == (
        "runtime.device is gpu, but TensorFlow finds no GPU here; install tensorflow[and-cuda] and a driver, "
        "or set runtime.device=cpu"
    )


def test_threads_after_the_first_operation_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tensorflow().constant(1) + 1
    with pytest.raises(ResourceError, match=r"^runtime\.threads can be set only once in a process"):
        prepare_devices(RuntimeSection(device="cpu", threads=3))


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [({"avx2"}, "float32"), ({"avx2", "avx512_bf16"}, "mixed_bfloat16"), ({"amx_bf16"}, "mixed_bfloat16")],
)
def test_precision_auto_follows_the_processor(
    flags: set[str], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices, _ = prepare_devices(RuntimeSection(device="cpu"))
    monkeypatch.setattr("nnrun.training.devices.cpu_flags", lambda: flags)

    assert choose_precision("auto", devices) == chosen
    assert choose_precision("float32", devices) == "float32"
    assert choose_precision("mixed_float16", devices) == "mixed_float16"


def test_flags_of_the_processor_are_read() -> None:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if "flags" not in text:
        pytest.skip("the processor says nothing of itself in /proc/cpuinfo")
    assert cpu_flags() and all(f" {flag}" in text for flag in cpu_flags())


def test_cpu_is_prepared_and_recorded() -> None:
    devices, replicas = prepare_devices(RuntimeSection(device="cpu"))

    assert devices.facts() == {
        "device": "cpu",
        "threads": load_tensorflow().config.threading.get_intra_op_parallelism_threads(),
        "strategy": "none",
        "deterministic": True,
        "workers": 1,
        "replicas": 1,
    }
    assert replicas.count == 1 and replicas.is_chief


@pytest.mark.parametrize(
    ("layers", "batch_size", "small"),
    [
        ("[Flatten, {Dense: {units: 32}}, {Dense: {units: 10}}]", 32, True),
        ("[Flatten, {Dense: {units: 64}}, {Dense: {units: 10}}]", 32, False),
        ("[Flatten, {Dense: {units: 32}}, {Dense: {units: 10}}]", 128, False),
        ("[Flatten, {Dropout: {rate: 0.5}}, {Dense: {units: 10}}]", 32, True),
        ("[{Reshape: {target_shape: [28, 28, 1]}}, {Conv2D: {filters: 2, kernel_size: 3}}, Flatten]", 1, False),
        ("[{Dense: {units: 2}}, Flatten]", 1, False),  # along an axis: its weights multiply many times
        ("[{LSTM: {units: 1}}]", 1, False),
    ],
)  # fmt: skip
def test_steps_are_small_by_their_multiplications(
    layers: str, batch_size: int, small: bool, tmp_path: Path
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(
        f"data: {{source: mnist}}\nmodel: {{layers: {layers}}}\n"
        f"training: {{loss: mse, batch_size: {batch_size}}}\n"
    )
    assert has_small_steps(load_spec(path)) == small


def test_small_steps_take_one_thread_where_nothing_ran_yet() -> None:
    program = (
        "from nnrun.spec.schema import RuntimeSection\n"
        "from nnrun.training.devices import prepare_devices, set_threads\n"
        "print(set_threads(RuntimeSection(), is_small=True), prepare_devices(RuntimeSection())[0].threads)\n"
        "print(set_threads(RuntimeSection(threads=3), is_small=True))\n"
        "from nnrun.keras_backend import load_tensorflow\n"
        "load_tensorflow().constant(1) + 1\n"
        "print(set_threads(RuntimeSection(), is_small=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["1", "1", "3", "3"]
