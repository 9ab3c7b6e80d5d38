"""How a training is put into words: what is trained, what came out, and what to do next."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import Any

from nnrun.cli.console import printable
from nnrun.cli.figures import BEST, duration, number
from nnrun.errors import RunError
from nnrun.store.reading import is_own_file, read_map_or_none
from nnrun.store.run import Run
from nnrun.store.runs import FIGURES
from nnrun.store.trash import files_in

__all__ = ["BEST", "closing", "duration", "is_shown", "metric_text", "number", "opening", "stride"]

MOST_LINES = 50
"""A run of more epochs shows every second, fifth, tenth ... of them; all are in metrics.jsonl."""

PARTS = (("train", "training"), ("validation", "validation"), ("test", "test"))

EVENTS = "events.out.tfevents"
"""Beginning of the names of TensorBoard's files."""

ENDINGS = {
    "callback": ("stopped", "by a callback after epoch {epochs}"),
    "interrupted": ("interrupted", "after {epochs} whole epochs; history, checkpoint and model are kept"),
    "killed": ("killed", "after {epochs} whole epochs; it goes on from its newest checkpoint"),
    "diverged": ("diverged", "{lost}; after {epochs} whole epochs"),
}
"""By the reason why a training ended, where there is more to say than that it is done."""


def stride(epochs: int) -> int:
    """Every how manieth epoch gets a line: 1, 2, 5, 10, 20, 50 ..."""
    step, factors = 1, (2, 2.5, 2)
    turn = 0
    while epochs > MOST_LINES * step:
        step = int(step * factors[turn % 3])
        turn += 1
    return step


def opening(facts: dict[str, Any], run: Run) -> list[str]:
    """What is trained on what, in two lines."""
    data, training, devices = facts["data"], facts["training"], facts["devices"]
    parts = [f"{data[part]:,} {word}" for part, word in PARTS if data[part]]
    compiled = "XLA" if training["jit_compile"] else "no XLA"
    return [
        f"{facts['name']}: {data['name']}, {' / '.join(parts)} examples",
        f"{facts['model']['parameters']:,} parameters, {training['steps_per_epoch']:,} steps of "
        f"{training['batch_size']:,} an epoch, {devices['device']}, {compiled}; run {run.path}",
    ]


def metric_text(row: dict[str, Any]) -> str:
    """Losses and metrics of a row: ``loss 0.2791  accuracy 0.9187``."""
    return "  ".join(
        f"{printable(name)} {number(value)}" for name, value in row.items() if name not in FIGURES
    )


def is_shown(epoch: int, epochs: int, every: int) -> bool:
    """Whether an epoch gets a line of its own."""
    return epoch in (1, epochs) or epoch % every == 0


def closing(run: Run, result: dict[str, Any]) -> list[tuple[str, str]]:
    """What came out, where it is, and what to do next."""
    lines = []
    if ending := ENDINGS.get(result["reason"]):
        lines.append((ending[0], ending[1].format(epochs=result["epochs"], lost=result.get("lost"))))
    best, final = result["best"], result["final"]
    if best:
        lines.append(("best", f"epoch {best['epoch']} by {result['monitor']}  {metric_text(best)}"))
    if final and final != best:
        lines.append(("last", f"epoch {final['epoch']}  {metric_text(final)}"))
    if "test" in result:
        kept = result["model"]
        lines.append(
            ("test", f"{metric_text(result['test'])}  ({kept['weights']} weights, epoch {kept['epoch']})")
        )
    lines.append(("time", duration(result["seconds"])))
    lines += written(run)
    commands = result.get("next") or next_commands(run, result["reason"])
    lines += [("" if place else "next", text) for place, text in enumerate(commands)]
    return [(name, printable(text)) for name, text in lines]


def written(run: Run) -> Iterator[tuple[str, str]]:
    """What a person can look at in a run: itself, its page, and what its callbacks wrote for other programs."""
    yield "run", str(run.path)
    if is_own_file(run.path / "report.html"):
        yield "report", str(run.path / "report.html")
    inside = [path.relative_to(run.path).parts for path, _ in files_in(run.path)]
    for folder in sorted(
        {parts[0] if parts[1:] else "." for parts in inside if parts[-1].startswith(EVENTS)}
    ):
        yield "tensorboard", f"tensorboard --logdir {shlex.quote(str(run.path / folder))}"
    with contextlib.suppress(RunError):
        yield from _told(run)


def _told(run: Run) -> Iterator[tuple[str, str]]:
    """Where trackers were told of a run."""
    mlflow = read_map_or_none(run.path / "mlflow.json")
    if mlflow:
        yield "mlflow", f"run {mlflow.get('run_id')} of the experiment {mlflow.get('experiment')}"
    wandb = read_map_or_none(run.path / "wandb.json") or {}
    if wandb.get("url"):
        yield "wandb", str(wandb["url"])
    elif wandb.get("part"):
        yield "wandb", f"wandb sync {shlex.quote(str(run.path / 'wandb' / str(wandb['part'])))}"


def next_commands(run: Run, reason: str) -> list[str]:
    """What to do with a run whose training has just ended."""
    from nnrun.cli.showing import callable_name

    name = shlex.quote(callable_name(run))
    if reason == "interrupted":
        return [f"nnrun resume {name}"]
    return [f"nnrun {verb} {name}" for verb in ("show", "evaluate")]
