"""Pictures of data before training: what is drawn where, in plain text, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from nnrun.data.examples import Examples
from nnrun.data.inspect import inspect_data
from nnrun.data.inspect_open import open_source
from nnrun.report.pictures import picture_bytes
from nnrun.report.samples import draw_data, draw_images, draw_points
from nnrun.spec.load import load_spec

STRANGE = ["$cat_1$", "<b>bold</b>", "كلب", "猫"]


def draw(
    folder: Path, source: dict[str, Any], units: int = 10, loss: str = "sparse_categorical_crossentropy"
) -> Figure:
    spec = {
        "data": {"source": source},
        "model": {"layers": ["Flatten", {"Dense": {"units": units}}]},
        "training": {"loss": loss},
    }
    path = folder / "spec.yaml"
    path.write_text(json.dumps(spec))
    loaded = load_spec(path)
    opened = open_source(loaded, lambda _: None)
    return draw_data(opened, inspect_data(opened, loaded))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def images(figure: Figure) -> list[Any]:
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_draw_data_of_digits_has_a_line_of_ten_for_each_class(tmp_path: Path) -> None:
    figure = draw(tmp_path, {"digits": {}})

    assert texts(figure) == ["digits", *map(str, range(10))]
    assert len(images(figure)) == 100
    assert max(image.max() for image in images(figure)) == 1  # 16 is white, not nearly black


def test_draw_images_puts_each_image_beside_its_class() -> None:
    x = np.zeros((40, 6, 6), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None]
    figure = draw_images(Examples(x, np.arange(40) % 4), STRANGE, divisor=1.0, title="$x_1$")

    assert texts(figure) == ["$x_1$", *STRANGE]
    for axes in figure.axes:
        line = round(
            (figure.axes[0].get_position().y0 - axes.get_position().y0) / 0.7 * figure.get_figheight()
        )
        image = round(float(axes.images[0].get_array().mean()) * 39)  # stretched from 0..39 to 0..1
        assert image % 4 == line


def test_draw_images_of_many_classes_shows_each_with_its_name() -> None:
    x = np.random.default_rng(0).random((200, 5, 5, 3))
    names = [f"class {index}" for index in range(70)]

    figure = draw_images(Examples(x, np.sort(np.arange(200) % 70)), names)

    assert texts(figure)[1:71] == names
    assert len(images(figure)) == 120
    assert images(figure)[0].shape == (5, 5, 3)


def test_draw_images_with_numbers_writes_them_under() -> None:
    figure = draw_images(Examples(np.ones((3, 5, 5, 1)), np.array([0.5, 1234.5, -2])), None)

    assert texts(figure)[1:] == ["0.5", "1.23e+03", "-2"]


def test_draw_images_with_nan_draws_the_rest() -> None:
    x = np.full((2, 5, 5), np.nan)
    x[1] = 7

    assert picture_bytes(draw_images(Examples(x, np.array([0, 1])), ["a", "b"]))


def test_draw_points_gives_each_class_its_points() -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    labels = np.arange(50) % 4

    figure = draw_points(Examples(points, labels), STRANGE)

    collections = figure.axes[0].collections
    assert [one.get_label() for one in collections] == STRANGE
    for index, one in enumerate(collections):
        assert np.allclose(one.get_offsets(), points[labels == index])


@pytest.mark.parametrize("source", ["moons", "spirals"])
def test_draw_data_of_points_in_the_plane_draws_points(source: str, tmp_path: Path) -> None:
    figure = draw(tmp_path, {source: {}}, units=2)

    assert len(figure.axes[0].collections) == 2


def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    columns = {
        STRANGE[0]: random.normal(size=300),
        STRANGE[1]: random.choice(STRANGE, 300),
        STRANGE[2]: [None if row % 3 else row / 7 for row in range(300)],
        "flag": np.arange(300) % 5 == 0,
        "y": [["no", "yes"][row % 2] for row in range(300)],
    }
    return pl.DataFrame(columns)


def test_draw_data_of_a_table_divides_each_column_by_class(tmp_path: Path) -> None:
    frame = table()
    frame.write_parquet(tmp_path / "x.parquet")

    figure = draw(tmp_path, {"parquet": {"path": "x.parquet", "target": "y"}}, units=2)

    panels = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}
    assert list(panels) == [*STRANGE[:3], "flag"]
    heights = [sum(bar.get_height() for bar in bars) for bars in panels[STRANGE[0]].containers]
    assert heights == [150, 150]
    ticks = [label.get_text() for label in panels[STRANGE[1]].get_yticklabels()]
    widths = [[bar.get_width() for bar in bars] for bars in panels[STRANGE[1]].containers]
    for place, value in enumerate(ticks):
        for index, name in enumerate(["no", "yes"]):
            wanted = frame.filter((pl.col(STRANGE[1]) == value) & (pl.col("y") == name)).height
            assert widths[index][place] == wanted
    assert "66.7 % missing" in [text.get_text() for text in panels[STRANGE[2]].texts]


def test_draw_data_with_names_of_strangers_is_plain_and_the_same_bytes(tmp_path: Path) -> None:
    table().write_parquet(tmp_path / "x.parquet")
    source = {"parquet": {"path": "x.parquet", "target": "y"}}

    first, second = (picture_bytes(draw(tmp_path, source, units=2), "svg") for _ in range(2))

    assert first == second
    assert b"$cat_1$" in first
    assert b"&lt;b&gt;bold" in first


def test_draw_data_of_numbers_draws_the_target_too(tmp_path: Path) -> None:
    figure = draw(tmp_path, {"celsius": {}}, units=1, loss="mse")

    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")] == [
        "y (target)",
        "x[0]",
    ]


def test_draw_data_of_a_wide_table_draws_sixty_and_says_so(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pl.DataFrame({f"f{index}": random.random(30) for index in range(70)} | {"y": [0, 1] * 15})
    frame.write_parquet(tmp_path / "x.parquet")

    figure = draw(tmp_path, {"parquet": {"path": "x.parquet", "target": "y"}}, units=2)

    assert texts(figure)[0] == "x.parquet (the first 60 of 70 columns)"
    assert len([axes for axes in figure.axes if axes.get_title(loc="left")]) == 60


def test_draw_data_of_sequences_draws_their_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((60, 12, 3)), y=np.arange(60) % 2)

    figure = draw(tmp_path, {"npz": {"path": "x.npz"}}, units=2)

    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")] == ["input"]
