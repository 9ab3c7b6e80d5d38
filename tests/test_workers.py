"""Several workers share a training: the numbers of one, equal weights on all, and nothing lost with any of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet import Quiet

from nnrun import experiment
from nnrun.cli import app as cli
from nnrun.errors import ResourceError, SpecError
from nnrun.store.run import Run
from nnrun.store.runs import list_runs
from nnrun.training import cluster
from nnrun.training.cluster import Cluster, find_cluster

DATA = Path(__file__).parents[1] / "configs" / "data"
SECONDS = 120
"""How long a training of workers may take on a busy machine."""

DIGITS = """
name: shared
seed: 5
data: {{source: digits}}
model:
  layers: [{layers}, {{Dense: {{units: 10, activation: softmax}}}}]
training:
  loss: sparse_categorical_crossentropy
  optimizer: {optimizer}
  metrics: [accuracy]
  epochs: 3
  batch_size: 63  # no share is as large as another
  validation_split: 0.1
  callbacks:
    - EarlyStopping: {{monitor: val_loss, patience: {patience}, min_delta: {delta}, restore_best_weights: true}}
runtime: {{jit_compile: false}}
"""
MLP = "Flatten, {Dense: {units: 16, activation: relu}}"

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from nnrun import experiment
from nnrun.training.checkpoint import training_arrays
from nnrun.training.record import Recorder
from quiet import Quiet

keep = Recorder.keep

def spy(self, **chosen):
    arrays = training_arrays(self.model)
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "examples_per_second")} for row in self.rows]
    np.savez(sys.argv[2], rows=np.array([list(row.values()) for row in rows]), **arrays)
    return keep(self, **chosen)

Recorder.keep = spy
experiment.train(Path(sys.argv[1]), sys.argv[4:], display=Quiet(), runs_dir=Path(sys.argv[3]))
"""


def digits(
    folder: Path, layers: str = MLP, optimizer: str = "adam", delta: float = 0.0, patience: int = 0
) -> Path:
    path = folder / "shared.yaml"
    path.write_text(DIGITS.format(layers=layers, optimizer=optimizer, delta=delta, patience=patience))
    return path


def wine(folder: Path) -> Path:
    path = folder / "wine.yaml"
    path.write_text(
        f"data: {{source: {{csv: {{path: {DATA / 'wine.csv'}, target: cultivar}}}}, cache: none}}\n"
        "model: {layers: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3, activation: softmax}}]}\n"
        "training: {loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 4, batch_size: 24}\n"
        "runtime: {jit_compile: false}\n"
    )
    return path


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def environment(workers: Sequence[str], index: int) -> dict[str, str]:
    """What a worker is told; nothing where it is alone."""
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "TF_NUM_INTRAOP_THREADS": "1"}
    if len(workers) > 1:
        task = {"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}}
        variables["TF_CONFIG"] = json.dumps(task)
    return variables


def train_together(config: Path, workers: int, folder: Path, *overrides: str) -> list[dict[str, Any]]:
    """What each of so many workers ends with: its rows and all its variables."""
    folder.mkdir()
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    files = [folder / f"worker-{index}.npz" for index in range(workers)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(config), str(file), str(folder / "runs"), *overrides],
            env=environment(addresses, index),
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, file in enumerate(files)
    ]
    for process in processes:
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said
    return [dict(np.load(file)) for file in files]


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("workers", "make"),
    [
        pytest.param(2, lambda folder: digits(folder, optimizer="{Adam: {clipnorm: 0.5}}"), id="adam_clipped"),
        *(
            pytest.param(*case, id=name, marks=pytest.mark.slow)
            for name, case in {
                "four": (4, lambda folder: digits(folder)),
                "sgd": (2, lambda folder: digits(folder, optimizer="{SGD: {learning_rate: 0.1, momentum: 0.9}}")),
                "four_sgd": (4, lambda folder: digits(folder, optimizer="{SGD: {learning_rate: 0.1}}")),
                "stopped_early": (2, lambda folder: digits(folder, delta=10)),
                "averaged": (2, lambda folder: digits(folder, optimizer="{AdamW: {use_ema: true}}")),
                "embedding": (
                    2,
                    lambda folder: digits(folder, "Flatten, {Embedding: {input_dim: 17, output_dim: 4}}, Flatten"),
                ),
                "regularized": (
                    2,
                    lambda folder: digits(folder, "Flatten, {Dense: {units: 8, kernel_regularizer: l2}}"),
                ),
                "streamed": (2, wine),
                "streamed_by_three": (3, wine),
            }.items()
        ),
    ],
)  # fmt: skip
def test_workers_give_the_numbers_of_one_and_have_equal_weights(
    workers: int, make: Any, tmp_path: Path
) -> None:
    config = make(tmp_path)
    (alone,) = train_together(config, 1, tmp_path / "alone")
    together = train_together(config, workers, tmp_path / "together")

    for index, one in enumerate(together):
        assert one.keys() == alone.keys()
        for name, values in one.items():
            assert np.array_equal(values, together[0][name]), f"{name} of worker {index} is another"
            assert np.allclose(values, alone[name], rtol=1e-5, atol=1e-6), f"{name} is not as with one worker"
    assert np.abs(together[0]["rows"] - alone["rows"]).max() <= 1e-6
    (run,) = list_runs(tmp_path / "together" / "runs")  # the chief's alone
    assert run.facts()["devices"]["workers"] == workers
    assert run.result() is not None


def launched(config: str, folder: Path, *arguments: str, workers: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nnrun", "launch", config, "--workers", str(workers), *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment([], 0)
    )


def wait_for_checkpoint(runs: Path) -> Run:
    """The run, as soon as it can be resumed."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := [run for run in (list_runs(runs) if runs.is_dir() else []) if run.checkpoints.paths()]:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no checkpoint was written")


def worker_of(run: Run, launcher: int, index: int) -> int:
    """The process of a worker."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    told = {child: Path(f"/proc/{child}/environ").read_text() for child in children}
    return next(int(child) for child, text in told.items() if f'"index": {index}' in text)


@pytest.mark.tensorflow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers in /proc")
def test_training_goes_on_with_another_number_of_workers_when_one_is_killed(tmp_path: Path) -> None:
    config = digits(tmp_path, patience=1000)
    launcher = launched(config.name, tmp_path, "training.epochs=100000", "runtime.checkpoint_seconds=0")
    run = wait_for_checkpoint(tmp_path / "runs")
    os.kill(worker_of(run, launcher.pid, 1), signal.SIGKILL)
    _, said = launcher.communicate(timeout=SECONDS)

    assert launcher.returncode == ResourceError.exit_code
    assert "error: worker 1 (127.0.0.1:" in said and f"nnrun launch {run.id} --workers N" in said
    assert "worker 1 was killed by signal 9" in said
    assert run.status() == "interrupted" and run.result() is None
    epochs = len(run.rows()) + 2
    resumed = Quiet()
    _, ending = experiment.resume(str(run.path), [f"training.epochs={epochs}"], display=resumed)
    whole, _ = experiment.train(
        config, [f"training.epochs={epochs}"], display=Quiet(), runs_dir=tmp_path / "one"
    )
    assert ending.reason == "epochs" and len(run.rows()) == epochs
    assert [warning for warning in resumed.warnings if "not bit-exact" in warning]
    for shared, alone in zip(run.rows(), whole.rows(), strict=True):
        assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-4, abs=1e-5)


@pytest.mark.tensorflow
def test_run_of_one_process_goes_on_with_several(tmp_path: Path) -> None:
    run, _ = experiment.train(
        digits(tmp_path), ["training.epochs=1"], display=Quiet(), runs_dir=tmp_path / "runs"
    )
    launcher = launched(str(run.path), tmp_path, "training.epochs=2")
    _, said = launcher.communicate(timeout=SECONDS)

    assert launcher.returncode == 0, said
    assert len(run.rows()) == 2 and run.status() == "finished"
    assert not run.resumes()[0]["exact"]


@pytest.mark.tensorflow
@pytest.mark.slow
def test_signal_to_the_launcher_stops_all_workers_and_launch_goes_on(tmp_path: Path) -> None:
    config = digits(tmp_path, patience=1000)
    launcher = launched(config.name, tmp_path, "training.epochs=100000", "runtime.checkpoint_seconds=0")
    run = wait_for_checkpoint(tmp_path / "runs")
    launcher.send_signal(signal.SIGTERM)
    launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 128 + signal.SIGTERM
    assert run.status() == "interrupted"

    epochs = len(run.rows()) + 2
    again = launched(str(run.path), tmp_path, f"training.epochs={epochs}", workers=3)
    _, said = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said
    assert run.status() == "finished" and len(run.rows()) == epochs


@pytest.mark.tensorflow
@pytest.mark.slow
def test_workers_with_another_specification_are_refused(tmp_path: Path) -> None:
    config = digits(tmp_path)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    command = [sys.executable, "-m", "nnrun", "train", str(config), "--runs-dir", str(tmp_path / "runs")]
    workers = [
        subprocess.Popen([*command, f"seed={index}"], env=environment(addresses, index), stderr=subprocess.PIPE)
        for index in range(2)
    ]  # fmt: skip
    for worker in workers:
        _, said = worker.communicate(timeout=SECONDS)
        assert worker.returncode == ResourceError.exit_code
        assert b"the workers differ in their specification, their data or their versions" in said
    assert list_runs(tmp_path / "runs") == []


def test_worker_that_does_not_come_is_named_in_time() -> None:
    here, silent = free_ports(2)
    started = time.monotonic()
    with pytest.raises(ResourceError) as caught:
        cluster._wait_for_others(Cluster((f"127.0.0.1:{here}", f"127.0.0.1:{silent}"), 0), 0.3)

    assert str(caught.value).startswith(f"worker 1 (127.0.0.1:{silent}) did not come within 0.3 seconds; ")
    assert time.monotonic() - started < 10


def test_port_of_another_program_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ResourceError, match=f"^worker 0 \\({address}\\) cannot listen at its port: "):
            cluster._wait_for_others(Cluster((address, address), 0), 0.3)


WORKERS = '{"worker": ["a:1", "b:2"]}'


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"TF_CONFIG": ""}, None),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'}, None),
        (
            {"TF_CONFIG": f'{{"cluster": {WORKERS}, "task": {{"type": "worker", "index": 1}}}}'},
            Cluster(("a:1", "b:2"), 1),
        ),
        (
            {"TF_CONFIG": '{"cluster": {"chief": ["c:0"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'},
            Cluster(("c:0", "a:1"), 1),
        ),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, None),
    ],
)  # fmt: skip
def test_cluster_is_found_in_the_environment(variables: dict[str, str], found: Cluster | None) -> None:
    assert find_cluster(variables) == found


@pytest.mark.tensorflow
def test_cluster_of_slurm_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "SLURM_PROCID": "3",
        "SLURM_STEP_NUM_TASKS": "5",
        "SLURM_STEP_NODELIST": "node[01-03]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TF_CONFIG", raising=False)

    assert find_cluster() == Cluster(
        ("node01:8888", "node01:8889", "node02:8888", "node02:8889", "node03:8888"), 3
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '"worker"',
        '{"cluster": {}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "evaluator", "index": 0}}',
        '{"cluster": {"worker": 7}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_senseless_variable_is_refused(text: str) -> None:
    with pytest.raises(ResourceError, match=r"^TF_CONFIG "):
        find_cluster({"TF_CONFIG": text})


@pytest.mark.tensorflow
def test_several_workers_without_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ResourceError) as caught:
        experiment.train(
            digits(tmp_path),
            ["runtime.strategy=multi_worker"],
            display=Quiet(),
            runs_dir=tmp_path / "runs",
        )

    assert str(caught.value) == (
        "runtime.strategy is multi_worker, and nothing names the workers; TF_CONFIG names the workers; "
        "nnrun launch CONFIG --workers N starts some here"
    )
    assert list_runs(tmp_path / "runs") == []


@pytest.mark.tensorflow
def test_accumulation_on_several_devices_is_refused() -> None:
    from nnrun.keras_backend import load_keras
    from nnrun.training.replicas import refuse_accumulation

    optimizers = load_keras().optimizers
    refuse_accumulation(optimizers.Adam())
    for optimizer in (
        optimizers.Adam(gradient_accumulation_steps=3),
        optimizers.LossScaleOptimizer(optimizers.SGD(gradient_accumulation_steps=2)),
    ):
        with pytest.raises(ResourceError, match=r"^gradient_accumulation_steps works on one device only"):
            refuse_accumulation(optimizer)


@pytest.mark.tensorflow
def test_xla_and_several_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"^runtime\.jit_compile=true compiles the steps of one device"):
        experiment.train(
            digits(tmp_path),
            ["runtime.strategy=mirrored", "runtime.jit_compile=true"],
            display=Quiet(),
            runs_dir=tmp_path / "runs",
        )


def test_launch_refuses_once_what_every_worker_would(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    config = str(digits(tmp_path))
    refused = CliRunner().invoke(cli.app, ["launch", config, "runtime.strategy=none"])
    wrong = CliRunner().invoke(cli.app, ["launch", config, "training.epoch=3"])

    assert refused.exit_code == wrong.exit_code == SpecError.exit_code
    assert "runtime.strategy: none shares no step among workers" in refused.output
    assert wrong.output.count("did you mean") == 1
