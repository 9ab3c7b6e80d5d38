"""What became of a training that was lost, and how to go on: a loss that is not finite, a worker that is gone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from nnrun.errors import DivergedError, LostWorkerError
from nnrun.spec.load import Loaded
from nnrun.store.run import Run
from nnrun.training.callbacks import make_callbacks
from nnrun.training.checkpoint import assign_training, training_arrays
from nnrun.training.divergence import Divergence, locate
from nnrun.training.prepared import plan_of, prepare
from nnrun.training.resumed import Resumed


def explain_repetition(run: Run) -> str:
    """Why a training that was lost does not go on as it was."""
    lost = run.divergence() or {}
    return (
        f"{run.id} was lost in epoch {lost.get('epoch', '?')} ({lost.get('seen')}), and the same would happen again; "
        "give another learning rate, such as training.learning_rate=0.0001"
    )


def explain_divergence(loaded: Loaded, run: Run, seen: str) -> DivergedError:
    """Find the step at which a training was lost, and say how to go on from the checkpoint before it.

    Args:
        loaded: The specification.
        run: Its run, whose newest checkpoint is from before the loss.
        seen: What was seen of it.
    """
    begun = Resumed.find(run)
    found = find_divergence(loaded, begun)
    run.write_divergence({"seen": seen, **(found.facts() if found else {})})
    rate = loaded.spec.training.learning_rate
    remedy = "train a new run with a lower learning rate, or with the optimizer's clipnorm"
    if isinstance(rate, float | int):
        remedy = f"go on with a tenth of the rate: nnrun resume {run.id} training.learning_rate={rate / 10:g}"
    where = found or "it did not happen again in a second run"
    return DivergedError(f"{seen}; {where}. {describe_checkpoint(begun)}; {remedy}")


def find_divergence(loaded: Loaded, begun: Resumed) -> Divergence | None:
    """Train once more from a checkpoint, or from the beginning, up to the step at which it is lost."""
    prepared = prepare(loaded, lambda _: None, pretrained=not begun.checkpoint)
    first = training_arrays(prepared.model)
    validation = prepared.feed("validation") if prepared.data.validation is not None else None
    feeds = (prepared.training_feed(), validation)
    with tempfile.TemporaryDirectory() as folder:  # for what callbacks write
        choices = loaded.spec.training.callbacks
        callbacks = make_callbacks(choices, Path(folder), loaded.place, prepared.model)

        def restore() -> None:
            assign_training(prepared.model, first, "the first state")
            begun.restore(prepared.model, callbacks)

        return locate(
            prepared.model, prepared.engine, feeds, plan_of(prepared), begun.position, restore, callbacks
        )


def explain_loss(run: Run, seen: str) -> LostWorkerError:
    """Say how to go on without a worker that is gone.

    Args:
        run: What was trained.
        seen: Which worker, and what was seen of it.
    """
    return LostWorkerError(
        f"{seen}. {describe_checkpoint(Resumed.find(run))}; go on with as many workers as there are: "
        f"nnrun launch {run.id} --workers N, or nnrun resume {run.id} for one"
    )


def describe_checkpoint(begun: Resumed) -> str:
    """From where a training can go on."""
    position = begun.position
    step = f", step {position.step}" if position.step else ""
    return (
        f"The last checkpoint is of epoch {position.epoch}{step}"
        if begun.checkpoint
        else "No checkpoint was due"
    )
