"""The perceptron's step functions, which Keras does not have.

A step's derivative is zero wherever it exists, so nothing would ever be learned. Both pass the gradient on as if
they were the identity: the straight-through estimator (Hinton, Neural Networks for Machine Learning, lecture 9b,
2012; Bengio, Léonard and Courville, arXiv:1308.3432, 2013). For a single neuron with the mean squared error and one
example in a step, gradient descent is then Rosenblatt's rule: ``w += 2 * rate * (target - output) * x``.
"""

from __future__ import annotations

from typing import Any

from nnrun.keras_backend import load_keras


def step(x: Any) -> Any:
    """The threshold of a perceptron: 1 where x >= 0, otherwise 0.

    `step(x) = 1 if x >= 0 else 0`

    Its gradient is a surrogate, that of the identity: 1 everywhere.

    Args:
        x: Input tensor.

    Returns:
        A tensor of the shape and dtype of x.
    """
    return _pass_straight_through(x, 0.0)


def bipolar_step(x: Any) -> Any:
    """The threshold of a bipolar perceptron: 1 where x >= 0, otherwise -1.

    `bipolar_step(x) = 1 if x >= 0 else -1`

    Its gradient is a surrogate, that of the identity: 1 everywhere.

    Args:
        x: Input tensor.

    Returns:
        A tensor of the shape and dtype of x.
    """
    return _pass_straight_through(x, -1.0)


def _pass_straight_through(x: Any, low: float) -> Any:
    ops = load_keras().ops

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def threshold(x: Any) -> Any:
        stepped = ops.where(x >= 0, ops.ones_like(x), ops.full_like(x, low))
        return stepped, lambda *args, upstream=None: upstream if upstream is not None else args[0]

    return threshold(x)
