"""How a training is put into words: figures, durations, what is trained, what came out."""

from __future__ import annotations

from typing import Any

from nnrun.cli.console import printable
from nnrun.store.run import Run
from nnrun.training.loop import Row

MOST_LINES = 50
"""A run of more epochs shows every second, fifth, tenth ... of them; all are in metrics.jsonl."""

BEST = "★"


def stride(epochs: int) -> int:
    """Every how manieth epoch gets a line: 1, 2, 5, 10, 20, 50 ..."""
    step, factors = 1, (2, 2.5, 2)
    turn = 0
    while epochs > MOST_LINES * step:
        step = int(step * factors[turn % 3])
        turn += 1
    return step


def number(value: float) -> str:
    """A loss or a metric in a few characters: ``0.0719``, ``12.34``, ``1.2e-05``."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03``; tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


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


PARTS = (("train", "training"), ("validation", "validation"), ("test", "test"))
FIGURES = ("epoch", "seconds", "examples_per_second", "learning_rate")


def metric_text(row: Row) -> str:
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
    if result["reason"] == "callback":
        lines.append(("stopped", f"by a callback after epoch {result['epochs']}"))
    if result["reason"] == "interrupted":
        lines.append(
            ("interrupted", f"after {result['epochs']} whole epochs; history, checkpoint and model are kept")
        )
    best, final = result["best"], result["final"]
    if best:
        lines.append(("best", f"epoch {best['epoch']} by {result['monitor']}  {metric_text(best)}"))
    if final and final != best:
        lines.append(("last", f"epoch {final['epoch']}  {metric_text(final)}"))
    if "test" in result:
        scores = "  ".join(f"{printable(name)} {number(value)}" for name, value in result["test"].items())
        lines.append(
            ("test", f"{scores}  ({result['model']['weights']} weights, epoch {result['model']['epoch']})")
        )
    lines.append(("time", duration(result["seconds"])))
    lines.append(("run", str(run.path)))
    if result["reason"] == "interrupted":
        lines.append(("next", f"nnrun resume {run.id}"))
        return lines
    lines.append(("next", f"nnrun evaluate {run.id}"))
    lines += [("", f"nnrun {command} {run.id}") for command in ("predict", "summary")]
    return lines
