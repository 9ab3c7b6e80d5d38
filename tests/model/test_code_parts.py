"""The parts of a user's Python file: run once, from the text that was read, and blamed for what they raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.errors import SpecError
from nnrun.keras_backend import load_keras, start_session
from nnrun.model.build import InputShape, build_model
from nnrun.model.code import run_code
from nnrun.model.compile import make_optimizer
from nnrun.model.parts import make_part
from nnrun.model.reasons import blame_code
from nnrun.model.summary import build_from_facts
from nnrun.spec.catalog import Kind
from nnrun.spec.code import Code, use_code
from nnrun.spec.load import load_spec
from nnrun.spec.schema import Choice, TrainingSection

pytestmark = pytest.mark.tensorflow

PARTS = """
from __future__ import annotations

import dataclasses

import keras
from keras import ops


@dataclasses.dataclass
class Settings:
    factor: float = 2.0


SETTINGS = Settings()


def twice(x):
    return x * SETTINGS.factor


def off(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def thirds(shape, dtype=None):
    return ops.ones(shape, dtype) / 3


class Shift(keras.layers.Layer):
    def __init__(self, by=1.0, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.by = by
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.extra = self.add_weight(shape=(), initializer="zeros", name="extra")

    def call(self, x):
        return self.activation(x + self.by + self.extra)

    def get_config(self):
        return super().get_config() | {"by": self.by, "activation": keras.activations.serialize(self.activation)}


class Most(keras.regularizers.Regularizer):
    def __init__(self, rate=0.5):
        self.rate = rate

    def __call__(self, x):
        return self.rate * ops.max(x)

    def get_config(self):
        return {"rate": self.rate}


class Floor(keras.constraints.Constraint):
    def __call__(self, w):
        return ops.maximum(w, 0.25)


class Fives(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return ops.full(shape, 5.0, dtype)


class Slow(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.125, **kwargs):
        super().__init__(learning_rate, **kwargs)


class Stairs(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, top):
        self.top = top

    def __call__(self, step):
        return self.top / (1.0 + ops.cast(step, "float32"))


class Count(keras.callbacks.Callback):
    def __init__(self, limit=3):
        super().__init__()
        self.limit = limit


class Far(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(y_true - y_pred)


class Near(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)
"""


@pytest.fixture
def use(tmp_path: Path) -> Iterator[Callable[..., Code]]:
    """Put a file's parts into the catalogue; take them out afterwards."""

    def write_and_use(text: str = PARTS, name: str = "parts.py") -> Code:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        code = use_code(path)
        assert code is not None
        return code

    yield write_and_use
    use_code(None)


def test_every_kind_of_part_is_made(use: Callable[..., Code]) -> None:
    use()
    keras = load_keras()

    def made(kind: Kind, name: str, **arguments: Any) -> Any:
        return make_part(kind, Choice(name, arguments))

    assert made("activation", "twice")(3.0) == 6.0
    assert float(made("loss", "off")(np.ones((1, 2)), np.zeros((1, 2)))[0]) == 1
    assert made("metric", "off") is made("loss", "off")
    assert made("initializer", "thirds")((3,)).numpy().sum() == 1
    assert isinstance(made("layer", "Shift", by=2), keras.layers.Layer)
    assert made("regularizer", "Most", rate=1)(np.array([1.0, 4.0])) == 4
    assert isinstance(made("constraint", "Floor")(), keras.constraints.Constraint)
    assert isinstance(made("initializer", "Fives")(), keras.initializers.Initializer)
    assert made("callback", "Count", limit=5).limit == 5
    assert isinstance(made("loss", "Far"), keras.losses.Loss)
    section = TrainingSection(loss=Choice("off"), optimizer=Choice("Slow"))
    assert float(make_optimizer(section).learning_rate) == 0.125
    scheduled = section.model_copy(update={"learning_rate": Choice("Stairs", {"top": 4.0})})
    assert float(make_optimizer(scheduled).learning_rate) == 4


def test_layers_take_parts_of_the_file_among_their_arguments(
    use: Callable[..., Code], tmp_path: Path
) -> None:
    use()
    path = tmp_path / "spec.yaml"
    path.write_text(
        "data: {source: xor}\n"
        "model:\n"
        "  layers:\n"
        "    - Dense: {units: 3, activation: twice, kernel_initializer: thirds, bias_initializer: Fives,\n"
        "        kernel_regularizer: {Most: {rate: 2.0}}, kernel_constraint: Floor}\n"
        "    - Shift: {by: 1, activation: twice}\n"
        "    - Reshape: {target_shape: [3, 1]}\n"
        "    - Bidirectional: {layer: {GRU: {units: 2, activation: twice, kernel_initializer: thirds}}}\n"
        "    - Dense: {units: 1}\n"
        "training: {loss: off, metrics: [off, Near]}\n"
    )
    loaded = load_spec(path, (), tmp_path / "parts.py")
    start_session(0)
    model = build_model(loaded.model, {"input": InputShape((2,))}, loaded.place)
    dense = model.layers[0]

    assert dense(np.zeros((1, 2))).numpy().tolist() == [[10, 10, 10]]
    assert type(dense.kernel_regularizer).__name__ == "Most" and float(dense.losses[0]) == np.float32(2 / 3)
    assert model.layers[1](np.zeros((1, 3))).numpy().tolist() == [[2, 2, 2]]


def test_summary_on_paper_knows_the_parts(use: Callable[..., Code], tmp_path: Path) -> None:
    use()
    path = tmp_path / "spec.yaml"
    path.write_text(
        "data: {source: xor}\nmodel: {layers: [Shift, {Dense: {units: 1}}]}\ntraining: {loss: mse}\n"
    )

    assert build_from_facts(load_spec(path, (), tmp_path / "parts.py")).count_params() == 4


def test_file_runs_once_and_writes_nothing_beside_itself(use: Callable[..., Code], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = f"with open({str(marker)!r}, 'a') as file:\n    file.write('x')\ndef act(x): return x\n"
    module = use(text).module

    assert not marker.exists()
    run_code(module)
    run_code(module)
    assert marker.read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marker", "parts.py"]


def test_what_runs_is_the_text_that_was_read(use: Callable[..., Code], tmp_path: Path) -> None:
    module = use("def act(x): return 1\n").module
    (tmp_path / "parts.py").write_text("def act(x): return 2\n")

    assert run_code(module).act(0) == 1


def test_two_texts_of_one_file_are_two_modules(use: Callable[..., Code]) -> None:
    first = use("def act(x): return 1\n").module
    run_code(first)
    use("def act(x): return 2\n")

    assert make_part("activation", Choice("act"))(0) == 2
    assert run_code(first).act(0) == 1


@pytest.mark.parametrize("name", ["keras.py", "numpy.py", "sys.py", "a:b.py", "mit leerzeichen.py", "noend"])
def test_name_of_the_file_does_not_matter(name: str, use: Callable[..., Code]) -> None:
    import sys

    before = dict(sys.modules)
    module = use(
        "import keras\nclass Mine(keras.layers.Layer):\n    def call(self, x): return x\n", name
    ).module
    made = run_code(module).Mine()

    assert type(made).__module__ == "nnrun_code"
    for taken in ("keras", "numpy", "sys"):
        assert sys.modules[taken] is before[taken]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def act(x): return x\nraise ValueError('no\\nway')\n", "2:1  cannot be run: ValueError: no way"),
        (
            "import nothing_there\ndef act(x): return x\n",
            "1:1  cannot be run: ModuleNotFoundError: No module named 'nothing_there'",
        ),
        ("def act(x): return x\nraise SystemExit(0)\n", "2:1  cannot be run: SystemExit: 0"),
        ("def act(x): return x\n\nreturn 3\n", "3:1  cannot be run: SyntaxError: 'return' outside function"),
        (
            "def half(x): return x / 0\ndef act(x): return x\nhalf(3)\n",
            "1:1  cannot be run: ZeroDivisionError: division by zero",
        ),
        ("def act(x): return x\nraise ValueError\n", "2:1  cannot be run: ValueError: ValueError"),
    ],
    ids=["raise", "import", "exit", "syntax", "deeper", "no_message"],
)
def test_exception_in_the_file_is_shown_at_its_line(
    text: str, expected: str, use: Callable[..., Code]
) -> None:
    code = use(text)
    with pytest.raises(SpecError) as caught:
        run_code(code.module)

    assert str(caught.value).startswith(f"{code.path}:{expected}")


def test_exception_at_first_use_is_blamed_on_the_file(use: Callable[..., Code]) -> None:
    code = use("def act(x):\n    y = x\n    return y / 0\n")
    activation = make_part("activation", Choice("act"))
    with pytest.raises(ZeroDivisionError) as caught:
        activation(1)
    blamed = blame_code(caught.value)

    assert str(blamed) == f"{code.path}:3:1  raised ZeroDivisionError: division by zero"
    assert blame_code(ValueError("of nnrun itself")) is None


def test_keras_in_between_does_not_hide_the_line(use: Callable[..., Code]) -> None:
    code = use(
        "import keras\nclass Mine(keras.layers.Layer):\n    def call(self, x):\n        raise KeyError('x')\n"
    )
    layer = make_part("layer", Choice("Mine"))
    with pytest.raises(Exception) as caught:
        layer(load_keras().Input((3,)))

    assert str(blame_code(caught.value)) == f"{code.path}:4:1  raised KeyError: 'x'"


def test_part_that_registers_itself_keeps_its_name(use: Callable[..., Code]) -> None:
    use(
        "import keras\n"
        "@keras.saving.register_keras_serializable('own')\n"
        "class Known(keras.layers.Layer): pass\n"
        "class Unknown(keras.layers.Layer): pass\n"
    )
    saving = load_keras().saving

    assert saving.get_registered_name(type(make_part("layer", Choice("Known")))) == "own>Known"
    assert saving.get_registered_name(type(make_part("layer", Choice("Unknown")))) == "Unknown"
    assert saving.get_registered_object("Unknown") is type(make_part("layer", Choice("Unknown")))
