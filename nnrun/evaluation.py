"""What a model is worth on the examples of a part: Keras's scores, and each output judged in full."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import DataError
from nnrun.report.evaluation import Judged, Known, as_csv, judge, slug
from nnrun.spec.schema import Choice
from nnrun.store.run import Run
from nnrun.training.feed import learnt_by, output_names
from nnrun.training.prepared import Part, Prepared


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on some examples.

    Args:
        facts: ``{"part", "examples", "data", "model", "scores"}``.
        outputs: Each output that gives classes or numbers, judged, by its name.
    """

    facts: dict[str, Any]
    outputs: dict[str, Judged]


def evaluate_part(
    prepared: Prepared, part: Part, kept: Mapping[str, Any], scores: Mapping[str, float]
) -> Evaluation:
    """Judge a model on a part of its data, by one pass of predictions.

    Args:
        prepared: The model and its data.
        part: Which examples.
        kept: Which weights the model has.
        scores: Loss and metrics there.
    """
    feed = prepared.feed(part)
    facts = {
        "part": part,
        "examples": feed.count,
        "data": prepared.data.name,
        "model": dict(kept),
        "scores": dict(scores),
    }
    if set(feed.targets) == {"inputs"}:  # an autoencoder's outputs are many, and no answers
        return Evaluation(facts, {})
    outputs = prepared.engine.predict(feed, prepared.spec.training.batch_size)
    by_name = dict(zip(output_names(prepared.model), outputs, strict=True))
    return Evaluation(facts, judge_outputs(prepared, by_name, prepared.examples(part).y))


def judge_outputs(
    prepared: Prepared, outputs: Mapping[str, NDArray[Any]], y: NDArray[Any]
) -> dict[str, Judged]:
    """Judge each of a model's outputs that gives classes or numbers."""
    data, spec = prepared.data, prepared.spec
    counts = data.targets.counts()
    found = {}
    for name, output in outputs.items():
        learnt = learnt_by(name, spec.data.target, counts)
        if learnt == "inputs" or not np.isfinite(output).all():
            continue
        losses = spec.training.loss
        loss = losses if isinstance(losses, Choice) else losses[name]
        is_logits = loss.arguments.get("from_logits") is True
        if learnt in counts:
            values, classes = y[:, list(counts).index(learnt)], data.targets.by_column.get(learnt)
            known = Known(values.astype(np.int64) if classes else values, classes, [learnt], is_logits)
        else:
            names = data.targets.columns if data.reader is not None else None
            known = Known(y, data.class_names, names, is_logits)
        with contextlib.suppress(
            DataError
        ):  # outputs that are no probabilities: the scores say what there is to say
            if judged := judge(output, known):
                found[name] = judged
    return found


def write_evaluation(run: Run, part: Part, found: Evaluation) -> None:
    """Write what was found into the run; with several outputs each has its name before its files."""
    run.write_evaluation(part, "scores.json", found.facts)
    for name, judged in found.outputs.items():
        prefix = f"{slug(name)}-" if len(found.outputs) > 1 else ""
        kind = "regression" if judged.confusion is None else "report"
        run.write_evaluation(part, f"{prefix}{kind}.json", judged.report)
        if judged.confusion is not None:
            run.write_evaluation(part, f"{prefix}confusion.json", judged.confusion.plain())
        run.write_evaluation_text(part, f"{prefix}report.txt", judged.text)
        for table, rows in judged.tables.items():
            run.write_evaluation_text(part, f"{prefix}{table}", as_csv(rows))
