"""All pictures of a run: how it was learned, what it answers, what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nnrun.report.classification import confident_mistakes, report_by_class
from nnrun.report.evaluation import Judged, slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 15
"""Pictures of examples in a grid."""

MOST_HISTOGRAMS = 40
"""Weights that are drawn; the first ones of a larger model."""


@dataclass(frozen=True)
class Subject:
    """What there is to draw of a run.

    Args:
        rows: Its epochs.
        best_epoch: The epoch whose weights were kept, if there is a best one.
        layers: The model's layers, as ``layers_of`` gives them.
        weights: The model's weights by name.
        examples: The inputs of the judged part as the model sees them, of shape (n, ...); None where there are several.
        predict: The probabilities of points, for inputs of two numbers.
        outputs: Each output that was judged, by its name.
    """

    rows: Sequence[Mapping[str, Any]]
    best_epoch: int | None
    layers: list[dict[str, Any]]
    weights: Mapping[str, NDArray[Any]]
    examples: NDArray[Any] | None
    predict: Callable[[NDArray[Any]], NDArray[Any]] | None
    outputs: Mapping[str, Judged] = field(default_factory=dict)


def draw(subject: Subject) -> Iterator[tuple[str, Figure]]:
    """The pictures one by one, each with the name of its file."""
    from nnrun.report.diagram import draw_diagram
    from nnrun.report.histograms import draw_histograms
    from nnrun.report.learning_curves import draw_learning_curves

    if subject.rows:
        yield "learning_curves", draw_learning_curves(list(subject.rows), best_epoch=subject.best_epoch)
    for name, judged in subject.outputs.items():
        prefix = f"{slug(name)}_" if len(subject.outputs) > 1 else ""
        for title, figure in _draw_output(subject, judged):
            yield f"{prefix}{title}", figure
    yield "model", draw_diagram(subject.layers, "The model")
    weights = dict(list(subject.weights.items())[:MOST_HISTOGRAMS])
    if weights:
        yield "weights", draw_histograms(weights)


def _draw_output(subject: Subject, judged: Judged) -> Iterator[tuple[str, Figure]]:
    from nnrun.report.class_pictures import (
        draw_calibration,
        draw_class_scores,
        draw_precision_recall,
        draw_roc,
    )
    from nnrun.report.confusion_picture import draw_confusion
    from nnrun.report.image_grid import draw_predictions, is_image_shape
    from nnrun.report.regression_pictures import draw_predictions_against_targets, draw_residuals

    answers, examples = judged.answers, subject.examples
    if answers is None or judged.confusion is None:
        targets = judged.known.targets
        for index, column in enumerate(targets.reshape(len(targets), -1).T):
            said = judged.output.reshape(len(targets), -1)[:, index]
            number = f"_{index}" if targets.ndim > 1 else ""
            yield f"predicted{number}", draw_predictions_against_targets(column, said)
            yield f"residuals{number}", draw_residuals(column, said)
        return
    yield "confusion", draw_confusion(judged.confusion)
    yield "classes", draw_class_scores(report_by_class(answers))
    yield "roc", draw_roc(answers)
    yield "precision_recall", draw_precision_recall(answers)
    yield "calibration", draw_calibration(answers)
    if examples is not None and is_image_shape(examples.shape[1:]):
        yield "answers", draw_predictions(examples, answers, indices=list(range(min(SHOWN, len(examples)))))
        worst = [one.index for one in confident_mistakes(answers, SHOWN)]
        if worst:
            yield "mistakes", draw_predictions(examples, answers, indices=worst)
    if examples is not None and examples.shape[1:] == (2,) and subject.predict is not None:
        from nnrun.report.boundary import draw_boundary

        yield "boundary", draw_boundary(subject.predict, examples, answers.targets, answers.class_names)


def save_all(subject: Subject, folder: Path) -> list[Path]:
    """Draw everything as PNG and SVG; the files that were written."""
    from nnrun.report.pictures import save

    written = []
    for name, figure in draw(subject):
        for ending in ("png", "svg"):
            path = folder / f"{name}.{ending}"
            save(figure, path)
            written.append(path)
    return written
