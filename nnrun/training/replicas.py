"""How one training is shared by several devices and processes: the rows of a step, its gradients, its decisions."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnrun.errors import LostWorkerError, ResourceError
from nnrun.keras_backend import load_tensorflow
from nnrun.training.cluster import Cluster, explain_loss


class Replicas:
    """The devices that share every step, here and in other processes.

    Args:
        strategy: A ``tf.distribute.Strategy``.
        cluster: The processes, where there are several.
    """

    def __init__(self, strategy: Any, cluster: Cluster | None = None) -> None:
        self.strategy = strategy
        self.cluster = cluster
        self.count = int(strategy.num_replicas_in_sync)
        self._here = self.count // (len(cluster.workers) if cluster else 1)
        self._sliced: tuple[Any, Any] | None = None
        self._sum: Callable[[Any], Any] | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run."""
        return self.cluster is None or self.cluster.index == 0

    def columns(self, order: Any) -> Any:
        """This process's columns of an index matrix: a contiguous share, one more or less than others have."""
        if self.cluster is None:
            return order
        # The same matrix gives the same object again: a feed knows by it that it goes on.
        if self._sliced is None or self._sliced[0] is not order:
            size, first = int(order.shape[1]), self.cluster.index * self._here
            begin, end = (place * size // self.count for place in (first, first + self._here))
            self._sliced = order, load_tensorflow().constant(np.asarray(order)[:, begin:end])
        return self._sliced[1]

    def run(self, step: Callable[[Any], Any], rows: Any, size: Any, model: Any) -> None:
        """Run a step on every device, each on its share of the rows; inside a compiled function.

        Args:
            step: Takes rows of shape (n,); trains, or evaluates.
            rows: This process's rows of the step.
            size: The examples of the whole step, in all processes.
            model: Compiled.
        """
        tf = load_tensorflow()
        adds_up = adds_up_losses(model)
        share = threading.local()  # a strategy traces each replica in a thread of its own

        def on_replica(rows: Any) -> None:
            rank = tf.distribute.get_replica_context().replica_id_in_sync_group % self._here
            count = tf.shape(rows)[0]
            mine = rows[rank * count // self._here : (rank + 1) * count // self._here]
            share.weight = tf.cast(tf.shape(mine)[0] * self.count, tf.float32) / tf.cast(size, tf.float32)
            step(mine)

        with whole_gradients(model.optimizer, lambda: 1.0 if adds_up else share.weight):
            self.strategy.run(on_replica, args=(rows,))

    def any(self, flag: bool) -> bool:
        """Whether it is so in any of the processes, which all ask at this point."""
        return bool(self._total(int(flag)))

    def chief(self, number: int) -> int:
        """The chief's number, for all processes, which all ask at this point."""
        return self._total(number if self.is_chief else 0)

    def refuse_strangers(self, digest: str) -> None:
        """Refuse to train together on different things.

        Args:
            digest: Of all that decides the numbers, in hexadecimal digits.

        Raises:
            ResourceError: Another process has another digest.
        """
        number = int(digest[:12], 16)
        if self.any(self.chief(number) != number):
            raise ResourceError(
                "the workers differ in their specification, their data or their versions; "
                "start every worker with the same command, files and packages"
            )

    def _total(self, number: int) -> int:
        """The sum over the processes."""
        if self.cluster is None:
            return number
        tf = load_tensorflow()
        if self._sum is None:

            @tf.function(autograph=False, input_signature=[tf.TensorSpec([], tf.int64)])  # type: ignore[untyped-decorator]
            def add_up(value: Any) -> Any:
                def on_replica() -> Any:
                    context = tf.distribute.get_replica_context()
                    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

                return self.strategy.experimental_local_results(self.strategy.run(on_replica))[0]

            self._sum = add_up
        return int(self._sum(tf.constant(number, tf.int64))) // self._here

    @contextlib.contextmanager
    def losses(self) -> Iterator[None]:
        """Tell of a process that is gone.

        Raises:
            LostWorkerError: One is.
        """
        if self.cluster is None:
            yield
            return
        errors = load_tensorflow().errors
        try:
            yield
        except (errors.UnavailableError, errors.AbortedError, errors.CancelledError, errors.InternalError,
                errors.DeadlineExceededError) as error:  # fmt: skip
            raise LostWorkerError(explain_loss(self.cluster, error)) from error


def refuse_accumulation(optimizer: Any) -> None:
    """Refuse what Keras cannot do on several devices: to add up gradients and change the variables now and then.

    Raises:
        ResourceError: The optimizer does.
    """
    if getattr(optimizer, "inner_optimizer", optimizer).gradient_accumulation_steps:
        raise ResourceError(
            "gradient_accumulation_steps works on one device only; "
            "use a larger training.batch_size, which the devices share, or set runtime.strategy=none"
        )


def adds_up_losses(model: Any) -> bool:
    """Whether the loss of a batch is the sum over its examples, not their mean.

    Raises:
        ResourceError: It is one for some outputs and the other for others.
    """
    losses = list(model.loss.values()) if isinstance(model.loss, dict) else [model.loss]
    sums = [getattr(loss, "reduction", None) == "sum" for loss in losses]
    if any(sums) != all(sums):
        raise ResourceError(
            "losses with reduction: sum beside others cannot be shared by several devices; "
            "give all of them the same reduction, or set runtime.strategy=none"
        )
    return all(sums)


@contextlib.contextmanager
def whole_gradients(optimizer: Any, weight: Callable[[], Any]) -> Iterator[None]:
    """While a step is traced, let the optimizer see the gradient of the whole batch.

    Keras adds up the replicas' gradients only when it changes the variables, as the mean of the replicas' means:
    clipping, accumulation and the search for overflows would see one replica's part, and a share of three examples
    would count as much as one of four. Here each part counts by its examples and the sum is formed first, so that
    everything after it is as on one device.

    Args:
        optimizer: A compiled model's.
        weight: The examples of the replica that asks, over the mean of all replicas.
    """
    tf = load_tensorflow()
    apply, inner = optimizer.apply_gradients, getattr(optimizer, "inner_optimizer", optimizer)

    def weigh(gradient: Any) -> Any:
        factor = tf.cast(weight(), gradient.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
        return gradient * factor

    def apply_whole(pairs: Any) -> None:
        known = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        summed = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, [weigh(gradient) for gradient, _ in known]
        )
        apply(zip(summed, [variable for _, variable in known], strict=True))

    optimizer.apply_gradients, inner._all_reduce_sum_gradients = apply_whole, list
    try:
        yield
    finally:
        del optimizer.apply_gradients, inner._all_reduce_sum_gradients
