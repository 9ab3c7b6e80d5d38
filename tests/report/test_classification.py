"""The numbers about classifiers are scikit-learn's, on ordinary and on nasty predictions."""

from __future__ import annotations

import json
import time
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from nnrun.errors import DataError
from nnrun.report.answers import Answers, check_answers, probabilities_of_logits
from nnrun.report.calibration import brier_score, calibration_of, log_loss
from nnrun.report.classification import (
    confident_mistakes,
    describe_classes,
    report_by_class,
    top_k_accuracy,
)
from nnrun.report.confusion import ASCII_SHADES, confusion_of
from nnrun.report.thresholds import areas_by_class, precision_recall_curve, roc_curve

Array = NDArray[Any]


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def random_case(seed: int, classes: int, count: int = 400) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, classes, count)
    logits = generator.normal(size=(count, classes)) + 1.5 * np.eye(classes)[targets]
    return targets, softmax(logits)


def tied_case() -> tuple[Array, Array]:
    """Probabilities in tenths, most of them tied with others."""
    targets, probabilities = random_case(3, 4)
    return targets, np.random.default_rng(3).multinomial(10, probabilities) / 10


def certain_case() -> tuple[Array, Array]:
    """Probabilities of exactly 0 and 1, a fifth of them wrong."""
    generator = np.random.default_rng(4)
    targets = generator.integers(0, 3, 300)
    said = np.where(generator.random(300) < 0.2, (targets + 1) % 3, targets)
    return targets, np.eye(3)[said]


def missing_class_case() -> tuple[Array, Array]:
    """Of five classes one never occurs, and one is never predicted."""
    targets, probabilities = random_case(5, 5)
    targets[targets == 2] = 3
    probabilities[:, 4] = 0
    return targets, probabilities / probabilities.sum(axis=1, keepdims=True)


def one_class_case() -> tuple[Array, Array]:
    targets, probabilities = random_case(6, 3)
    return np.full_like(targets, 1), probabilities


CASES = {
    "random": random_case(0, 10),
    "two classes": random_case(1, 2),
    "many classes": random_case(2, 40),
    "float32": (random_case(7, 6)[0], random_case(7, 6)[1].astype(np.float32)),
    "ties": tied_case(),
    "all equal": (np.arange(60) % 3, np.full((60, 3), 1 / 3)),
    "certain": certain_case(),
    "missing classes": missing_class_case(),
    "one class": one_class_case(),
    "one example": (np.array([2]), np.array([[0.1, 0.2, 0.7]])),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))

BINARY_CASES = {
    "random": (random_case(1, 2)[0], random_case(1, 2)[1][:, 1]),
    "ties": (random_case(8, 2)[0], random_case(8, 2)[1][:, 1].round(1)),
    "certain": (np.arange(50) % 2, (np.arange(50) % 3 > 0).astype(float)),
    "edges of bins": (np.arange(99) % 2, np.arange(99) % 11 / 10),
    "float32": (random_case(9, 2)[0], random_case(9, 2)[1][:, 1].astype(np.float32)),
    "reversed": (random_case(1, 2)[0], random_case(1, 2)[1][:, 0]),
}
each_binary_case = pytest.mark.parametrize("case", BINARY_CASES.values(), ids=list(BINARY_CASES))


def scikit_predicted(probabilities: Array) -> Array:
    return probabilities.argmax(axis=1)


@each_case
def test_report_by_class_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    names = [f"class {index}" for index in range(probabilities.shape[1])]
    report = report_by_class(check_answers(targets, probabilities, names))
    arguments: dict[str, Any] = {
        "labels": range(len(names)),
        "target_names": names,
        "zero_division": 0,
    }
    predicted = scikit_predicted(probabilities)
    expected = metrics.classification_report(targets, predicted, output_dict=True, **arguments)

    for scores in (*report.classes, report.macro, report.weighted):
        known = expected[scores.name]
        assert scores.precision == pytest.approx(known["precision"], abs=1e-12)
        assert scores.recall == pytest.approx(known["recall"], abs=1e-12)
        assert scores.f1 == pytest.approx(known["f1-score"], abs=1e-12)
        assert scores.support == known["support"]
    assert report.accuracy == pytest.approx(metrics.accuracy_score(targets, predicted))
    assert report.text() == metrics.classification_report(targets, predicted, digits=4, **arguments)


@each_case
def test_confusion_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    confusion = confusion_of(check_answers(targets, probabilities))
    labels, predicted = range(probabilities.shape[1]), scikit_predicted(probabilities)

    np.testing.assert_array_equal(
        confusion.counts, metrics.confusion_matrix(targets, predicted, labels=labels)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without examples
        rates = metrics.confusion_matrix(targets, predicted, labels=labels, normalize="true")
    np.testing.assert_allclose(confusion.rates, rates)


@each_case
def test_top_k_accuracy_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    classes = probabilities.shape[1]
    found = top_k_accuracy(check_answers(targets, probabilities))

    assert list(found) == list(range(1, min(5, classes) + 1))
    assert found[1] == (scikit_predicted(probabilities) == targets).mean()
    for (
        k,
        share,
    ) in found.items():  # of tied classes scikit-learn takes the last one, so it sees them from behind
        if classes > 2 and k < classes:
            expected = metrics.top_k_accuracy_score(
                classes - 1 - targets, probabilities[:, ::-1], k=k, labels=range(classes)
            )
            assert share == pytest.approx(expected)
        if k == classes:
            assert share == 1


@each_case
def test_log_loss_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    expected = metrics.log_loss(targets, probabilities, labels=range(probabilities.shape[1]))

    assert log_loss(check_answers(targets, probabilities)) == pytest.approx(expected, rel=1e-6)


@each_case
def test_brier_score_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    expected = metrics.brier_score_loss(targets, probabilities, labels=range(probabilities.shape[1]))

    assert brier_score(check_answers(targets, probabilities)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@each_case
def test_areas_by_class_are_those_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    for index, (roc, precision) in enumerate(areas_by_class(check_answers(targets, probabilities))):
        own = targets == index
        if own.any() and not own.all():
            assert roc == pytest.approx(metrics.roc_auc_score(own, probabilities[:, index]), abs=1e-12)
        else:
            assert roc is None
        if own.any():
            expected = metrics.average_precision_score(own, probabilities[:, index])
            assert precision == pytest.approx(expected, abs=1e-12)
        else:
            assert precision is None


@each_binary_case
def test_roc_curve_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    curve = roc_curve(check_answers(targets, probabilities))
    false_rate, true_rate, thresholds = metrics.roc_curve(targets, probabilities)

    assert curve is not None
    np.testing.assert_allclose(curve.false_positive_rate, false_rate)
    np.testing.assert_allclose(curve.true_positive_rate, true_rate)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    assert curve.area == pytest.approx(metrics.roc_auc_score(targets, probabilities), abs=1e-12)


@each_binary_case
def test_precision_recall_curve_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    curve = precision_recall_curve(check_answers(targets, probabilities))
    precision, recall, thresholds = metrics.precision_recall_curve(targets, probabilities)

    assert curve is not None
    np.testing.assert_allclose(curve.precision, precision)
    np.testing.assert_allclose(curve.recall, recall)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    expected = metrics.average_precision_score(targets, probabilities)
    assert curve.average_precision == pytest.approx(expected, abs=1e-12)


@each_binary_case
def test_calibration_of_two_classes_is_that_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    found = calibration_of(check_answers(targets, probabilities))
    observed, predicted = calibration_curve(targets, probabilities, n_bins=10)
    filled = found.counts > 0

    np.testing.assert_allclose(found.observed[filled], observed)
    np.testing.assert_allclose(found.predicted[filled], predicted)
    expected = (found.counts[filled] * abs(observed - predicted)).sum() / len(targets)
    assert found.expected_error == pytest.approx(expected)
    assert found.largest_error == pytest.approx(abs(observed - predicted).max())
    assert found.counts.sum() == len(targets)
    assert len(found.rows()) == filled.sum()


@each_binary_case
def test_binary_output_has_the_losses_of_scikit_learn(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    answers = check_answers(targets, probabilities[:, None])

    assert log_loss(answers) == pytest.approx(metrics.log_loss(targets, probabilities), rel=1e-5)
    assert brier_score(answers) == pytest.approx(metrics.brier_score_loss(targets, probabilities), rel=1e-6)
    np.testing.assert_array_equal(answers.predicted, probabilities > 0.5)


def test_calibration_of_several_classes_is_that_of_the_predicted_class() -> None:
    targets, probabilities = CASES["random"]
    found = calibration_of(check_answers(targets, probabilities))
    right = scikit_predicted(probabilities) == targets
    observed, predicted = calibration_curve(right, probabilities.max(axis=1), n_bins=10)

    np.testing.assert_allclose(found.observed[found.counts > 0], observed)
    np.testing.assert_allclose(found.predicted[found.counts > 0], predicted)


def test_curves_of_one_class_only_are_not_defined() -> None:
    never, always = check_answers([0, 0], [0.2, 0.7]), check_answers([1, 1], [0.2, 0.7])

    assert roc_curve(never) is None and precision_recall_curve(never) is None
    assert roc_curve(always) is None
    curve = precision_recall_curve(always)
    assert curve is not None and curve.average_precision == 1


def test_curves_in_plain_values_are_json() -> None:
    answers = check_answers(*BINARY_CASES["random"])
    roc, precision = roc_curve(answers), precision_recall_curve(answers)

    assert roc is not None and precision is not None
    assert json.loads(json.dumps(roc.plain(), allow_nan=False))["thresholds"][0] is None
    assert len(json.loads(json.dumps(precision.plain(), allow_nan=False))["recall"]) == len(precision.recall)


@each_case
def test_description_is_json_with_all_numbers(case: tuple[Array, Array]) -> None:
    targets, probabilities = case
    found = json.loads(json.dumps(describe_classes(check_answers(targets, probabilities)), allow_nan=False))

    assert found["examples"] == len(targets)
    assert found["accuracy"] == found["top_k"]["1"]
    assert len(found["classes"]) == probabilities.shape[1]
    assert {"log_loss", "brier_score", "calibration", "macro", "weighted"} <= found.keys()
    assert {"name", "precision", "recall", "f1", "support", "roc_area", "average_precision"} == set(
        found["classes"][0]
    )


def test_confident_mistakes_are_the_surest_ones_first() -> None:
    targets, probabilities = CASES["random"]
    found = confident_mistakes(check_answers(targets, probabilities), count=20)
    wrong = np.flatnonzero(scikit_predicted(probabilities) != targets)
    surest = sorted(wrong, key=lambda index: (-probabilities[index].max(), index))[:20]

    assert [mistake.index for mistake in found] == surest
    for mistake in found:
        row = probabilities[mistake.index]
        assert (mistake.target, mistake.predicted) == (targets[mistake.index], row.argmax())
        assert (mistake.probability, mistake.probability_of_target) == (row.max(), row[mistake.target])


def test_confident_mistakes_of_a_perfect_classifier_are_none() -> None:
    assert confident_mistakes(check_answers([0, 1], np.eye(2))) == []


def test_report_rows_have_the_classes_and_the_averages() -> None:
    rows = report_by_class(check_answers([0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], ["a", "b"])).rows()

    assert [row["name"] for row in rows] == ["a", "b", "macro avg", "weighted avg"]
    assert rows[1] == {"name": "b", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}


def test_report_text_shows_odd_class_names_on_one_line() -> None:
    names = ["a\nb\x1b[31m", "x" * 60]
    lines = report_by_class(check_answers([0, 1], np.eye(2), names)).text().splitlines()

    assert lines[2].split()[0] == "a\\nb\\x1b[31m"
    assert lines[3].split()[0] == "x" * 37 + "..."


def confusion_answers(classes: int) -> Answers:
    """Every class has ten examples; class 1 is taken for class 0 three times."""
    targets = np.repeat(np.arange(classes), 10)
    said = targets.copy()
    said[10:13] = 0
    return check_answers(targets, np.eye(classes)[said], [f"name {index}" for index in range(classes)])


def test_confusion_lines_of_few_classes_are_a_matrix() -> None:
    assert confusion_of(confusion_answers(3)).lines(shades=ASCII_SHADES) == [
        "true class predicted class",
        "            0   1   2",
        "name 0  0  10#  0   0",
        "name 1  1   3:  7+  0",
        "name 2  2   0   0  10#",
    ]


def test_confusion_lines_fit_a_terminal_whatever_the_names() -> None:
    targets = np.repeat(np.arange(20), 5)
    lines = confusion_of(check_answers(targets, np.eye(20)[targets], ["n\x1b" * 50] * 20)).lines()

    assert len(lines) == 22
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)


def test_confusion_lines_that_are_too_wide_are_the_most_frequent_ones() -> None:
    confusion = confusion_of(confusion_answers(3))

    assert max(map(len, confusion.lines(width=26))) == 26
    assert confusion.lines(width=25) == ["3 of 10 (30.0%) name 1 taken for name 0"]


def test_confusion_lines_of_many_classes_are_the_most_frequent_ones() -> None:
    assert confusion_of(confusion_answers(21)).lines() == ["3 of 10 (30.0%) name 1 taken for name 0"]
    perfect = check_answers(np.arange(30), np.eye(30))
    assert confusion_of(perfect).lines() == ["no class is taken for another one"]


def test_confusion_rows_and_plain_values_hold_the_counts() -> None:
    confusion = confusion_of(confusion_answers(3))

    assert confusion.rows() == [
        ["true class", "name 0", "name 1", "name 2"],
        ["name 0", 10, 0, 0],
        ["name 1", 3, 7, 0],
        ["name 2", 0, 0, 10],
    ]
    assert confusion.plain()["rates"][1] == [0.3, 0.7, 0.0]
    assert confusion.most_frequent() == [(1, 0, 3)]
    json.dumps(confusion.plain())


@pytest.mark.parametrize(
    ("targets", "probabilities", "names", "message"),
    [
        ([0, 1], [[0.5, np.nan], [0.5, 0.5]], None, "1 are not finite, first at example 0"),
        ([0, 1], [0.5, np.inf], None, "1 are not finite, first at example 1"),
        ([0, 1], [[2.5, -3.0], [0.5, 0.5]], None, "found -3 to 2.5; give outputs without a last activation"),
        ([0, 2], [0.5, 0.5], None, "class indices from 0 to 1; found 2 at example 1"),
        ([0, -1], np.eye(2), None, "found -1 at example 1"),
        ([0.5, 1], np.eye(2), None, "found 0.5 at example 0"),
        ([np.nan, 1], np.eye(2), None, "found nan at example 0"),
        ([0], np.eye(2), None, "found 2 for 1"),
        ([], np.zeros((0, 3)), None, "at least one example"),
        ([0, 1], np.zeros((2, 3, 4)), None, r"found float64 of shape (2, 3, 4)"),
        (["a", "b"], np.eye(2), None, "expected class indices of shape (n,); found <U1"),
        ([0, 1], [["a"], ["b"]], None, "probabilities: expected"),
        ([0, 1], np.eye(2), ["only one"], "expected 2, one for each class; found 1"),
    ],
)
def test_answers_of_the_wrong_kind_are_refused(
    targets: Any, probabilities: Any, names: Any, message: str
) -> None:
    with pytest.raises(DataError) as error:
        check_answers(targets, probabilities, names)

    assert message in str(error.value)


def test_answers_with_several_problems_name_them_all() -> None:
    with pytest.raises(DataError) as error:
        check_answers([0, 5], [[0.5, np.nan], [0.5, 0.5]])

    assert len(str(error.value).splitlines()) == 2


def test_answers_take_what_data_and_models_give() -> None:
    answers = check_answers(np.array([[0], [1]], np.int32), np.array([[0.25], [1.0004]], np.float32))

    assert answers.targets.tolist() == [0, 1]
    assert answers.probabilities.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert answers.class_names == ("0", "1")


def test_probabilities_of_logits_are_softmax_and_sigmoid() -> None:
    assert probabilities_of_logits([[1000.0, 0.0], [0.0, 0.0]]).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    found = probabilities_of_logits([[-1000.0], [0.0], [2.0]])
    np.testing.assert_allclose(found, [[0], [0.5], [1 / (1 + np.exp(-2))]])


def test_a_million_predictions_are_judged_in_seconds() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 10, 1_000_000)
    logits = generator.normal(size=(1_000_000, 10)).astype(np.float32)
    logits[np.arange(len(targets)), targets] += 2
    probabilities = softmax(logits)
    began = time.process_time()
    found = describe_classes(check_answers(targets, probabilities))

    assert found["examples"] == 1_000_000
    assert time.process_time() - began < 4  # seconds; it takes about 0.6
