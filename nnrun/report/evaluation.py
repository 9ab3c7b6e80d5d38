"""What a model's outputs on examples with known targets are worth, in full: numbers, tables and texts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.report.answers import Answers, check_answers, probabilities_of_logits
from nnrun.report.classification import confident_mistakes, describe_classes, report_by_class
from nnrun.report.confusion import Confusion, confusion_of
from nnrun.report.regression import report_errors

MOST_MISTAKES = 100


@dataclass(frozen=True)
class Known:
    """What is known of the targets of one output.

    Args:
        targets: Class indices of shape (n,), or numbers of shape (n,) or (n, k).
        class_names: The names of the classes; None for numbers.
        names: What the numbers are called; None: ``target``.
        is_logits: Whether the outputs are logits instead of probabilities.
    """

    targets: NDArray[Any]
    class_names: Sequence[str] | None = None
    names: Sequence[str] | None = None
    is_logits: bool = False


@dataclass(frozen=True)
class Judged:
    """One output of a model, judged.

    Args:
        output: What the model said, of shape (n, ...).
        known: What is so.
        report: All numbers in plain values.
        text: A table of them to read.
        tables: By the name of a file its rows, a header first.
        answers: The probabilities; None for numbers.
        confusion: Which classes were taken for which; None for numbers.
    """

    output: NDArray[Any]
    known: Known
    report: dict[str, Any]
    text: str
    tables: dict[str, list[list[Any]]]
    answers: Answers | None = None
    confusion: Confusion | None = None


def judge(output: NDArray[Any], known: Known) -> Judged | None:
    """Judge what a model said; None where it is neither one class for each example nor numbers like the targets.

    Args:
        output: Of shape (n, ...).
        known: The targets.

    Raises:
        DataError: The outputs are not finite, or no probabilities.
    """
    if known.class_names is not None:
        fits = output.ndim <= 2 and (output.ndim == 1 or output.shape[1] in (1, len(known.class_names)))
        binary = output.ndim == 1 or output.shape[-1] == 1
        if fits and not (binary and len(known.class_names) != 2):
            return _judge_classes(output, known)
        return None
    said = output.reshape(len(output), -1)
    true = np.asarray(known.targets).reshape(len(known.targets), -1)
    return _judge_numbers(said, known) if said.shape == true.shape else None


def _judge_classes(output: NDArray[Any], known: Known) -> Judged:
    chances = probabilities_of_logits(output) if known.is_logits else output
    answers = check_answers(known.targets, chances, known.class_names)
    report, confusion = report_by_class(answers), confusion_of(answers)
    names = answers.class_names
    mistakes = [
        [one.index, names[one.target], names[one.predicted], one.probability, one.probability_of_target]
        for one in confident_mistakes(answers, MOST_MISTAKES)
    ]
    header = ["example", "target", "predicted", "probability", "probability_of_target"]
    tables: dict[str, list[list[Any]]] = {
        "classes.csv": _table(report.rows()),
        "confusion.csv": confusion.rows(),
        "mistakes.csv": [header, *mistakes],
    }
    return Judged(output, known, describe_classes(answers), report.text(), tables, answers, confusion)


def _judge_numbers(said: NDArray[Any], known: Known) -> Judged:
    report = report_errors(known.targets, said, known.names)
    return Judged(said, known, report.plain(), report.text(), {"errors.csv": _table(report.rows())})


def _table(rows: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    found = list(rows)
    return [list(found[0]), *(list(row.values()) for row in found)]


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def slug(name: str) -> str:
    """A name as the beginning of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:60]
