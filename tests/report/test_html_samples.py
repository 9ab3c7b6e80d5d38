"""Single examples on a page: those that are chosen, as they were before they became numbers, with what is said."""

from __future__ import annotations

import base64
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Element, classifier, make_evaluated_run, no_waiting, read_page, regressor, samples_of
from PIL import Image

from nnrun.data.preprocessing import Category, Numbers, Preprocessing, Text
from nnrun.report.evaluation import Judged, Known, judge
from nnrun.report.html import render
from nnrun.report.html_examples import choose_examples, encode_picture, is_picture
from nnrun.report.html_points import MOST_POINTS, points_of, thin
from nnrun.report.html_samples import draw_samples
from nnrun.spec.file_sources import TextSettings


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)


def drawn(samples: dict[str, Any]) -> Element:
    return read_page("".join(draw_samples(samples, "test")))


def cards(samples: dict[str, Any]) -> list[Element]:
    return drawn(samples).all("li", "sample")


def pixels_of(picture: Element) -> Any:
    kind, _, content = (picture.attributes["src"] or "").partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def told(made: Preprocessing, x: Any) -> list[tuple[str, str]]:
    """The names and values of the first card for rows of these inputs."""
    judged = classifier(len(x))
    return [
        (row.all("dt")[0].text, row.all("dd")[0].text)
        for row in cards(samples_of(judged, x, preprocessing=made))[0].all("dl", "values")[0].all("div")
    ]


def test_chosen_examples_are_spread_and_the_surest_mistakes() -> None:
    judged = classifier(100)
    answers = judged.answers
    assert answers is not None

    spread, worst = choose_examples(judged, 12)

    assert spread == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    wrong = np.flatnonzero(answers.predicted != answers.targets)
    surest = sorted(wrong, key=lambda index: -answers.confidence[index])[:12]
    assert worst == surest


def test_chosen_examples_of_few_are_all_of_them() -> None:
    assert choose_examples(classifier(3), 12)[0] == [0, 1, 2]


def test_chosen_numbers_are_those_furthest_off_by_the_measure_of_their_column() -> None:
    targets = np.array([[0.0, 0.0], [1000.0, 1.0], [2000.0, 2.0], [3000.0, 3.0]])
    said = targets + np.array([[0, 0], [50, 0], [0, 1.5], [0, 0]])
    judged = judge(said, Known(targets, names=["large", "small"]))
    assert judged is not None

    assert choose_examples(judged, 2)[1] == [2, 1]


def test_card_shows_the_picture_and_the_probabilities(tmp_path: Path) -> None:
    judged = classifier()
    answers = judged.answers
    assert answers is not None
    images = np.random.default_rng(0).integers(0, 12, (60, 8, 8)).astype(np.uint8)  # none is white
    run = make_evaluated_run(tmp_path, {"out": judged}, {"out": samples_of(judged, images, divisor=16.0)})

    found = read_page(render([run])).all("li", "sample")

    spread, worst = choose_examples(judged, 12)
    assert len(found) == len(spread) + len(worst)
    for card, index in zip(found, [*spread, *worst], strict=True):
        (picture,) = card.all("img")
        np.testing.assert_array_equal(pixels_of(picture), np.rint(images[index] / 16 * 255))
        assert picture.attributes["width"] == picture.attributes["height"] == "96"
        assert picture.classes == ["pixels"]
        target, predicted = (answers.class_names[one[index]] for one in (answers.targets, answers.predicted))
        assert picture.attributes["alt"] == f"example {index}, {target}"
        is_right = target == predicted
        assert card.classes == ["sample", "right" if is_right else "wrong"]
        verdict = card.all("p", "verdict")[0].text
        words = f"✓ right: {target}" if is_right else f"✗ wrong: said {predicted}, is {target}"
        assert verdict == f"{words}no. {index}"
        bars = [
            (row.all("dt")[0].text, row.all("span")[-1].text) for row in card.all("dl", "bars")[0].all("div")
        ]
        order = np.argsort(-answers.probabilities[index])
        signs = {target: " ✓"} | ({} if is_right else {predicted: " ✗"})
        names = [answers.class_names[one] for one in order]
        assert bars == [
            (name + signs.get(name, ""), f"{100 * answers.probabilities[index][one]:.1f} %")
            for name, one in zip(names, order, strict=True)
        ]
        widths = [float(one.attributes["width"] or 0) for one in card.all("dl", "bars")[0].all("rect")]
        assert widths == pytest.approx(100 * answers.probabilities[index][order], abs=0.06)


def test_bars_of_many_classes_are_the_greatest_and_the_true_one() -> None:
    chances = np.full((1, 10), 0.01)
    chances[0, :5] = [0.3, 0.25, 0.2, 0.1, 0.1]
    judged = judge(chances, Known(np.array([9]), [f"c{index}" for index in range(10)]))
    assert judged is not None

    (card, _) = cards(samples_of(judged, np.zeros((1, 2), np.float32)))

    names = [one.text for one in card.all("dl", "bars")[0].all("dt")]
    assert names == ["c0 ✗", "c1", "c2", "c3", "c9 ✓"]


@pytest.mark.parametrize(
    ("chance", "shown"),
    [(0.0, "0 %"), (1.0, "100 %"), (1e-7, "< 0.1 %"), (0.9999, "> 99.9 %"), (0.25, "25.0 %")],
)
def test_share_is_never_none_nor_all_where_it_is_not(chance: float, shown: str) -> None:
    one = {"example": 0, "target": 0, "predicted": 0, "probabilities": [[0, chance]], "inputs": {}}

    (card,) = cards({"classes": ["a"], "spread": [one]})

    assert card.all("dd")[0].text == shown


def test_rows_of_a_table_are_shown_as_they_were() -> None:
    raw = np.array([[5.1, 120_000.0], [4.9, 80_000.0], [6.3, 40_000.0]])
    made = Preprocessing(
        inputs={
            "input": [
                Numbers(
                    columns=["length", "income"],
                    log=False,
                    fill=[0, 0],
                    flags=[1],
                    mean=[5, 7e4],
                    variance=[0.3, 4e8],
                ),
                Numbers(columns=["count"], log=True, fill=[0], flags=[], mean=[1.0], variance=[2.0]),
                Category(column="city", encode="one_hot", vocabulary=["Bonn", "Köln"]),
            ]
        }
    )  # fmt: skip
    scaled = (raw - [5, 7e4]) / np.sqrt([0.3, 4e8])
    counts = (np.log1p([[7.0], [0.0], [3.0]]) - 1) / np.sqrt(2)
    x = np.hstack([scaled, [[0], [0], [0]], counts, np.eye(3)[[2, 0, 1]]]).astype(np.float32)

    assert told(made, x) == [("length", "5.1"), ("income", "120,000"), ("count", "7"), ("city", "Köln")]
    x[0, 2], x[0, 4:] = 1, [1, 0, 0]  # the income is missing, the city unknown
    assert told(made, x)[1::2] == [("income", "–"), ("city", "–")]  # noqa: RUF001


def test_texts_are_shown_as_the_words_that_the_model_knows() -> None:
    settings = TextSettings(max_tokens=10, sequence_length=6)
    step = Text(column="text", settings=settings, vocabulary=["the", "plot", "good"])
    x = np.array([[2, 3, 1, 4, 0, 0]] * 3, np.int32)

    made = Preprocessing(inputs={"input": [step]})
    (card, *_) = cards(samples_of(classifier(3), x, preprocessing=made))

    assert card.all("blockquote")[0].text == "the plot [UNK] good"


def test_word_numbers_without_a_vocabulary_stand_without_their_padding() -> None:
    x = np.array([[0, 0, 14, 22, 16]] * 3, np.int32)

    (card, *_) = cards(samples_of(classifier(3), x))

    assert card.all("blockquote")[0].text == "14 22 16"


def test_long_rows_are_cut_and_counted() -> None:
    (card, *_) = cards(samples_of(classifier(3), np.ones((3, 500, 1), np.float32)))

    assert len(card.all("dl", "values")[0].all("div")) == 8
    assert card.all("div", "shown")[0].all("p")[0].text == "and 492 more"


def test_numbers_are_a_table_with_differences() -> None:
    judged = regressor()
    targets = np.asarray(judged.known.targets)
    x = np.arange(100, dtype=np.float32).reshape(50, 2)

    first, second = drawn(samples_of(judged, x)).all("table")

    head, *rows = first.rows()
    assert head == ["no.", "true", "predicted", "difference", "x[0]", "x[1]"]
    spread, worst = choose_examples(judged, 12)
    for row, index in zip([*rows, *second.rows()[1:]], [*spread, *worst], strict=True):
        values = [float(value) for value in row]
        said = float(judged.output[index, 0])
        assert values[:3] == pytest.approx([index, targets[index], said], rel=1e-5)
        assert values[3] == pytest.approx(targets[index] - said, rel=1e-4, abs=1e-3)
        assert values[4:] == [2 * index, 2 * index + 1]


@pytest.mark.parametrize(
    ("shape", "is_one"),
    [
        ((8, 8), True),
        ((28, 28, 1), True),
        ((32, 32, 3), True),
        ((8, 40), False),
        ((3, 3), False),
        ((8, 8, 4), False),
        ((64,), False),
    ],
)
def test_pictures_are_what_can_be_seen(shape: tuple[int, ...], is_one: bool) -> None:
    assert is_picture(shape) is is_one


@pytest.mark.parametrize("shape", [(100, 60, 3), (100, 60), (100, 60, 1)])
def test_large_picture_is_made_smaller(shape: tuple[int, ...]) -> None:
    made = Image.open(io.BytesIO(base64.b64decode(encode_picture(np.ones(shape, np.uint8), 1.0))))

    assert made.size == (38, 64)
    assert np.asarray(made).min() == 255


def test_picture_without_a_range_is_stretched() -> None:
    values = np.linspace(-3, 5, 64).reshape(8, 8)

    made = np.asarray(Image.open(io.BytesIO(base64.b64decode(encode_picture(values, None)))))

    assert (made.min(), made.max()) == (0, 255)
    assert (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(encode_picture(values * np.nan, None))))).max() == 0
    )


def png_of(width: int, height: int, more: bytes = b"") -> str:
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return base64.b64encode(head + b"\x08\0\0\0\0" + more).decode()


@pytest.mark.parametrize(
    "picture",
    [
        "",
        "not base64!",
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(b"<svg onload=alert(1)>").decode(),
        png_of(100_000, 100_000),
        png_of(0, 5),
        png_of(8, 8) + "\" onerror='x'",
        png_of(8, 8, b"x" * 50_000),
        7,
        None,
        ["x"],
    ],
    ids=lambda picture: repr(picture)[:50],
)
def test_picture_that_nnrun_does_not_write_is_left_out(picture: Any) -> None:
    one = {
        "example": 0,
        "target": 0,
        "predicted": 0,
        "probabilities": [],
        "inputs": {"x": {"picture": picture}},
    }

    (card,) = cards({"classes": ["a"], "spread": [one]})

    assert card.all("img") == []


def test_picture_that_nnrun_writes_is_shown() -> None:
    one = {"inputs": {"x": {"picture": png_of(8, 8)}}}

    assert cards({"classes": ["a"], "spread": [one]})[0].all("img")


def test_points_of_two_classes_end_where_curves_end() -> None:
    found = points_of(classifier(2_000, ("no", "yes")))

    roc, curve = found["roc"]["points"], found["precision_recall"]["points"]
    assert roc[0] == [0, 0]
    assert roc[-1] == [1, 1]
    assert curve[0] == [0, 1]
    assert curve[-1][0] == 1
    assert len(roc) <= MOST_POINTS
    assert all(after[0] >= before[0] for before, after in itertools.pairwise(roc))


def test_thinned_points_lie_on_the_curve() -> None:
    x = np.linspace(0, 1, 5_000)

    found = thin(x, x**2)

    assert len(found) == MOST_POINTS
    assert all(y == pytest.approx(at**2, abs=2e-5) for at, y in found)


def test_points_of_numbers_count_every_residual() -> None:
    judged = regressor(1_000)

    (column,) = points_of(judged)["columns"]

    assert sum(column["residuals"]["counts"]) == 1_000
    assert len(column["target"]) == len(column["predicted"]) == 400
    edges = column["residuals"]["edges"]
    residuals = np.asarray(judged.known.targets) - judged.output[:, 0]
    assert [edges[0], edges[-1]] == pytest.approx([residuals.min(), residuals.max()], rel=1e-5)


def test_points_of_equal_residuals_are_one_bar() -> None:
    judged: Judged | None = judge(np.arange(5.0)[:, None], Known(np.arange(5.0), names=["x"]))
    assert judged is not None

    (column,) = points_of(judged)["columns"]

    assert sorted(column["residuals"]["counts"])[-2:] == [0, 5]
