"""Examples that do not fit in memory: a window of them at a time is on the device, the next ones are being read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.examples import Streamed
from nnrun.keras_backend import load_tensorflow
from nnrun.spec.datasets import InputFacts
from nnrun.training.feed import Feed, Steps, in_rows, label_arrays

WINDOW_BYTES = 16 << 20
"""Of the inputs in a window: large enough that calls cost nothing, small enough that a few of them do not count."""

AHEAD = 2
"""Windows that are read before they are needed."""


@dataclass(frozen=True)
class _Window:
    """The examples of some steps.

    Args:
        begin: The first of them, by its row in the index matrix.
        steps: How many there are.
        values: Their inputs, labels and weights as arrays, with zeros up to ``size`` steps: XLA compiles the steps
            anew for every other size.
        size: The steps of a full window.
    """

    begin: int
    steps: int
    values: Any
    size: int

    def matrix(self, batch: int) -> NDArray[np.int32]:
        """The index matrix of a full window."""
        return np.arange(self.size * batch, dtype=np.int32).reshape(-1, batch)


@dataclass
class _Reading:
    """The windows of an index matrix from some step on, in their order."""

    order: Any
    windows: Iterator[_Window]
    current: _Window


@dataclass(frozen=True)
class StreamedFeed(Feed):
    """A feed whose tensors are variables, which hold one window of examples after the other.

    The compiled steps are those of a resident feed: they gather from the window instead of from the whole.

    Args:
        source: Reads the examples.
        arrays: For each form of the targets but ``inputs`` an array of shape (n,) or (n, k), in memory.
        sample_weight: What each example counts, float32 of shape (n,); None where all count the same.
    """

    source: Any = None
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    sample_weight: NDArray[Any] | None = None

    def weighted(self, weights: NDArray[np.float32]) -> Feed:
        """The same examples with what each of them counts, float32 of shape (n,)."""
        tf = load_tensorflow()
        variable = tf.Variable(weights[:0], shape=tf.TensorShape([None]), trainable=False)
        return replace(self, weights=variable, sample_weight=weights)

    def hold(self, x: Any) -> int:
        """Put new examples on the device; the number of them."""
        self._fill((load_tensorflow().nest.map_structure(in_rows, x), {}, ()))
        return len(next(iter(x.values())) if isinstance(x, dict) else x)

    def order(self, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int32]:
        """The order of the examples in an epoch, one that the files can follow."""
        return self.source.order(seed=seed, epoch=epoch, shuffle=shuffle)  # type: ignore[no-any-return]

    def pick(self, rows: NDArray[Any]) -> tuple[Any, ...]:
        """The examples of the rows, as the model takes them."""
        (values,) = self._values(np.asarray(rows), len(rows))
        self._fill(values)
        return self.batch(load_tensorflow().range(len(rows)))

    def supply(self, steps: Steps) -> Steps:
        """Compiled steps before which their window is put on the device."""
        reading: list[_Reading] = []  # the one that is under way, if any

        def supplied(order: Any, first: int, count: int) -> None:
            batch = int(order.shape[1])
            while count:
                window = self._advance(reading, order, first)
                offset = first - window.begin
                some = min(count, window.steps - offset)
                steps(window.matrix(batch), offset, some)
                first, count = first + some, count - some

        return supplied

    def table(self, matrix: NDArray[np.int32]) -> Any:
        """An index matrix as it is: the steps see windows of it."""
        return matrix

    def spans(self, matrix: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
        """An index matrix window by window."""
        batch = matrix.shape[1]
        for window in self._windows(matrix, 0):
            self._fill(window.values)
            yield window.matrix(batch)[: window.steps]

    def _advance(self, reading: list[_Reading], order: Any, first: int) -> _Window:
        """The window with a step in it, on the device."""
        if reading and reading[0].order is order:
            current = reading[0].current
            if current.begin <= first < current.begin + current.steps:
                return current
            if first == current.begin + current.steps:
                reading[0].current = next(reading[0].windows)
                self._fill(reading[0].current.values)
                return reading[0].current
        reading.clear()  # what was read ahead is let go
        windows = self._windows(np.asarray(order), first)
        current = next(windows)
        self._fill(current.values)
        reading.append(_Reading(order, windows, current))
        return current

    def _windows(self, matrix: NDArray[np.int32], first: int) -> Iterator[_Window]:
        steps, batch = len(matrix) - first, matrix.shape[1]
        size = min(len(matrix), max(1, WINDOW_BYTES // (self._example_bytes() * batch)))
        values = self._values(matrix[first:].reshape(-1), size * batch)
        for index, value in enumerate(ahead(values)):
            begin = index * size
            count = min(size, steps - begin)
            yield _Window(first + begin, count, value if count == size else _pad(value, size * batch), size)

    def _values(self, rows: NDArray[Any], size: int) -> Iterator[Any]:
        """Inputs, labels and weights of rows, ``size`` at a time."""
        for index, x in enumerate(self.source.windows(rows, size)):
            some = rows[index * size : (index + 1) * size]
            labels = {form: array[some] for form, array in self.arrays.items()}
            rows_of_x = load_tensorflow().nest.map_structure(in_rows, x)
            yield rows_of_x, labels, () if self.sample_weight is None else (self.sample_weight[some],)

    def _fill(self, values: Any) -> None:
        weights = () if self.weights is None else (self.weights,)
        load_tensorflow().nest.map_structure(
            lambda variable, array: variable.assign(array), (self.x, self.labels, weights), values
        )

    def _example_bytes(self) -> int:
        return sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in self.source.inputs.values())


def _pad(values: Any, count: int) -> Any:
    """Arrays with zeros behind them, so that they hold ``count`` examples."""
    tf = load_tensorflow()
    return tf.nest.map_structure(
        lambda array: np.pad(array, [(0, count - len(array)), *[(0, 0)] * (array.ndim - 1)]), values
    )


def ahead(values: Iterator[Any]) -> Iterator[Any]:
    """The same values; the next few are made in another thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting: list[Future[Any]] = [thread.submit(next, values, None) for _ in range(AHEAD)]
        try:
            while (value := waiting.pop(0).result()) is not None:
                waiting.append(thread.submit(next, values, None))
                yield value
        finally:
            for one in waiting:
                one.cancel()


def make_stream(
    source: Streamed,
    *,
    divisor: float | None,
    targets: Sequence[str],
    classes: int | None,
    columns: Mapping[str, int | None] | None = None,
) -> StreamedFeed:
    """Make a feed of examples that stay in their files.

    Args:
        source: The examples.
        divisor: ``x / divisor`` is what the model sees; None: ``x`` itself.
        targets: The form of the targets of each output.
        classes: The number of classes, for one-hot targets.
        columns: The same for each of several targets.
    """
    arrays = label_arrays(source.y, targets, classes, columns or {})

    labels = {form: _variable(array.shape[1:], array.dtype) for form, array in arrays.items()}
    return replace(
        make_empty(source.inputs, divisor=divisor),
        labels=labels,
        targets=tuple(targets),
        count=len(source),
        weights=None if source.weights is None else _variable((), np.float32),
        source=source,
        arrays=arrays,
        sample_weight=source.weights,
    )


def make_empty(inputs: Mapping[str, InputFacts], *, divisor: float | None) -> StreamedFeed:
    """Make a feed without examples or targets, which holds what it is given; see :meth:`StreamedFeed.hold`."""
    tf = load_tensorflow()
    single = list(inputs) == ["input"]
    facts = inputs["input"] if single else dict(inputs)
    x = tf.nest.map_structure(lambda one: _variable((math.prod(one.shape),), one.dtype), facts)
    shapes = tf.nest.map_structure(lambda one: tf.TensorShape(one.shape), facts)
    scale = None if divisor is None else tf.Variable(divisor, dtype=tf.float32, trainable=False)
    return StreamedFeed(x, shapes, {}, (), 0, scale)


def _variable(shape: tuple[int, ...], dtype: Any) -> Any:
    """A variable for any number of examples of a shape."""
    tf = load_tensorflow()
    return tf.Variable(np.zeros((0, *shape), dtype), shape=tf.TensorShape([None, *shape]), trainable=False)
