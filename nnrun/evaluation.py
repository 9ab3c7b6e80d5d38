"""What a model is worth on the examples of a part: Keras's scores, and each output judged in full."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Examples, Streamed
from nnrun.errors import DataError
from nnrun.report.evaluation import Judged, Known, as_csv, judge, slug
from nnrun.report.html_examples import (
    LONGEST_NAME,
    MOST_EXAMPLES,
    choose_examples,
    describe_answers,
    describe_inputs,
    encode_picture,
    is_picture,
)
from nnrun.report.html_points import points_of
from nnrun.spec.names import shorten
from nnrun.spec.schema import Choice
from nnrun.store.run import Run
from nnrun.training.feed import learnt_by, output_names
from nnrun.training.prepared import Part, Prepared

MOST_TRAINED = 1_000
"""Training examples on which a model is judged that has no others: a toy problem wants to be seen whole."""


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on some examples.

    Args:
        facts: ``{"part", "examples", "data", "model", "scores"}``.
        outputs: Each output that gives classes or numbers, judged, by its name.
        samples: By output some examples in plain values, to be looked at; of an autoencoder under an empty name.
    """

    facts: dict[str, Any]
    outputs: dict[str, Judged]
    samples: dict[str, dict[str, Any]] = field(default_factory=dict)


def judged_part(prepared: Prepared) -> Part | None:
    """The part of the data that says what a model is worth: the test part, or what comes nearest to it."""
    data = prepared.data
    if data.test is not None:
        return "test"
    if data.validation is not None:
        return "validation"
    return "train" if len(data.train) <= MOST_TRAINED else None


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
        return Evaluation(facts, {}, pick_copies(prepared, part))
    outputs = prepared.engine.predict(feed, prepared.spec.training.batch_size)
    by_name = dict(zip(output_names(prepared.model), outputs, strict=True))
    judged = judge_outputs(prepared, by_name, prepared.examples(part).y)
    count = MOST_EXAMPLES // 2 // max(1, len(judged))
    samples = {name: pick_samples(prepared, part, one, count) for name, one in judged.items()}
    return Evaluation(facts, judged, samples)


def pick_samples(prepared: Prepared, part: Part, judged: Judged, count: int) -> dict[str, Any]:
    """Some examples as a person sees them, with what the model says of each.

    Args:
        prepared: The model and its data.
        part: Which examples were judged.
        judged: One of the outputs.
        count: How many at equal distances, and how many of those that are most wrong.

    Returns:
        ``classes`` (names; None for numbers), and the lists ``spread`` and ``worst``.
    """
    data, examples = prepared.data, prepared.examples(part)
    spread, worst = choose_examples(judged, count)
    rows = np.asarray([*spread, *worst])
    inputs = describe_inputs(take(examples, rows), data.facts, getattr(data.reader, "preprocessing", None))
    answers = describe_answers(judged, rows.tolist())
    found = [answer | {"inputs": shown} for answer, shown in zip(answers, inputs, strict=True)]
    names = judged.known.class_names
    classes = None if names is None else [shorten(name, LONGEST_NAME) for name in names]
    return {"classes": classes, "spread": found[: len(spread)], "worst": found[len(spread) :]}


def pick_copies(prepared: Prepared, part: Part) -> dict[str, dict[str, Any]]:
    """Some pictures beside what an autoencoder makes of them; nothing where it is given something else."""
    data, examples = prepared.data, prepared.examples(part)
    rows = np.unique(np.linspace(0, len(examples) - 1, MOST_EXAMPLES // 2).astype(int))
    given = take(examples, rows)
    if isinstance(given, dict) or not is_picture(given.shape[1:]):
        return {}
    divisor = data.facts.divisor or 1
    made = prepared.model(given.astype(np.float32) / divisor, training=False)
    said = np.asarray(made).astype(np.float32)
    if said.shape != given.shape:
        return {}
    copies = [
        {
            "example": int(row),
            "given": encode_picture(given[index], data.facts.divisor),
            "said": encode_picture(said[index].clip(0, 1), 1.0),
        }
        for index, row in enumerate(rows)
    ]
    return {"": {"copies": copies}}


def take(examples: Examples | Streamed, rows: NDArray[Any]) -> Any:
    """The inputs of some examples, in memory or in files."""
    return (
        examples.take(rows).x if isinstance(examples, Examples) else next(examples.windows(rows, len(rows)))
    )


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
        if points := points_of(judged):
            run.write_evaluation(part, f"{prefix}points.json", points)
        run.write_evaluation_text(part, f"{prefix}report.txt", judged.text)
        for table, rows in judged.tables.items():
            run.write_evaluation_text(part, f"{prefix}{table}", as_csv(rows))
    for name, samples in found.samples.items():
        prefix = f"{slug(name)}-" if len(found.outputs) > 1 else ""
        run.write_evaluation(part, f"{prefix}samples.json", samples)
