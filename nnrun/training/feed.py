"""Data on the device, in the form in which the compiled steps take it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import ALIGNMENT, Examples
from nnrun.data.order import example_order
from nnrun.keras_backend import load_tensorflow
from nnrun.spec.names import fold
from nnrun.spec.schema import Choice, Losses

OF_INDICES = ("categoricalgeneralizedcrossentropy", "circle")
"""Losses that take class indices and do not say so in their names."""

Steps = Callable[[Any, int, int], None]
"""Runs steps ``first .. first + count - 1`` of an index matrix, an int32 array or tensor of shape (steps, batch)."""

Targets = Literal["indices", "one_hot", "numbers", "inputs"]
"""How a loss takes the targets: class indices, one-hot rows, the numbers as they are, or the model's own inputs."""


def target_form(loss: str, classes: int | None, outputs: int | None) -> Targets:
    """How a loss takes the targets.

    Args:
        loss: The loss's name.
        classes: The number of classes; None for regression.
        outputs: The model's outputs for one example; None where that is not one row of numbers.
    """
    if classes is None:
        return "numbers"
    takes_indices = "sparse" in loss.lower() or fold(loss) in OF_INDICES
    if takes_indices or outputs != classes or outputs == 1:
        return "indices"
    return "one_hot"


def output_names(model: Any) -> list[str]:
    """The names of a model's outputs; a ``keras.Sequential`` has none for its one output."""
    return list(getattr(model, "output_names", ["output"]))


def target_forms(
    model: Any,
    target: str | Mapping[str, str],
    losses: Losses,
    classes: int | None,
    columns: Mapping[str, int | None] | None = None,
) -> tuple[str, ...]:
    """How each of a model's outputs takes its targets.

    Args:
        model: A built model.
        target: What it learns, ``labels`` or ``inputs``, or that for each output; see :func:`learnt_by`.
        losses: The loss, or that of each output.
        classes: The number of classes; None for regression.
        columns: Of several targets the number of classes of each.

    Returns:
        One of ``Targets`` for each output; for one target out of several ``<column>/<form>``.
    """
    forms: list[str] = []
    for name, output in zip(output_names(model), model.outputs, strict=True):
        learnt = learnt_by(name, target, columns or {})
        loss = losses if isinstance(losses, Choice) else losses[name]
        width = output.shape[-1] if len(output.shape) > 1 else None
        if learnt == "inputs":
            forms.append("inputs")
        elif columns and learnt in columns:
            forms.append(f"{learnt}/{target_form(loss.name, columns[learnt], width)}")
        else:
            forms.append(target_form(loss.name, classes, width))
    return tuple(forms)


def learnt_by(output: str, target: str | Mapping[str, str], columns: Iterable[str]) -> str:
    """What an output learns: ``labels``, ``inputs``, or one of several target columns.

    An output that ``target`` leaves out learns the column of its own name, or else the labels as a whole.
    """
    if isinstance(target, str):
        return target if target == "inputs" or output not in columns else output
    return target.get(output, output if output in columns else "labels")


def label_arrays(
    y: NDArray[Any], forms: Iterable[str], classes: int | None, columns: Mapping[str, int | None]
) -> dict[str, NDArray[Any]]:
    """The targets in each of the forms but ``inputs``.

    Args:
        y: As those of ``Examples``.
        forms: What :func:`target_forms` gave.
        classes: The number of classes, for one-hot targets.
        columns: The same for each of several targets, in their order.
    """
    found: dict[str, NDArray[Any]] = {}
    for form in sorted(set(forms) - {"inputs"}):
        column, _, kind = form.rpartition("/")
        values = y[:, list(columns).index(column)] if column else y
        if kind in ("indices", "one_hot") and column and columns[column] is not None:
            values = values.astype(np.int32)
        if kind == "one_hot":
            values = np.eye((columns[column] if column else classes) or 0, dtype="float32")[
                values
            ]  # (n, classes)
        found[form] = np.ascontiguousarray(values)
    return found


@dataclass(frozen=True)
class Feed:
    """Examples on the device.

    Args:
        x: A tensor of shape (n, size), in the small dtype that the data has, or a dict of them by input name. Each
            example is one row: XLA copies along the last axis, and the 28 bytes of a line of a picture one by one.
        shapes: Of one example, a ``tf.TensorShape``, or a dict of them by input name.
        labels: For each form of the targets but ``inputs`` a tensor of shape (n,) or (n, k).
        targets: The form in which each of the model's outputs takes its targets.
        count: n.
        divisor: A variable by which the compiled step divides ``x``; None where nothing is scaled.
        weights: What each example counts, a tensor of shape (n,); None where all count the same.
    """

    x: Any
    shapes: Any
    labels: dict[str, Any]
    targets: tuple[str, ...]
    count: int
    divisor: Any = None
    weights: Any = None

    def gather(self, rows: Any) -> Any:
        """The examples of the rows (int32 of shape (batch,)), as they are stored; inside a compiled step."""
        tf = load_tensorflow()
        weights = () if self.weights is None else (self.weights,)
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), (self.x, self.labels, weights))

    def scale(self, batch: Any) -> tuple[Any, ...]:
        """Gathered examples as the model's steps take them: ``(x, y)`` or ``(x, y, sample_weight)``.

        Division by a variable, not by a constant: a constant divisor is turned into a multiplication by its
        reciprocal, which rounds differently from ``x.astype("float32") / 255`` in a Keras program.
        """
        x, labels, weights = batch
        x = load_tensorflow().nest.map_structure(self._restore, x, self.shapes)
        if not self.targets:  # new examples, of which nothing is known
            return (x,)
        y = [x if form == "inputs" else labels[form] for form in self.targets]
        several = len(y) > 1
        return (x, y if several else y[0], *(([one] * len(y) if several else one) for one in weights))

    def _restore(self, x: Any, shape: Any) -> Any:
        """Rows of numbers as examples of a shape, scaled."""
        tf = load_tensorflow()
        scaled = x if self.divisor is None else tf.cast(x, tf.float32) / self.divisor
        return tf.reshape(scaled, [-1, *shape])

    def batch(self, rows: Any) -> tuple[Any, ...]:
        """The examples of the rows, as the model takes them; inside a compiled step."""
        return self.scale(self.gather(rows))

    def first(self, count: int) -> tuple[Any, ...]:
        """The first examples, as the model takes them."""
        return self.pick(np.arange(count, dtype=np.int32))

    def pick(self, rows: NDArray[Any]) -> tuple[Any, ...]:
        """The examples of the rows (int32 of shape (batch,)), as the model takes them."""
        return self.batch(load_tensorflow().constant(rows))

    def weighted(self, weights: NDArray[np.float32]) -> Feed:
        """The same examples with what each of them counts, float32 of shape (n,)."""
        return replace(self, weights=load_tensorflow().constant(weights))

    def order(self, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
        """The order of the examples in an epoch; see :func:`example_order`."""
        return example_order(self.count, seed=seed, epoch=epoch, shuffle=shuffle)

    def supply(self, steps: Steps) -> Steps:
        """Compiled steps that find their examples: all of them are here."""
        return steps

    def table(self, matrix: NDArray[np.int32]) -> Any:
        """An index matrix where the steps look for it: on the device."""
        return load_tensorflow().constant(matrix)

    def spans(self, matrix: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
        """An index matrix in pieces, each with its examples at hand while it is used."""
        yield matrix


def make_feed(
    examples: Examples,
    *,
    divisor: float | None,
    targets: str | Sequence[str],
    classes: int | None,
    columns: Mapping[str, int | None] | None = None,
) -> Feed:
    """Put examples on the device.

    Args:
        examples: The examples, in their stored dtype.
        divisor: ``x / divisor`` is what the model sees; None: ``x`` itself.
        targets: The form of the targets, or that of each output.
        classes: The number of classes, for one-hot targets.
        columns: The same for each of several targets.
    """
    tf = load_tensorflow()
    forms: tuple[str, ...] = (targets,) if isinstance(targets, str) else tuple(targets)
    labels = label_arrays(examples.y, forms, classes, columns or {})
    x = tf.nest.map_structure(lambda array: on_device(in_rows(array)), examples.x)
    shapes = tf.nest.map_structure(lambda array: tf.TensorShape(array.shape[1:]), examples.x)
    scale = None if divisor is None else tf.Variable(divisor, dtype=tf.float32, trainable=False)
    weights = None if examples.weights is None else tf.constant(examples.weights, tf.float32)
    tensors = {form: tf.constant(labels[form]) for form in sorted(labels)}
    return Feed(x, shapes, tensors, forms, len(examples), scale, weights)


def in_rows(x: NDArray[Any]) -> NDArray[Any]:
    """Examples of shape (n, ...) as rows of shape (n, size)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def on_device(array: NDArray[Any]) -> Any:
    """An array as a tensor; where the device is the CPU and the array begins where a tensor must, without a copy."""
    tf = load_tensorflow()
    aligned = array.ctypes.data % ALIGNMENT == 0 and array.flags.c_contiguous and array.flags.writeable
    if not aligned or not array.size or tf.config.list_physical_devices("GPU"):
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def class_weights(
    y: NDArray[Any], weights: Mapping[str, float] | Literal["balanced"], class_names: Sequence[str] | None
) -> NDArray[np.float32]:
    """What each example counts by its class.

    Args:
        y: Class indices of shape (n,).
        weights: By the class's index or name, 1 for those that are left out; or ``balanced``: each class that
            is there counts the same in all, ``n / (classes * examples of the class)`` (King and Zeng, Logistic
            Regression in Rare Events Data, 2001).
        class_names: The names of the classes, where the data has them.

    Raises:
        KeyError: No class has this index or name.
    """
    if weights == "balanced":
        counts = np.bincount(y)
        present = np.count_nonzero(counts)
        return np.asarray(len(y) / (present * counts[y]), np.float32)
    indices = {name: index for index, name in enumerate(class_names or ())}
    table = np.ones(int(y.max(initial=0)) + 1, np.float32)
    for name, weight in weights.items():
        index = int(name) if name.isdecimal() else indices[name]
        if index < len(table):
            table[index] = weight
    return np.asarray(table[y])


def index_matrix(
    order: NDArray[np.int32], batch_size: int, *, least: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cut an order of examples into steps.

    Args:
        order: int32 of shape (n,): which example comes when.
        batch_size: Examples in a step.
        least: What is left over and fewer than this joins the last full step.

    Returns:
        The full steps, of shape (n // batch_size, batch_size), and the last one of another size, of shape
        (0 or 1, n % batch_size).
    """
    full, left = divmod(len(order), batch_size)
    if full and 0 < left < least:
        full -= 1
    rest = order[full * batch_size :]
    return order[: full * batch_size].reshape(full, batch_size), rest.reshape(min(1, len(rest)), len(rest))
