"""Data on the device, in the form in which the compiled steps take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnrun.data.load import Examples
from nnrun.keras_backend import load_tensorflow

Targets = Literal["indices", "one_hot", "numbers"]
"""How the loss takes the targets: class indices, one-hot rows, or the numbers as they are."""


def target_form(loss: str, classes: int | None, outputs: int | None) -> Targets:
    """How a loss takes the targets.

    Args:
        loss: The loss's name.
        classes: The number of classes; None for regression.
        outputs: The model's outputs for one example; None where that is not one row of numbers.
    """
    if classes is None:
        return "numbers"
    if "sparse" in loss.lower() or outputs != classes or outputs == 1:
        return "indices"
    return "one_hot"


@dataclass(frozen=True)
class Feed:
    """Examples on the device.

    Args:
        x: A tensor of shape (n, ...), in the small dtype that the data has, or a dict of them by input name.
        y: A tensor of shape (n,) or (n, k).
        count: n.
        divisor: A variable by which the compiled step divides ``x``; None where nothing is scaled.
    """

    x: Any
    y: Any
    count: int
    divisor: Any = None

    def gather(self, rows: Any) -> tuple[Any, Any]:
        """The examples of the rows (int32 of shape (batch,)), as they are stored; inside a compiled step."""
        tf = load_tensorflow()
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), (self.x, self.y))  # type: ignore[no-any-return]

    def scale(self, batch: tuple[Any, Any]) -> tuple[Any, Any]:
        """Gathered examples as the model takes them.

        Division by a variable, not by a constant: a constant divisor is turned into a multiplication by its
        reciprocal, which rounds differently from ``x.astype("float32") / 255`` in a Keras program.
        """
        if self.divisor is None:
            return batch
        tf = load_tensorflow()
        x, y = batch
        return tf.nest.map_structure(lambda tensor: tf.cast(tensor, tf.float32) / self.divisor, x), y

    def batch(self, rows: Any) -> tuple[Any, Any]:
        """The examples of the rows, as the model takes them."""
        return self.scale(self.gather(rows))


def make_feed(examples: Examples, *, divisor: float | None, targets: Targets, classes: int | None) -> Feed:
    """Put examples on the device.

    Args:
        examples: The examples, in their stored dtype.
        divisor: ``x / divisor`` is what the model sees; None: ``x`` itself.
        targets: The form of the targets.
        classes: The number of classes, for one-hot targets.
    """
    tf = load_tensorflow()
    y: NDArray[Any] = examples.y
    if targets == "one_hot":
        y = np.eye(classes or 0, dtype="float32")[y]  # (n, classes)
    x = (
        {name: tf.constant(array) for name, array in examples.x.items()}
        if isinstance(examples.x, dict)
        else tf.constant(examples.x)
    )
    scale = None if divisor is None else tf.Variable(divisor, dtype=tf.float32, trainable=False)
    return Feed(x, tf.constant(y), len(examples), scale)


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


def example_order(count: int, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
    """The order of the examples in an epoch: a function of seed and epoch alone.

    Args:
        count: Number of examples.
        seed: The specification's seed.
        epoch: Counted from 0.
        shuffle: False keeps the data's own order.

    Returns:
        int32 of shape (count,).
    """
    if not shuffle:
        return np.arange(count, dtype=np.int32)
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return generator.permutation(count).astype(np.int32)
