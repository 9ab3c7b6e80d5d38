"""A user's Python file is read and never run: its parts, their arguments, and what is said where it does not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec import catalog
from nnrun.spec.code import Code, read_code, use_code
from nnrun.spec.load import load_spec


@pytest.fixture(autouse=True)
def without_code() -> Iterator[None]:
    """The catalogue of the next test is Keras's alone."""
    yield
    use_code(None)


@pytest.fixture
def use(tmp_path: Path) -> Callable[[str], Code]:
    """Put a file's parts into the catalogue."""

    def write_and_use(text: str) -> Code:
        path = tmp_path / "parts.py"
        path.write_text(text, "utf-8")
        code = use_code(path)
        assert code is not None
        return code

    return write_and_use


def refusal(path: Path, content: bytes | str | None = None) -> str:
    """All that is said of a file, without the folder."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SpecError) as caught:
        read_code(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def problems(folder: Path, layers: str, training: str = "") -> list[str]:
    """What is wrong with a specification that names parts of ``parts.py``; the layers stand in line 3."""
    path = folder / "spec.yaml"
    path.write_text(
        "data: {source: digits}\n"
        "model:\n"
        f"  layers: [Flatten, {layers}, {{Dense: {{units: 10}}}}]\n"
        f"training: {{loss: sparse_categorical_crossentropy{training}}}\n"
    )
    try:
        load_spec(path, (), folder / "parts.py")
    except SpecError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]
    return []


EVERY_KIND = """
import keras
from keras import ops

def act(x): return x
def off(y_true, y_pred): return ops.mean(y_true - y_pred, -1)
def start(shape, dtype=None): return ops.zeros(shape)
class Double(keras.layers.Layer):
    def __init__(self, factor=2, **kwargs): super().__init__(**kwargs)
class Small(keras.regularizers.Regularizer): pass
class Positive(keras.constraints.Constraint): pass
class Half(keras.initializers.Initializer): pass
class Slow(keras.optimizers.SGD): pass
class Stairs(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate): self.rate = rate
class Count(keras.callbacks.Callback): pass
class Far(keras.losses.Loss): pass
class Near(keras.metrics.Metric): pass
"""


def test_every_kind_of_part_is_told_by_its_base_class_or_arguments(use: Callable[[str], Code]) -> None:
    assert use(EVERY_KIND).parts == {
        "activation": ["act"],
        "loss": ["off", "Far"],
        "metric": ["off", "Near"],
        "initializer": ["start", "Half"],
        "layer": ["Double"],
        "regularizer": ["Small"],
        "constraint": ["Positive"],
        "optimizer": ["Slow"],
        "schedule": ["Stairs"],
        "callback": ["Count"],
    }


def test_every_kind_of_part_can_be_named(use: Callable[[str], Code], tmp_path: Path) -> None:
    use(EVERY_KIND)
    arguments = (
        "activation: act, kernel_initializer: start, bias_initializer: Half, kernel_regularizer: Small, "
    )
    layers = (
        f"{{Double: {{factor: 3, name: d}}}}, {{Dense: {{units: 4, {arguments}kernel_constraint: Positive}}}}"
    )
    training = (
        ", optimizer: Slow, learning_rate: {Stairs: {rate: 1}}, metrics: [off, Near], callbacks: [Count]"
    )

    assert problems(tmp_path, layers, training) == []


def test_private_names_and_what_is_no_part_are_left_out(use: Callable[[str], Code]) -> None:
    code = use(
        "import keras\n"
        "def _hidden(x): return x\n"
        "class _Base(keras.layers.Layer): pass\n"
        "class Shown(_Base): pass\n"
        "class Plain: pass\n"
        "class Whole(keras.Model): pass\n"
        "def nothing(): pass\n"
        "def three(a, b, c): pass\n"
        "async def later(x): pass\n"
        "short = lambda x: x\n"
    )

    assert code.parts == {"layer": ["Shown"]}


@pytest.mark.parametrize(
    ("statement", "base"),
    [
        ("import keras", "keras.layers.Layer"),
        ("import keras", "keras.Layer"),
        ("import keras as k", "k.layers.Layer"),
        ("import keras.layers", "keras.layers.Layer"),
        ("import keras.layers as kl", "kl.Layer"),
        ("from keras import layers", "layers.Layer"),
        ("from keras import ops, layers as kl", "kl.Layer"),
        ("from keras.layers import Dense, Layer", "Layer"),
        ("from keras.layers import (\n    Dense,\n    Layer as Base,  # renamed\n)", "Base"),
        ("from keras.layers import *", "Layer"),
        ("from keras.src.layers import Layer", "Layer"),
        ("import tensorflow as tf", "tf.keras.layers.Layer"),
        ("from tensorflow import keras", "keras.layers.Layer"),
        ("from tensorflow.keras import layers", "layers.Layer"),
        ("from tensorflow.keras.layers import Layer", "Layer"),
        ("try:\n    from keras import layers\nexcept ImportError:\n    pass", "layers.Layer"),
    ],
)
def test_base_class_is_found_however_it_was_imported(
    statement: str, base: str, use: Callable[[str], Code], tmp_path: Path
) -> None:
    init = "def __init__(self, size, **kwargs): super().__init__(**kwargs)"

    assert use(f"{statement}\nclass Mine({base}):\n    {init}\n").parts == {"layer": ["Mine"]}
    assert problems(tmp_path, "{Mine: {size: 3, name: mine}}") == []
    assert problems(tmp_path, "{Mine: {sise: 3}}") == [
        "spec.yaml:3:29  model.layers[1].Mine.sise: unknown argument; did you mean 'size'?"
    ]


@pytest.mark.parametrize(
    "body",
    [
        '  """Doc."""\n  def __init__(self, size, **kwargs):\n    super().__init__(**kwargs)\n',
        "\tdef __init__(self, size, **kwargs):\n\t\tsuper().__init__(**kwargs)\n",
        '    """Text at\nthe margin.\n    """\n    def __init__(self, size, **kwargs):\n'
        '        super().__init__(**kwargs)\n        self.text = """\nclass Mine(object):\n"""\n',
        "    def __init__(\n        self,\n        size,\n        **kwargs,\n    ):\n"
        "        super().__init__(**kwargs)\n",
        "    def __init__(self, size, **kwargs): super(Mine, self).__init__(**kwargs)\n",
    ],
    ids=["two_spaces", "tabs", "text_at_the_margin", "many_lines", "old_super"],
)
def test_arguments_are_read_however_the_class_is_written(
    body: str, use: Callable[[str], Code], tmp_path: Path
) -> None:
    use(f"from keras import layers\nclass Mine(layers.Layer):\n{body}")

    assert problems(tmp_path, "{Mine: {size: 3, name: mine}}") == []
    assert problems(tmp_path, "{Mine: {sise: 3}}") == [
        "spec.yaml:3:29  model.layers[1].Mine.sise: unknown argument; did you mean 'size'?"
    ]


def test_class_of_a_class_of_the_file_takes_the_arguments_of_all(
    use: Callable[[str], Code], tmp_path: Path
) -> None:
    use(
        "import keras\n"
        "class Base(keras.layers.Dense): pass\n"
        "class Mine(Base):\n"
        "    def __init__(self, extra=1, **kwargs): super().__init__(**kwargs)\n"
    )
    part = catalog.find("layer", "Mine")

    assert part is not None
    assert [argument.name for argument in part.arguments][:3] == ["extra", "units", "activation"]
    assert problems(tmp_path, "{Mine: {units: 3, extra: 2}}, Base") == [
        "spec.yaml:3:51  model.layers[2].Base: missing argument 'units'; write Base: {units: ...}"
    ]


@pytest.mark.parametrize(
    "text",
    ["class A(B): pass\nclass B(A): pass\n", "class A(A): pass\n", "class A(unknown.Layer, *more): pass\n"],
    ids=["in_a_circle", "of_itself", "of_nothing_known"],
)
def test_class_without_a_base_class_of_keras_is_no_part(text: str, use: Callable[[str], Code]) -> None:
    assert use(f"{text}def act(x): return x\n").parts == {"activation": ["act"]}


def test_of_two_classes_of_one_name_the_last_counts(use: Callable[[str], Code], tmp_path: Path) -> None:
    use(
        "from keras import layers\n"
        "class Mine(layers.Layer):\n    def __init__(self, old): pass\n"
        "class Mine(layers.Layer):\n    def __init__(self, new): pass\n"
    )

    assert problems(tmp_path, "{Mine: {new: 3}}") == []


def test_another_file_takes_the_parts_of_the_first_out(use: Callable[[str], Code], tmp_path: Path) -> None:
    use("def first(x): return x\n")
    use("def second(x): return x\n")

    assert catalog.find("activation", "first") is None
    assert catalog.find("activation", "second") is not None
    use_code(None)
    assert catalog.find("activation", "second") is None


def test_misspelt_part_is_told_the_nearest_one(use: Callable[[str], Code], tmp_path: Path) -> None:
    use(EVERY_KIND)

    assert problems(tmp_path, "{Dense: {units: 3, activation: akt}}, Dubble, Count, {off: {a: 1}}") == [
        "spec.yaml:3:52  model.layers[1].Dense.activation: no activation 'akt'; did you mean 'act'?",
        "spec.yaml:3:59  model.layers[2]: no layer 'Dubble'; did you mean 'Double'?",
        "spec.yaml:3:67  model.layers[3]: 'Count' is a callback; it stands under training.callbacks",
        "spec.yaml:3:75  model.layers[4]: 'off' is a loss; it stands under training.loss",
    ]


def test_function_takes_no_arguments_in_a_specification(use: Callable[[str], Code], tmp_path: Path) -> None:
    use("def soft(x, slope=1): return x\n")

    assert problems(tmp_path, "{Activation: {activation: {soft: {slope: 2}}}}") == [
        "spec.yaml:3:48  model.layers[1].Activation.activation.soft: 'soft' takes no arguments; write the name alone"
    ]


def test_names_that_keras_has_are_refused_all_at_once(tmp_path: Path) -> None:
    text = (
        "import keras\n"
        "def relu(x): return x\n"
        "class Dense(keras.layers.Layer): pass\n"
        "def mse(y_true, y_pred): pass\n"
        "class Lambda(keras.layers.Layer): pass\n"
        "def step(x): return x\n"
        "class MobileNetV2(keras.layers.Layer): pass\n"
    )

    assert refusal(tmp_path / "parts.py", text).splitlines() == [
        "parts.py:2:1  Keras has an activation 'relu' already; choose another name",
        "parts.py:3:1  Keras has a layer 'Dense' already; choose another name",
        "parts.py:4:1  Keras has a loss 'mse' already; choose another name",
        "parts.py:4:1  Keras has a metric 'mse' already; choose another name",
        "parts.py:5:1  Keras has a layer 'Lambda' already; choose another name",
        "parts.py:6:1  Keras has an activation 'step' already; choose another name",
        "parts.py:7:1  Keras has a layer 'MobileNetV2' already; choose another name",
    ]


NO_PART = (
    "parts.py:1:1  defines no part: a class with a Keras base class such as keras.layers.Layer, or a function"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", NO_PART),
        ("x = 1\n", NO_PART),
        ("def f(x):\n    return (\n", "parts.py:2:12  no Python: '(' was never closed"),
        ("x = " + "-" * 100_000 + "1\n", "parts.py:1:1  no Python: nested too deeply"),
        (b"\xff\xfe", "parts.py: --code: is not text in UTF-8 (byte 0); save it as UTF-8"),
        (bytes(range(256)), "parts.py: --code: is not text in UTF-8 (byte 128); save it as UTF-8"),
        (b"#" * 1_000_001, "parts.py: --code: larger than 1,000,000 bytes; expected a file of parts"),
    ],
    ids=["empty", "no_part", "syntax", "deep", "utf16", "binary", "huge"],
)
def test_file_that_does_not_do_is_refused_at_its_place(
    content: bytes | str, expected: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path / "parts.py", content) == expected


def test_zero_byte_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "parts.py", b"def f(x): return x\x00\n").startswith("parts.py:1:1  no Python: ")


def test_file_that_is_missing_a_folder_or_a_device_is_refused(tmp_path: Path) -> None:
    expected = "--code: no such file; give the path of a Python file"

    assert refusal(tmp_path / "none.py") == f"none.py: {expected}"
    assert refusal(tmp_path).endswith(expected)
    assert refusal(Path("/dev/zero")).endswith(expected)


def test_line_ends_of_windows_and_a_byte_order_mark_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "parts.py"
    path.write_bytes(b"def act(x):\n    return x\n")
    plain = read_code(path)
    path.write_bytes(b"\xef\xbb\xbfdef act(x):\r\n    return x\r\n")

    assert read_code(path).sha256 == plain.sha256


def test_reading_runs_nothing_and_writes_nothing(use: Callable[[str], Code], tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    code = use(
        f"open({str(marker)!r}, 'w')\n"
        "import keras\n"
        "def mark(function):\n    raise SystemExit('ran')\n"
        "@mark\n"
        "class Mine(keras.layers.Layer):\n"
        "    def __init__(self, size=open('/nothing/there'), **kwargs): super().__init__(**kwargs)\n"
    )

    assert problems(tmp_path, "Mine") == []
    assert code.parts["layer"] == ["Mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.py", "spec.yaml"]


def test_a_specification_alone_cannot_name_code(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text("def act(x): return x\n")
    for key in ("code: parts.py", "model: {code: parts.py}", "runtime: {code: parts.py}"):
        path = tmp_path / "spec.yaml"
        path.write_text(f"data: {{source: xor}}\n{key}\ntraining: {{loss: mse}}\n")
        with pytest.raises(SpecError, match="unknown key"):
            load_spec(path)
