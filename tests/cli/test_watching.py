"""Watching a run that somebody else trains: by its files alone."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run
from typer.testing import CliRunner, Result

from nnrun.cli import watched, watching
from nnrun.cli.app import app
from nnrun.errors import RunError
from nnrun.store import lock
from nnrun.store.run import Run

TRAINING = {"epochs": 3, "batch_size": 4, "steps_per_epoch": 1, "monitor": "val_loss", "jit_compile": False}
Step = Callable[[], Any]


def row(epoch: int, loss: float, seconds: float = 0.1) -> dict[str, Any]:
    clocks = {"seconds": seconds, "examples_per_second": 40.0, "learning_rate": 0.1}
    return {"epoch": epoch, **clocks, "loss": 0.2, "val_loss": loss}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of three epochs, the second of them the best; it has no result and nobody trains it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNRUN_RUNS_DIR", raising=False)
    made = make_run(Path("runs"), finished=False)
    made.write_facts(made.facts() | {"training": TRAINING})
    write_rows(made, 0.9, 0.4, 0.5)
    return made


def write_rows(run: Run, *losses: float) -> None:
    """Replace the rows of a run."""
    (run.path / "metrics.jsonl").unlink(missing_ok=True)
    for epoch, loss in enumerate(losses, 1):
        run.append_row(row(epoch, loss))


def tear_line(run: Run, beginning: str) -> None:
    """Add a line of which the end is not written yet."""
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(beginning)


def finish(run: Run) -> None:
    rows = run.rows()
    best = min(rows, key=lambda one: one["val_loss"])
    result = {"status": "finished", "reason": "epochs", "epochs": len(rows), "monitor": "val_loss"}
    result |= {"best": best, "final": rows[-1], "model": {"weights": "best", "epoch": best["epoch"]}}
    run.write_result(result | {"seconds": 12.5, "test": {"loss": 0.3}})


def leave_holder(run: Run, host: str) -> None:
    """Who was killed left its name beside the lock."""
    (run.path / "lock.json").write_text(json.dumps({"pid": 1, "host": host}))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes each wait between two looks do the next step; after the last one, watching must have ended."""

    left: Iterator[Step] = iter(())

    def write(*steps: Step) -> None:
        nonlocal left
        left = iter(steps)

        def wait(seconds: float) -> None:
            assert seconds == watching.POLL_SECONDS
            next(left)()

        monkeypatch.setattr(watching.time, "sleep", wait)

    yield write
    assert list(left) == []  # watching did not end too early


def watch(*options: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["watch", "latest", *options])
    assert done.exit_code == code, done.output
    return done


def events() -> list[dict[str, Any]]:
    return [json.loads(line) for line in watch("--json").stdout.splitlines()]


def test_finished_run_shows_its_epochs_and_its_end_at_once(run: Run, script: Callable[..., None]) -> None:
    finish(run)
    script()

    done = watch()

    assert done.stderr.splitlines()[:2] == [
        "xor: xor, 4 training / 2 validation examples",
        f"33 parameters, 1 steps of 4 an epoch, cpu, no XLA; run {run.path}",
    ]
    assert [line.split("  lr")[0] for line in done.stderr.splitlines()[2:]] == [
        "epoch 1/3  loss 0.2000  val_loss 0.9000",
        "epoch 2/3  loss 0.2000  val_loss 0.4000",
        "epoch 3/3  loss 0.2000  val_loss 0.5000",
    ]
    assert [line.endswith("best") for line in done.stderr.splitlines()[2:]] == [True, True, False]
    assert done.stdout.splitlines() == [
        "best: epoch 2 by val_loss  loss 0.2000  val_loss 0.4000",
        "last: epoch 3  loss 0.2000  val_loss 0.5000",
        "test: loss 0.3000  (best weights, epoch 2)",
        "time: 0:12",
        f"run: {run.path}",
        f"next: nnrun show {run.id}",
        f"      nnrun evaluate {run.id}",
    ]


def test_epochs_are_shown_as_they_come(run: Run, script: Callable[..., None]) -> None:
    write_rows(run, 0.9)
    with lock.hold(run.path / "lock"):
        script(
            lambda: None,
            lambda: run.append_row(row(2, 0.4)),
            lambda: tear_line(run, '{"epoch": 3, "sec'),
            lambda: (write_rows(run, 0.9, 0.4, 0.5), finish(run)),
            lambda: os.utime(run.path / "result.json", (1, 1)),  # the writer is done with the report
        )
        shown = events()

    assert [one["event"] for one in shown] == ["start", "epoch", "epoch", "epoch", "result"]
    assert [(one["epoch"], one["best"]) for one in shown[1:4]] == [(1, True), (2, True), (3, False)]
    assert shown[-1]["reason"] == "epochs"


def test_report_is_waited_for_while_its_writer_is_there(run: Run, script: Callable[..., None]) -> None:
    finish(run)
    holding = lock.hold(run.path / "lock")
    holding.__enter__()

    def report() -> None:
        (run.path / "report.html").write_text("")
        holding.__exit__(None, None, None)

    script(report)

    assert f"report: {run.path / 'report.html'}" in watch().stdout.splitlines()


@pytest.mark.parametrize(("holder", "word"), [(None, "interrupted"), (socket.gethostname(), "killed")])
def test_training_that_is_over_says_how_to_go_on(
    holder: str | None, word: str, run: Run, script: Callable[..., None]
) -> None:
    if holder:
        leave_holder(run, holder)
    script()

    lines = watch().stdout.splitlines()

    assert lines[0].startswith(f"{word}: after 3 whole epochs; ")
    assert lines[-1] == f"next: nnrun resume {run.id}"


def test_lost_training_names_what_was_lost_and_a_lower_rate(run: Run, script: Callable[..., None]) -> None:
    run.write_divergence({"seen": "loss is nan in epoch 4\x1b[2J", "epoch": 4, "step": 7})
    script()

    lines = watch().stdout.splitlines()

    assert lines[0] == "diverged: loss is nan in epoch 4\\x1b[2J; after 3 whole epochs"
    assert lines[-1] == f"next: nnrun resume {run.id} training.learning_rate=0.01"


def test_training_that_is_resumed_is_followed_from_its_checkpoint(
    run: Run, script: Callable[..., None]
) -> None:
    def train() -> None:
        run.append_row(row(2, 0.95))
        run.append_row(row(3, 0.8))

    with lock.hold(run.path / "lock"):
        script(
            lambda: run.cut_rows(1), train, lambda: (finish(run), os.utime(run.path / "result.json", (1, 1)))
        )
        shown = events()

    after = shown[4:]
    assert after[0] == {"event": "note", "message": "the training went on from a checkpoint, after epoch 1"}
    assert [(one["epoch"], one["best"]) for one in after[1:3]] == [(2, False), (3, True)]
    assert after[-1]["best"]["epoch"] == 3


class Clock:
    """Stands for the module ``time``: a second passes with every step of its own."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now

    monotonic = time


def test_run_of_another_machine_is_running_while_its_files_change(
    run: Run, script: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of another machine may not be seen on a shared disk."""
    clock = Clock()
    monkeypatch.setattr(watched, "time", clock)
    leave_holder(run, "elsewhere")

    def later(seconds: float, *, row_of: int = 0) -> Step:
        def step() -> None:
            clock.now += seconds
            if row_of:
                run.append_row(row(row_of, 0.3, seconds=60.0))

        return step

    # 119 seconds of silence are too few; after an epoch of a minute, five minutes of it are needed.
    script(later(119), later(0, row_of=4), later(299), later(2))

    shown = events()

    assert [one["event"] for one in shown] == ["start", *["epoch"] * 4, "result"]
    assert shown[-1]["reason"] == "killed"


def test_run_of_another_machine_that_is_long_silent_is_over_at_the_first_look(
    run: Run, script: Callable[..., None]
) -> None:
    leave_holder(run, "elsewhere")
    for path in (*run.path.iterdir(), run.path):
        os.utime(path, (time.time() - 500,) * 2)
    script()

    assert watch().stdout.startswith("killed: after 3 whole epochs")


@pytest.mark.parametrize("option", ["--json", ""])
def test_interrupt_leaves_the_training_alone(option: str, run: Run, script: Callable[..., None]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    with lock.hold(run.path / "lock"):
        script(interrupt)
        done = watch(*[option] * bool(option), code=130)

    assert ("the training goes on by itself" in done.stderr) == (not option)
    assert {path: path.read_bytes() for path in before} == before


def test_run_that_is_removed_is_an_error(run: Run, script: Callable[..., None]) -> None:
    with lock.hold(run.path / "lock"):
        script(lambda: (run.path / "run.json").unlink())

        assert "run.json is missing" in watch(code=4).stderr


def damage_facts(run: Run, **training: Any) -> None:
    run.write_facts(run.facts() | {"training": TRAINING | training})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: damage_facts(run, batch_size=[1]), "training.batch_size is [1]"),
        (lambda run: damage_facts(run, batch_size=10**400), "training.batch_size is 1000"),
        (lambda run: run.append_row({"epoch": 4}), "metrics.jsonl:4 is damaged"),
        (lambda run: run.append_row(row(99, 0.1)), "metrics.jsonl:4 is damaged"),
        (lambda run: run.append_row(row(4, 0.1) | {"loss": "<b>"}), "metrics.jsonl:4 is damaged"),
        (lambda run: run.write_result({"reason": 3}), "result.json is damaged"),
        (lambda run: run.write_result({"best": {"epoch": []}}), "result.json is damaged"),
        (lambda run: run.write_config("name: xor\ntraining: {epochs: many}\n"), "training.epochs is 'many'"),
    ],
)
def test_damaged_run_is_an_error_with_its_file(
    damage: Callable[[Run], None], message: str, run: Run, script: Callable[..., None]
) -> None:
    damage(run)
    script()

    assert message in watch(code=4).stderr


def test_names_of_a_strangers_run_cannot_repaint_the_screen(run: Run, script: Callable[..., None]) -> None:
    paint = "\x1b[2J\u202e[red]"
    run.write_facts(run.facts() | {"name": paint, "data": run.facts()["data"] | {"name": paint}})
    (run.path / "metrics.jsonl").unlink()
    run.append_row(row(1, 0.5) | {paint: 0.5})
    script()

    done = watch()

    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
    assert "\\x1b[2J\\u202e[red] 0.5000" in done.stderr


def test_rows_are_read_as_they_grow_and_anew_when_they_were_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    epochs = watched.Epochs(path)
    lines = [json.dumps(row(epoch, 1 / epoch)) + "\n" for epoch in range(1, 5)]
    seen = []

    assert epochs.read() == 0  # no file yet
    for text in (
        lines[0],
        lines[0] + lines[1][:9],
        lines[0] + lines[1],
        "".join(lines),
        lines[0] + lines[2][:5],
    ):
        path.write_text(text)
        seen.append((epochs.read(), len(epochs.rows)))

    assert seen == [(1, 1), (1, 1), (2, 2), (4, 4), (1, 1)]


def test_zeros_after_a_power_cut_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(json.dumps(row(1, 0.5)).encode() + b"\n" + b"\0" * 50 + b"\n")
    epochs = watched.Epochs(path)

    epochs.read()

    assert len(epochs.rows) == 1


def test_pipe_in_the_place_of_the_rows_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")

    with pytest.raises(RunError, match="no ordinary file"):
        watched.Epochs(tmp_path / "metrics.jsonl").read()


def test_watching_loads_nothing_heavy(run: Run) -> None:
    finish(run)
    heavy = ("tensorflow", "keras", "numpy", "polars", "matplotlib")
    program = (
        "import sys; from nnrun.cli.app import app\n"
        "try: app(['watch', 'latest'])\nexcept SystemExit as ended: assert not ended.code\n"
        f"print('loaded:', *[name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded:"


def lines_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout
    return map(json.loads, process.stdout)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_real_training_is_watched_until_it_is_killed(tmp_path: Path, repository: Path) -> None:
    config = repository / "configs" / "digits.yaml"
    nnrun = [sys.executable, "-m", "nnrun"]
    train = subprocess.Popen(
        [*nnrun, "train", str(config), "training.epochs=100000", "--runs-dir", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    next(one for one in lines_of(train) if one["event"] == "epoch")
    look = subprocess.Popen(
        [*nnrun, "watch", "latest", "--runs-dir", str(tmp_path), "--json"], stdout=subprocess.PIPE, text=True
    )

    seen = list(itertools.islice((one for one in lines_of(look) if one["event"] == "epoch"), 50))
    train.kill()
    train.communicate()
    rest = [json.loads(line) for line in look.communicate()[0].splitlines()]

    assert [one["epoch"] for one in seen] == list(range(1, 51))
    assert look.returncode == 0
    assert (rest[-1]["event"], rest[-1]["reason"]) == ("result", "killed")
    assert rest[-1]["next"][0].startswith("nnrun resume ")
