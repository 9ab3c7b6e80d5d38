"""The curves that are drawn are Keras's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnrun.errors import ResourceError, SpecError
from nnrun.explain.curves import FILE, Curve, draw, find_curve, plot


@pytest.mark.tensorflow
def test_sampled_curves_are_those_of_the_installed_keras() -> None:
    from make_curves import sample

    known, now = json.loads(FILE.read_text("utf-8")), sample()

    assert known.keys() == now.keys()
    assert known["activations"].keys() == now["activations"].keys()
    for name, values in now["activations"].items():
        np.testing.assert_allclose(known["activations"][name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    for name, schedule in now["schedules"].items():
        assert known["schedules"][name]["arguments"] == schedule["arguments"]
        np.testing.assert_allclose(known["schedules"][name]["rates"], schedule["rates"], rtol=1e-4, atol=1e-9)


def test_curve_of_relu_is_known_without_keras() -> None:
    curve = find_curve("activation", "relu")

    assert curve is not None
    assert [y for x, y in zip(curve.x, curve.y, strict=True) if x < 0] == [0] * 50
    assert curve.y[-1] == 5


def test_alias_has_the_curve_of_what_it_stands_for() -> None:
    swish, silu = find_curve("activation", "swish"), find_curve("activation", "silu")

    assert swish is not None and silu is not None
    assert swish.y == silu.y


def test_activation_of_whole_vectors_has_no_curve() -> None:
    assert find_curve("activation", "softmax") is None
    assert find_curve("loss", "mse") is None


@pytest.mark.tensorflow
def test_schedule_with_arguments_of_the_user_is_computed() -> None:
    arguments = {"initial_learning_rate": 1.0, "decay_steps": 100, "decay_rate": 0.5}
    curve = find_curve("schedule", "ExponentialDecay", arguments)

    assert curve is not None
    at = dict(zip(curve.x, curve.y, strict=True))
    assert (at[0], at[100]) == (1.0, 0.5)


def test_drawing_names_the_ends_of_both_axes() -> None:
    lines = draw(Curve("line", [0, 5, 10], [-1, 0, 3], "step", "y"), "*")

    assert lines[0].startswith(" 3 |") and lines[0].endswith("*")
    assert lines[-3].startswith("-1 |*")
    assert lines[-1].split() == ["0", "step", "10"]


def test_drawing_of_a_constant_does_not_divide_by_nothing() -> None:
    assert any("*" in line for line in draw(Curve("constant", [0, 1], [2, 2], "x", "y"), "*"))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture_is_written(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"relu{suffix}"
    curve = find_curve("activation", "relu")
    assert curve is not None

    plot(curve, path)

    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm")


def test_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"expected a file that ends in \.png"):
        plot(Curve("x", [0], [0], "x", "y"), tmp_path / "curve.txt")


def test_picture_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ResourceError, match="cannot write"):
        plot(Curve("x", [0, 1], [0, 1], "x", "y"), tmp_path / "nothing" / "curve.png")
