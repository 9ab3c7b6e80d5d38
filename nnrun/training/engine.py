"""Compiled training, evaluation and prediction: many steps in one call.

``Model.fit`` pays about a millisecond of Python for every step. Here the data lies on the device and a
``tf.while_loop`` over rows of an index matrix runs the model's own public ``train_step`` without leaving the compiled
function. The batch dimension stays dynamic, as in ``fit``: a static one is folded into other arithmetic, which rounds
differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.errors import ResourceError
from nnrun.keras_backend import load_tensorflow
from nnrun.training.devices import has_windows
from nnrun.training.feed import Feed, Steps, index_matrix
from nnrun.training.replicas import Replicas
from nnrun.training.stream import StreamedFeed


def _matrix_spec(tf: Any) -> Any:
    """The signature of an index matrix; a static batch size would change the arithmetic."""
    return tf.TensorSpec([None, None], tf.int32)


@dataclass(frozen=True)
class Seen:
    """A training between two steps.

    Args:
        metrics: Loss and metrics as they stand.
        learning_rate: Of the next step; a schedule's value, where there is one.
        is_finite: Whether all weights are.
    """

    metrics: dict[str, float]
    learning_rate: float
    is_finite: bool


class Engine:
    """The compiled steps of one compiled Keras model.

    Args:
        model: A built and compiled ``keras.Model``.
        replicas: The devices that share every step; None: one.
    """

    def __init__(self, model: Any, replicas: Replicas | None = None) -> None:
        tf = load_tensorflow()
        self._tf = tf
        self._model = model
        self.replicas = replicas or Replicas(tf.distribute.get_strategy())
        self._evaluations: dict[int, tuple[Feed, Steps]] = {}
        self._look: Callable[[], Any] | None = None
        self._reset: Callable[[], Any] | None = None

    def build(self, feed: Feed, batch_size: int) -> None:
        """Make the variables of the optimizer, the loss and the metrics, from the shapes of a first batch.

        Raises:
            ResourceError: A batch has fewer examples than there are devices to share it.
        """
        self._refuse_small_batches(min(batch_size, feed.count))
        batch = feed.first(min(batch_size, feed.count))
        with self.replicas.strategy.scope():
            # As Keras does in fit; there is no public name for it.
            self._model._symbolic_build(data_batch=batch)
            self._model.optimizer.build(self._model.trainable_variables)

    def training(self, feed: Feed) -> Steps:
        """Compile the training steps on a feed."""
        return self._compile(feed, self._model.train_step)

    def evaluate(self, feed: Feed, batch_size: int) -> dict[str, float]:
        """Loss and metrics over every example of a feed, the last smaller batch too.

        Args:
            feed: What to evaluate on. Its steps are compiled once.
            batch_size: Examples in a step.
        """
        if id(feed) not in self._evaluations:
            self._evaluations[id(feed)] = feed, self._compile(feed, self._model.test_step)
        steps = self._evaluations[id(feed)][1]
        self.reset_metrics()
        self._refuse_small_batches(min(batch_size, feed.count))
        order = np.arange(feed.count, dtype=np.int32)
        for matrix in index_matrix(order, batch_size, least=self.replicas.count):
            if len(matrix):
                steps(matrix, 0, len(matrix))
        return self.metrics()

    def predict(self, feed: Feed, batch_size: int) -> list[NDArray[Any]]:
        """The model's outputs for every example of a feed.

        Returns:
            For each of the model's outputs an array of shape (n, ...).
        """
        run = self._predictor(feed)
        parts = []
        for matrix in index_matrix(np.arange(feed.count, dtype=np.int32), batch_size):
            parts += [run(span) for span in (feed.spans(matrix) if len(matrix) else ())]
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def predict_chunks(
        self, feed: StreamedFeed, batch_size: int, chunks: Iterable[Any]
    ) -> Iterator[list[NDArray[Any]]]:
        """The model's outputs for new examples, chunk by chunk.

        Args:
            feed: Without targets; it holds a chunk at a time.
            batch_size: Examples in a step.
            chunks: Their inputs.
        """
        run = self._predictor(feed)
        for x in chunks:
            order = np.arange(feed.hold(x), dtype=np.int32)
            parts = [run(matrix) for matrix in index_matrix(order, batch_size) if len(matrix)]
            yield [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def _predictor(self, feed: Feed) -> Callable[[NDArray[np.int32]], list[NDArray[Any]]]:
        """Compile the prediction on a feed: from an index matrix to the outputs of its examples."""
        tf, model = self._tf, self._model

        # Compiled step by step, not as one loop: XLA would fuse the last layer into the collecting of its outputs.
        predict = tf.function(
            model.predict_step, jit_compile=model.jit_compile, autograph=False, reduce_retracing=True
        )

        def keep(i: Any, batch: Any, kept: list[Any]) -> list[Any]:
            outputs = tf.nest.flatten(predict(batch))
            return [array.write(i, output) for array, output in zip(kept, outputs, strict=True)]

        @tf.function(autograph=False, input_signature=[_matrix_spec(tf)])  # type: ignore[untyped-decorator]
        def run(order: Any) -> list[Any]:
            count = tf.shape(order)[0]
            kept = [tf.TensorArray(output.dtype, count) for output in model.outputs]
            return [array.stack() for array in self._walk(feed, order, tf.constant(0), count, keep, kept)]

        def outputs_of(matrix: NDArray[np.int32]) -> list[NDArray[Any]]:
            outputs = [
                _wide(tf, output).numpy() for output in run(tf.constant(matrix))
            ]  # each (steps, batch, ...)
            return [output.reshape(-1, *output.shape[2:]) for output in outputs]

        return outputs_of

    def _refuse_small_batches(self, size: int) -> None:
        if size < self.replicas.count:
            raise ResourceError(
                f"a batch of {size} cannot be shared by {self.replicas.count} devices; "
                "use a larger training.batch_size, or runtime.strategy=none"
            )

    def broken_weight(self) -> str | None:
        """The path of a weight that is not finite, or None."""
        if self.look().is_finite:
            return None
        return next((one.path for one in self._weights() if not np.isfinite(one.numpy()).all()), None)

    def look(self) -> Seen:
        """How the training stands, by one compiled call: an epoch may take less time than a dozen operations."""
        if self._look is None:
            shared = (
                self.replicas.count > 1
            )  # metrics are added up across devices outside of a compiled function
            self._look = self._read if shared else self._trace(self._read)
        values, rate, finite = self._look()
        metrics = {name: float(value) for name, value in zip(self._names, values.numpy(), strict=True)}
        return Seen(metrics, float(rate), bool(finite))

    def _read(self) -> tuple[Any, Any, Any]:
        """Metrics (float64, in the order of their names), learning rate, and whether the weights are finite."""
        tf = self._tf
        results = self._model.get_metrics_result()
        self._names = list(results)
        metrics = tf.stack([tf.cast(value, tf.float64) for value in results.values()])
        rate = tf.convert_to_tensor(self._model.optimizer.learning_rate)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(one.value)) for one in self._weights()])
        return metrics, rate, finite

    def _trace(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Work as one compiled function."""
        return self._tf.function(work, autograph=False).get_concrete_function()  # type: ignore[no-any-return]

    def _weights(self) -> list[Any]:
        return [one for one in self._model.weights if one.dtype.startswith(("float", "bfloat"))]

    def reset_metrics(self) -> None:
        """Let loss and metrics begin anew."""
        own = any(type(metric).__module__.partition(".")[0] != "keras" for metric in self._model.metrics)
        if own or self.replicas.count > 1:  # a user's metric may do more than assign variables
            self._model.reset_metrics()
            return
        if self._reset is None:
            self._reset = self._trace(self._model.reset_metrics)
        self._reset()

    def wait(self) -> None:
        """Return when all the steps that were begun are done."""
        self._model.optimizer.iterations.numpy()

    def metrics(self) -> dict[str, float]:
        """Loss and metrics as they stand."""
        return self.look().metrics

    def _compile(self, feed: Feed, step_on_batch: Callable[[Any], Any]) -> Steps:
        if self.replicas.count > 1:
            return self._compile_shared(feed, step_on_batch)
        tf = self._tf
        jit = self._model.jit_compile
        fused = not (jit and has_windows(self._model))
        if not fused:
            # XLA computes convolutions inside a loop by other, slow code. Compiled step by step they are what fit runs.
            step_on_batch = tf.function(
                step_on_batch, jit_compile=True, autograph=False, reduce_retracing=True
            )

        def visit(i: Any, batch: Any, done: Any) -> Any:
            step_on_batch(batch)
            return done + 1

        # The counter is returned because TensorFlow leaves a graph without outputs as it is, and rewrites others (a
        # division by a constant becomes a multiplication): only then are the roundings those of fit.
        @tf.function(  # type: ignore[untyped-decorator]
            jit_compile=jit and fused,
            autograph=False,
            input_signature=[_matrix_spec(tf), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int32)],
        )
        def run(order: Any, first: Any, count: Any) -> Any:
            return self._walk(feed, order, first, count, visit, tf.constant(0))

        traced: list[Callable[..., Any]] = []

        def steps(order: Any, first: int, count: int) -> None:
            if not traced:
                traced.append(
                    run.get_concrete_function()
                )  # to be called without the search for the right one
            traced[0](tf.convert_to_tensor(order), tf.constant(first), tf.constant(count))

        return feed.supply(steps)

    def _compile_shared(self, feed: Feed, step_on_batch: Callable[[Any], Any]) -> Steps:
        """The same for several devices, each of which takes its share of every step."""
        tf, replicas, model = self._tf, self.replicas, self._model

        @tf.function(  # type: ignore[untyped-decorator]
            autograph=False, input_signature=[_matrix_spec(tf), *[tf.TensorSpec([], tf.int32)] * 3]
        )
        def run(order: Any, first: Any, count: Any, size: Any) -> Any:
            def step(i: Any) -> Any:
                replicas.run(lambda rows: step_on_batch(feed.batch(rows)), order[i], size, model)
                return i + 1

            return tf.while_loop(lambda i: i < first + count, step, [first], parallel_iterations=1)

        size = 0  # of the whole step: a feed sees this process's columns alone

        def run_mine(columns: Any, first: int, count: int) -> None:
            run(tf.convert_to_tensor(columns), tf.constant(first), tf.constant(count), tf.constant(size))

        supplied = feed.supply(run_mine)

        def steps(order: Any, first: int, count: int) -> None:
            nonlocal size
            size = int(order.shape[1])
            supplied(replicas.columns(order), first, count)

        return steps

    def _walk(
        self, feed: Feed, order: Any, first: Any, count: Any, visit: Callable[..., Any], state: Any
    ) -> Any:
        """Hand ``count`` batches, from row ``first`` of an index matrix on, to ``visit(i, batch, state) -> state``.

        Each batch is gathered a turn ahead and carried around the loop in its small dtype. XLA would otherwise fuse
        the gathering into the arithmetic on the batch, and add up its terms in another order than fit does.
        """
        tf = self._tf
        last = first + count - 1

        def step(i: Any, batch: Any, state: Any) -> Any:
            state = visit(i, feed.scale(batch), state)
            return i + 1, batch_of(tf.minimum(i + 1, last)), state

        def batch_of(i: Any) -> Any:
            # Not order[i]: XLA compiles a slice anew for every place where it begins.
            return feed.gather(tf.gather(order, i))

        return tf.while_loop(
            lambda i, *_: i <= last, step, [first, batch_of(first), state], parallel_iterations=1
        )[2]


def _wide(tf: Any, output: Any) -> Any:
    """An output that NumPy can count with: numbers of 16 bits become float32, without a change of value."""
    return tf.cast(output, tf.float32) if output.dtype in (tf.bfloat16, tf.float16) else output
