"""Pictures are drawn without a warning, say what they are given, and are the same bytes every time."""

from __future__ import annotations

import io
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from nnrun.errors import DataError, ResourceError, SpecError
from nnrun.report.answers import Answers, check_answers
from nnrun.report.boundary import draw_boundary
from nnrun.report.class_pictures import (
    draw_calibration,
    draw_class_scores,
    draw_precision_recall,
    draw_roc,
)
from nnrun.report.classification import confident_mistakes, report_by_class
from nnrun.report.confusion import confusion_of
from nnrun.report.confusion_picture import draw_confusion
from nnrun.report.histograms import draw_histograms
from nnrun.report.image_grid import draw_predictions
from nnrun.report.learning_curves import draw_learning_curves
from nnrun.report.pictures import fit, new_figure, picture_bytes, save, text_inches
from nnrun.report.regression_pictures import draw_predictions_against_targets, draw_residuals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ODD_NAMES = ["$x_1$ & <b>", "a_name_of_forty_characters_or_so_number_1", "分类名称", "اسم صنف", "\x1b[31m\n"]
PNG_START = b"\x89PNG\r\n"


def answers_of(classes: int, count: int = 300, names: list[str] | None = None) -> Answers:
    generator = np.random.default_rng(classes)
    targets = generator.integers(0, classes, count)
    powers = np.exp(generator.normal(size=(count, classes)) + 2 * np.eye(classes)[targets])
    return check_answers(targets, powers / powers.sum(axis=1, keepdims=True), names)


def rows_of(epochs: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "seconds": 1.0,
            "examples_per_second": 100.0,
            "learning_rate": 0.001,
            "loss": 1 / epoch,
            "val_loss": 1 / epoch + 0.01 * epoch,
            **values,
        }
        for epoch in range(1, epochs + 1)
    ]


def texts(figure: Figure) -> list[str]:
    """All texts of a picture, as a reader of its SVG finds them."""
    root = ElementTree.fromstring(picture_bytes(figure, "svg"))
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def pixels(figure: Figure) -> tuple[int, int]:
    """Width and height of its PNG."""
    content = picture_bytes(figure, "png")
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def images(count: int, *shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)


def spirals(count: int = 200) -> tuple[Any, Any]:
    points = np.random.default_rng(0).normal(size=(count, 2))
    return points, (points[:, 0] > 0).astype(int)


NUMBERS = np.random.default_rng(0).normal(size=(2, 5000))
PICTURES: dict[str, Callable[[], Figure]] = {
    "learning curves": lambda: draw_learning_curves(rows_of(20), best_epoch=7),
    "confusion of 2": lambda: draw_confusion(confusion_of(answers_of(2))),
    "confusion of 5 odd names": lambda: draw_confusion(confusion_of(answers_of(5, names=ODD_NAMES))),
    "confusion of 30": lambda: draw_confusion(confusion_of(answers_of(30))),
    "confusion of 100": lambda: draw_confusion(confusion_of(answers_of(100, 3000))),
    "class scores": lambda: draw_class_scores(report_by_class(answers_of(5, names=ODD_NAMES))),
    "roc": lambda: draw_roc(answers_of(2)),
    "roc of many classes": lambda: draw_roc(answers_of(30, 900)),
    "precision and recall": lambda: draw_precision_recall(answers_of(5, names=ODD_NAMES)),
    "calibration": lambda: draw_calibration(answers_of(5)),
    "calibration of two": lambda: draw_calibration(answers_of(2, names=ODD_NAMES[:2])),
    "predictions": lambda: draw_predictions(images(300, 8, 8), answers_of(5, names=ODD_NAMES)),
    "boundary": lambda: draw_boundary(lambda at: (at[:, 0] > 0) * 1.0, *spirals(), ODD_NAMES[:2]),
    "few dots": lambda: draw_predictions_against_targets(NUMBERS[0, :90], NUMBERS[1, :90]),
    "many dots": lambda: draw_predictions_against_targets(*NUMBERS),
    "residuals": lambda: draw_residuals(*NUMBERS),
    "few residuals": lambda: draw_residuals(NUMBERS[0, :90], NUMBERS[1, :90]),
    "histograms": lambda: draw_histograms(dict(zip(ODD_NAMES, NUMBERS[0].reshape(5, -1), strict=True))),
}
each_picture = pytest.mark.parametrize("draw", PICTURES.values(), ids=list(PICTURES))


@pytest.fixture(autouse=True)
def settings_stay_as_they_are() -> Iterator[None]:
    """No picture leaves matplotlib changed behind."""
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


@each_picture
def test_picture_drawn_twice_is_the_same_file(draw: Callable[[], Figure], tmp_path: Path) -> None:
    for name in ("first", "second"):
        figure = draw()
        save(figure, tmp_path / f"{name}.png")
        save(figure, tmp_path / f"{name}.svg")

    for ending in (".png", ".svg"):
        content = (tmp_path / f"first{ending}").read_bytes()
        assert content == (tmp_path / f"second{ending}").read_bytes()
        assert len(content) > 3000
        assert b"date" not in content and b"Matplotlib v" not in content


@each_picture
def test_picture_is_legible_in_a_page_and_has_all_its_texts_inside(
    draw: Callable[[], Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[Text, Any] = {}
    draw_text = Text.draw

    def noted(text: Text, renderer: Any) -> None:
        draw_text(text, renderer)
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            drawn[text] = box.x0, box.y0, renderer.width - box.x1, renderer.height - box.y1

    figure = draw()
    monkeypatch.setattr(Text, "draw", noted)
    picture_bytes(figure)
    width, height = figure.get_size_inches()

    assert 6 <= width <= 8.5  # letters are as large as meant when it is shown at 800 pixels
    assert 2 <= height <= 15
    assert len(drawn) > 5
    for text, distances_from_the_edges in drawn.items():
        assert text.get_fontsize() >= 6
        assert min(distances_from_the_edges) >= 0, text.get_text()


@pytest.mark.parametrize(
    "draw",
    [
        lambda answers: draw_confusion(confusion_of(answers)),
        lambda answers: draw_class_scores(report_by_class(answers)),
        lambda answers: draw_predictions(images(300, 8, 8), answers, range(12)),
        lambda answers: draw_boundary(lambda at: np.eye(5)[at[:, 0].astype(int) % 5], *spirals(), ODD_NAMES),
    ],
)
def test_odd_names_of_classes_stand_in_the_picture_as_they_are(draw: Callable[[Answers], Figure]) -> None:
    found = " ".join(texts(draw(answers_of(5, names=ODD_NAMES))))

    assert "$x_1$ & <b>" in found or "$x_1...<b>" in found
    assert "分类名称" in found and "اسم صنف" in found
    assert "\\x1b" in found and "\x1b" not in found
    assert b"<b>" not in picture_bytes(draw(answers_of(5, names=ODD_NAMES)), "svg")


def test_letters_that_no_font_has_give_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions of matplotlib warn of each letter that is drawn as a box."""
    draw_text = Text.draw

    def warned(text: Text, renderer: Any) -> None:
        warnings.warn("Glyph 20998 (\\N{CJK UNIFIED IDEOGRAPH-5206}) missing from font(s) X.", stacklevel=1)
        draw_text(text, renderer)

    monkeypatch.setattr(Text, "draw", warned)

    assert picture_bytes(PICTURES["roc"]()).startswith(PNG_START)


def test_settings_of_the_user_change_no_picture() -> None:
    expected = picture_bytes(PICTURES["roc"](), "svg")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.hashsalt": "theirs"}):
        assert picture_bytes(PICTURES["roc"](), "svg") == expected


def test_save_makes_folders_and_leaves_no_other_file(tmp_path: Path) -> None:
    save(PICTURES["roc"](), tmp_path / "plots" / "roc.PNG")

    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["roc.PNG"]
    assert (tmp_path / "plots" / "roc.PNG").read_bytes().startswith(PNG_START)


def test_save_refuses_other_endings(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"expected a file that ends in \.png or \.svg; found roc\.pdf"):
        save(new_figure(1), tmp_path / "roc.pdf")


def test_save_where_nobody_may_write_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write"):
        save(new_figure(1), tmp_path / "file" / "roc.png")


def test_picture_too_large_for_matplotlib_has_fewer_pixels() -> None:
    assert pixels(new_figure(400)) == (655, 32768)


@pytest.mark.parametrize("text", ["a" * 100, "分" * 100, "short", "$" * 50])
def test_fitted_text_is_as_wide_as_there_is_room(text: str) -> None:
    found = fit(text, 1.5, 9)

    assert text_inches(found, 9) <= 1.5
    assert found == text or "..." in found


def test_fitted_text_keeps_beginning_and_end() -> None:
    assert fit("conv2_block1_1_conv_of_the_encoder_17", 1.0, 9) == "conv2...r_17"


def panel_titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_learning_curves_have_a_panel_for_each_metric_and_the_rate() -> None:
    figure = draw_learning_curves(rows_of(5, accuracy=0.5, val_accuracy=0.4, val_only=1.0), best_epoch=2)

    assert panel_titles(figure) == ["loss", "accuracy", "only", "learning rate"]
    said = texts(figure)
    assert {"training", "validation", "best epoch: 2", "best epoch: 0.52", "best epoch: 0.4"} <= set(said)


def test_learning_curves_of_one_epoch_are_dots() -> None:
    figure = draw_learning_curves(rows_of(1))

    assert all(line.get_marker() == "o" for line in figure.axes[0].lines)
    assert figure.axes[0].get_xlim() == (0.5, 1.5)


def test_learning_curves_leave_out_what_is_missing() -> None:
    rows = rows_of(6)
    rows[1].pop("val_loss")
    rows[2]["val_loss"] = "nan"
    rows[3]["val_loss"] = None
    rows[4]["val_loss"] = 10**400
    training, validation = draw_learning_curves(rows).axes[0].lines

    assert list(training.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert list(validation.get_xdata()) == [1, 6]


@pytest.mark.parametrize("rows", [[], [{"epoch": 1}], [{"epoch": 1, "loss": "nan"}], [{"loss": True}]])
def test_learning_curves_of_nothing_say_so(rows: list[dict[str, Any]]) -> None:
    assert "no epoch was finished" in texts(draw_learning_curves(rows))


def test_learning_curves_that_fall_far_are_on_a_scale_of_powers() -> None:
    steep = [row | {"loss": 10.0 ** -row["epoch"], "val_loss": 1.0} for row in rows_of(6)]
    said = texts(draw_learning_curves(steep))

    assert draw_learning_curves(steep).axes[0].get_yscale() == "log"
    assert "0.001" in said and not any("$" in text for text in said)
    assert draw_learning_curves(rows_of(6)).axes[0].get_yscale() == "linear"


def test_learning_curves_of_ten_thousand_epochs_are_thin_and_small() -> None:
    figure = draw_learning_curves(rows_of(10_000), best_epoch=10_000)

    assert figure.axes[0].lines[0].get_marker() == "None"
    assert "best epoch: 10,000" in texts(figure)
    assert len(picture_bytes(figure, "svg")) < 1_000_000


def test_learning_curves_of_many_metrics_name_how_many_are_left_out() -> None:
    figure = draw_learning_curves(rows_of(3, **{f"metric_{index}": 1.0 for index in range(20)}))

    assert len(figure.axes) == 10
    assert "and 12 metrics more" in texts(figure)


def test_confusion_picture_has_every_count_and_name() -> None:
    answers = answers_of(4, names=["ant", "bee", "cat", "dog"])
    confusion = confusion_of(answers)
    said = texts(draw_confusion(confusion))

    assert {str(count) for count in confusion.counts.ravel().tolist()} <= set(said)
    assert said.count("ant") == said.count("dog") == 2


def test_confusion_picture_of_many_classes_lists_the_most_frequent() -> None:
    confusion = confusion_of(answers_of(100, 3000))
    said = texts(draw_confusion(confusion))
    true, taken, count = confusion.most_frequent(1)[0]

    assert f"{true} taken for {taken}" in said
    assert f"{count} of {confusion.counts[true].sum()}" in [text.strip() for text in said]
    assert "no class is taken for another one" in texts(
        draw_confusion(confusion_of(check_answers(np.arange(50), np.eye(50))))
    )


def test_scores_of_many_classes_are_those_of_the_worst() -> None:
    report = report_by_class(answers_of(60, 2000))
    figure = draw_class_scores(report)
    order = sorted(report.classes, key=lambda scores: scores.f1)

    assert "the 40 worst of 60 classes" in texts(figure)
    assert f"{order[0].name} ({order[0].support})" in texts(figure)
    assert f"{order[-1].name} ({order[-1].support})" not in texts(figure)


def test_curves_name_their_areas() -> None:
    from nnrun.report.thresholds import areas_by_class

    answers = answers_of(3, names=["a", "b", "c"])
    areas = areas_by_class(answers)

    assert {f"{area:.4f}  {name}" for name, (area, _) in zip("abc", areas, strict=True)} <= set(
        texts(draw_roc(answers))
    )
    assert {f"{mean:.4f}  {name}" for name, (_, mean) in zip("abc", areas, strict=True)} <= set(
        texts(draw_precision_recall(answers))
    )


@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
def test_curves_of_one_class_only_say_so(draw: Callable[[Answers], Figure]) -> None:
    assert "not defined: there are no examples of both kinds" in texts(
        draw(check_answers([0, 0], [0.1, 0.6]))
    )


def test_curves_of_many_examples_are_thinned() -> None:
    figure = draw_roc(answers_of(2, 20_000))

    assert len(figure.axes[0].lines[0].get_xdata()) <= 500
    assert figure.axes[0].lines[0].get_xdata()[-1] == 1


def colours_of(figure: Figure) -> list[str]:
    return [text.get_color() for text in figure.texts[1:]]


def bars_of(axes: Any) -> list[tuple[float, str]]:
    """Length and colour of the bars of an example."""
    return [(bar.get_width(), to_hex(bar.get_facecolor())) for bar in axes.containers[1]]


def test_predictions_are_green_where_right_and_red_where_wrong() -> None:
    answers = check_answers([0, 1], [[0.8, 0.2], [0.7, 0.3]], ["cat", "dog"])
    figure = draw_predictions(np.zeros((2, 5, 5, 1)), answers)

    assert [text.get_text() for text in figure.texts[1:]] == ["cat 80% ", "cat 70% (dog)"]
    assert colours_of(figure) == ["#00704F", "#D55E00"]
    assert bars_of(figure.axes[1]) == [(0.8, "#7ccbae"), (pytest.approx(0.2), "#d9d9d9")]
    assert bars_of(figure.axes[3]) == [(0.7, "#f0a070"), (0.3, "#7ccbae")]


def test_worst_predictions_are_drawn_in_their_order() -> None:
    answers = answers_of(3, names=["a", "b", "c"])
    worst = confident_mistakes(answers, 7)
    figure = draw_predictions(images(300, 8, 8, 3), answers, [one.index for one in worst])

    shown = [text.get_text() for text in figure.texts[1:]]
    assert shown == [f"{'abc'[one.predicted]} {one.probability:.0%} ({'abc'[one.target]})" for one in worst]
    assert set(colours_of(figure)) == {"#D55E00"}


def test_predictions_without_examples_say_so() -> None:
    assert "there are no such examples" in texts(draw_predictions(images(9, 4, 4), answers_of(3, 9), []))


def test_images_are_drawn_as_they_are_whatever_their_kind() -> None:
    answers = check_answers([0], [[0.9, 0.1]])
    gray = np.arange(0, 256, 16, dtype=np.uint8).reshape(1, 4, 4)
    kinds = [gray, gray[..., None], gray / 255, (gray / 255)[..., None].astype(np.float32), gray / 127.5 - 1]
    drawn = [draw_predictions(kind, answers).axes[0].images[0].get_array() for kind in kinds]

    for pixel in drawn[:4]:
        np.testing.assert_allclose(np.asarray(pixel), gray[0] / 255, atol=1e-6)
    np.testing.assert_allclose(np.asarray(drawn[4]), gray[0] / 240, atol=1e-6)
    colour = draw_predictions(images(1, 4, 4, 3), answers).axes[0].images[0].get_array()
    np.testing.assert_allclose(np.asarray(colour), images(1, 4, 4, 3)[0] / 255)


@pytest.mark.parametrize("shape", [(4, 8), (4, 8, 8, 2), (5, 8, 8), (4, 0, 8)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected 4 images of shape"):
        draw_predictions(np.zeros(shape), answers_of(3, 4))


def test_images_that_are_constant_or_not_finite_are_drawn() -> None:
    strange = np.array([np.full((4, 4), 7.0), np.full((4, 4), np.nan), np.full((4, 4), -np.inf)])

    picture_bytes(draw_predictions(strange, answers_of(2, 3)))


def test_boundary_asks_for_the_whole_plane_and_draws_each_class() -> None:
    asked = []

    def predict(at: Any) -> Any:
        asked.append(at)
        return (at[:, 0] > 0).astype(float)[:, None]

    points, labels = spirals()
    figure = draw_boundary(predict, points, labels, ["left", "right"], resolution=30)

    assert asked[0].shape == (900, 2) and asked[0].dtype == np.float32
    assert (asked[0].min(axis=0) < points.min(axis=0)).all()
    assert {"left", "right"} <= set(texts(figure))
    ground = np.asarray(figure.axes[0].images[0].get_array())
    assert ground.shape == (30, 30, 3) and (ground[:, 0] != ground[:, -1]).any()
    assert [len(dots.get_offsets()) for dots in figure.axes[0].collections[-2:]] == [
        (labels == 0).sum(),
        (labels == 1).sum(),
    ]


def test_boundary_of_a_model_that_says_one_thing_is_drawn() -> None:
    picture_bytes(draw_boundary(lambda at: np.full(len(at), 0.9), *spirals()))


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4, int), "expected points of two finite numbers each; found shape"),
        (np.full((4, 2), np.nan), np.zeros(4, int), "two finite numbers"),
        (np.zeros((4, 2)), np.zeros(3, int), "expected a label for each of 4 points; found 3"),
    ],
)
def test_boundary_of_other_points_is_refused(points: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_boundary(lambda at: np.full(len(at), 0.9), points, labels)


@pytest.mark.parametrize("draw", [draw_predictions_against_targets, draw_residuals])
@pytest.mark.parametrize("pair", [([3.0], [3.0]), ([3.0, 3.0], [3.0, 3.0]), ([1e6, 1e6], [0.0, 1.0])])
def test_predicted_numbers_that_lie_on_one_spot_are_drawn(
    draw: Callable[..., Figure], pair: tuple[Any, Any]
) -> None:
    assert picture_bytes(draw(*pair)).startswith(PNG_START)


def test_predicted_numbers_name_their_errors() -> None:
    said = texts(draw_predictions_against_targets([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]))

    assert "mean absolute error 0.3333, R2 0.5000" in said


def test_histograms_name_layers_and_what_is_not_finite() -> None:
    arrays = {
        "dense/kernel": np.arange(100.0),
        "dense/bias": np.array([1.0, np.nan, np.inf]),
        "empty": np.zeros(0),
        "half": np.ones(9, np.float16),
    }
    said = texts(draw_histograms(arrays, "activations"))

    assert {"dense/kernel", "dense/bias", "Activations by layer", "no finite values"} <= set(said)
    assert any("2 of 3 not finite" in text for text in said)


def test_histograms_of_too_many_arrays_say_which_are_drawn() -> None:
    many = {f"layer {index}": np.arange(3.0) for index in range(61)}

    assert "Weights by layer (the first 60 of 61)" in texts(draw_histograms(many))
    assert "there are no weights" in texts(draw_histograms({}))


def test_png_holds_an_image() -> None:
    from matplotlib.image import imread

    pixel = imread(io.BytesIO(picture_bytes(PICTURES["roc"]())))

    assert pixel.shape[2] == 4 and pixel.min() < 0.5 < pixel.max()
