"""What is done with a trained network: evaluate and predict, on the examples of its run and on new files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.data.kept import data_of_files, data_of_shapes, input_facts, read_kept, restore_reader
from nnrun.data.load import Data
from nnrun.data.streaming import as_whole
from nnrun.evaluation import Evaluation, evaluate_part, judge_outputs, write_evaluation
from nnrun.experiment import refuse_other_data, reload_spec
from nnrun.keras_backend import divert_native_noise
from nnrun.spec.file_sources import Paths
from nnrun.spec.load import Loaded
from nnrun.store.run import Run
from nnrun.store.runs import find_run, runs_directory
from nnrun.training.checkpoint import assign_model
from nnrun.training.display import Display
from nnrun.training.feed import learnt_by, output_names
from nnrun.training.predictions import Predictions, answers
from nnrun.training.prepared import Part, Prepared, assemble, prepare
from nnrun.training.stream import make_empty

CHUNK_ROWS = 65_536
"""New examples that are read at a time, at least."""


def evaluate(
    reference: str,
    part: Part = "test",
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
    files: Paths | None = None,
) -> tuple[Run, Evaluation]:
    """Judge a run's model on a part of its data, or on new files with their targets.

    Args:
        reference: A run: path, id, unique prefix or ``latest``.
        part: Which examples.
        display: Shows it to the user.
        runs_dir: Where runs are kept.
        code: The Python file that the run was trained with, if any.
        files: New examples in files like those that the run was trained on.

    Returns:
        The run, and what was found; of its own data it is also written to ``evaluation/<part>/``.
    """
    run, prepared, kept = reopen(reference, display, runs_dir, code, files)
    name: Part = "test" if files else part
    feed, batch_size = prepared.feed(name), prepared.spec.training.batch_size
    scores = prepared.engine.evaluate(feed, batch_size)
    found = evaluate_part(prepared, name, kept, scores)
    if files:
        found.facts["part"] = "new files"
    else:
        write_evaluation(run, part, found)
    return run, found


def draw(run: Run, code: Path | None, part: Part, display: Display) -> list[Path]:
    """Draw all pictures of a run into its ``plots`` folder; the files that were written."""
    from nnrun.model.summary import layers_of
    from nnrun.report.gallery import Subject, save_all

    run, prepared, kept = reopen(str(run.path), display, run.path.parent, code)
    examples, model = as_whole(prepared.examples(part)), prepared.model
    feed, batch_size = prepared.feed(part), prepared.spec.training.batch_size
    outputs = dict(zip(output_names(model), prepared.engine.predict(feed, batch_size), strict=True))
    subject = Subject(
        rows=run.rows(),
        best_epoch=kept["epoch"] if kept["weights"] == "best" else None,
        layers=layers_of(model),
        weights={one.path: one.numpy() for one in model.trainable_weights},
        examples=None if isinstance(examples.x, dict) else examples.x / (prepared.data.facts.divisor or 1),
        predict=lambda points: np.asarray(model(points.astype("float32"))),
        outputs=judge_outputs(prepared, outputs, examples.y),
    )
    return save_all(subject, run.folder("plots"))


def predict(
    reference: str,
    part: Part = "test",
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
) -> tuple[Run, Predictions]:
    """The outputs of a run's model for a part of its data."""
    run, prepared, _ = reopen(reference, display, runs_dir, code)
    outputs = prepared.engine.predict(prepared.feed(part), prepared.spec.training.batch_size)
    by_name = dict(zip(output_names(prepared.model), outputs, strict=True))
    data, forms = prepared.data, prepared.feed(part).targets
    copies = frozenset(name for name, form in zip(by_name, forms, strict=True) if form == "inputs")
    y = prepared.examples(part).y
    return run, Predictions(part, by_name, y, data.facts.classes, data.class_names, copies)


def predict_files(
    reference: str,
    files: Paths,
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
) -> tuple[Run, Iterator[dict[str, Any]]]:
    """What a run's model says of new examples, which need no targets.

    Args:
        reference: A run: path, id, unique prefix or ``latest``.
        files: Files like those that the run was trained on.
        display: Shows it to the user.
        runs_dir: Where runs are kept.
        code: The Python file that the run was trained with, if any.

    Returns:
        The run; and chunk by chunk, in the order of the files, the columns of :func:`answers`.

    Raises:
        RunError: The run was not trained on files, or is damaged.
        DataError: The files lack a column, or hold what they should not.
    """
    run = find_run(reference, runs_directory(runs_dir))
    kept = read_kept(run.path)
    reader = restore_reader(kept)
    prepared, _ = rebuild(run, data_of_shapes(kept), code)
    batch_size = prepared.spec.training.batch_size
    size = batch_size * max(1, CHUNK_ROWS // batch_size)  # so that batches are cut as in evaluation
    feed = make_empty(input_facts(kept), divisor=prepared.data.facts.divisor)
    names = output_names(prepared.model)
    target = prepared.spec.data.target
    learnt = {name: learnt_by(name, target, kept.targets.counts()) for name in names}

    def said() -> Iterator[dict[str, Any]]:
        chunks = reader.batches(files, size)
        for outputs in prepared.engine.predict_chunks(feed, batch_size, chunks):
            yield answers(dict(zip(names, outputs, strict=True)), kept.targets, learnt)

    return run, said()


def reopen(
    reference: str, display: Display, runs_dir: Path | None, code: Path | None, files: Paths | None = None
) -> tuple[Run, Prepared, dict[str, Any]]:
    """Rebuild a run's model from its configuration and give it the weights that were kept.

    Raises:
        RunError: There is no such run, or it holds no weights, or they are damaged.
        SpecError: It was trained with a Python file, and none is given.
        ChangedError: The data, or the Python file, is not what the run was trained with.
    """
    run = find_run(reference, runs_directory(runs_dir))
    if files:
        data = data_of_files(read_kept(run.path), files)
        return run, *rebuild(run, data, code)
    divert_native_noise(run.native_log)
    prepared = prepare(alone(reload_spec(run, code)), display.notify, pretrained=False)
    refuse_other_data(run, prepared)
    return run, prepared, give_weights(run, prepared)


def rebuild(run: Run, data: Data, code: Path | None) -> tuple[Prepared, dict[str, Any]]:
    """A run's model with the weights that were kept, for other examples than its own."""
    divert_native_noise(run.native_log)
    prepared = assemble(alone(reload_spec(run, code)), data, pretrained=False)
    return prepared, give_weights(run, prepared)


def alone(loaded: Loaded) -> Loaded:
    """A specification whose model answers in this process, however many trained it."""
    runtime = loaded.spec.runtime.model_copy(update={"strategy": "none"})
    return replace(loaded, spec=loaded.spec.model_copy(update={"runtime": runtime}))


def give_weights(run: Run, prepared: Prepared) -> dict[str, Any]:
    """Assign the weights that a run kept; which they are."""
    header, arrays = run.checkpoints.read_model()
    assign_model(prepared.model, arrays, f"the checkpoint of {run.id}")
    return {"weights": header["weights"], "epoch": header["epoch"]}
