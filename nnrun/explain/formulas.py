"""The formulas of parts: Keras's own where its documentation has one in so many words, else these."""

from __future__ import annotations

import re

from nnrun.spec.catalog import Part
from nnrun.spec.names import fold

CROSSENTROPY = "loss = -sum(y_true x log(y_pred)), the mean over the examples"
SPARSE = "loss = -log(y_pred[y_true]), the mean over the examples"
BINARY = "loss = -(y_true x log(y_pred) + (1 - y_true) x log(1 - y_pred)), the mean over outputs and examples"

FORMULAS: dict[str, str] = {
    # Layers
    "Dense": "output = activation(input x kernel + bias)",
    "Flatten": "output = all values of the input in one row",
    "Dropout": "output = input / (1 - rate) where a value is kept, 0 where it is dropped",
    "BatchNormalization": "output = gamma x (input - mean) / sqrt(variance + epsilon) + beta, over the batch",
    "LayerNormalization": "output = gamma x (input - mean) / sqrt(variance + epsilon) + beta, over each example",
    "Embedding": "output = table[input]",
    "Rescaling": "output = input x scale + offset",
    "LeakyReLU": "f(x) = x if x >= 0 else negative_slope x x",
    "PReLU": "f(x) = x if x >= 0 else alpha x x, alpha learned",
    "ELU": "f(x) = x if x >= 0 else alpha x (exp(x) - 1)",
    "Softmax": "softmax(x)[i] = exp(x[i]) / sum(exp(x))",
    # Activations
    "relu": "relu(x) = max(x, 0)",
    "relu6": "relu6(x) = min(max(x, 0), 6)",
    "leaky_relu": "leaky_relu(x) = x if x >= 0 else 0.2 x x",
    "elu": "elu(x) = x if x >= 0 else exp(x) - 1",
    "selu": "selu(x) = 1.0507 x (x if x >= 0 else 1.6733 x (exp(x) - 1))",
    "sigmoid": "sigmoid(x) = 1 / (1 + exp(-x))",
    "hard_sigmoid": "hard_sigmoid(x) = min(max(x / 6 + 0.5, 0), 1)",
    "softmax": "softmax(x)[i] = exp(x[i]) / sum(exp(x))",
    "log_softmax": "log_softmax(x)[i] = x[i] - log(sum(exp(x)))",
    "linear": "linear(x) = x",
    "exponential": "exponential(x) = exp(x)",
    "gelu": "gelu(x) = x x P(X <= x), X normally distributed",
    # Losses
    "categoricalcrossentropy": CROSSENTROPY,
    "sparsecategoricalcrossentropy": SPARSE,
    "binarycrossentropy": BINARY,
    "huber": "loss = 0.5 x error^2 where |error| <= delta, else delta x |error| - 0.5 x delta^2",
    # Optimizers
    "SGD": "v = momentum x v - learning_rate x gradient;  weight = weight + v",
    "Adam": "m = beta_1 x m + (1 - beta_1) x gradient;  v = beta_2 x v + (1 - beta_2) x gradient^2;  "
    "weight = weight - learning_rate x m' / (sqrt(v') + epsilon), m' and v' being corrected for their start at 0",
    "AdamW": "as Adam, and weight = weight - learning_rate x weight_decay x weight",
    "RMSprop": "v = rho x v + (1 - rho) x gradient^2;  weight = weight - learning_rate x gradient / sqrt(v + epsilon)",
    "Adagrad": "v = v + gradient^2;  weight = weight - learning_rate x gradient / sqrt(v + epsilon)",
    # Initializers, regularizers
    "GlorotUniform": "uniform in [-limit, limit], limit = sqrt(6 / (inputs + outputs))",
    "GlorotNormal": "normal with standard deviation sqrt(2 / (inputs + outputs)), cut at two of them",
    "HeUniform": "uniform in [-limit, limit], limit = sqrt(6 / inputs)",
    "HeNormal": "normal with standard deviation sqrt(2 / inputs), cut at two of them",
    "LecunNormal": "normal with standard deviation sqrt(1 / inputs), cut at two of them",
    "L1": "loss = l1 x sum(|weight|)",
    "L2": "loss = l2 x sum(weight^2)",
    # Schedules
    "CosineDecay": "rate = initial x (alpha + (1 - alpha) x (1 + cos(pi x step / decay_steps)) / 2)",
    "ExponentialDecay": "rate = initial x decay_rate ^ (step / decay_steps)",
    "InverseTimeDecay": "rate = initial / (1 + decay_rate x step / decay_steps)",
    "PolynomialDecay": "rate = (initial - end) x (1 - step / decay_steps) ^ power + end",
}
"""By Keras's name, or by the folded name that a class and a function share."""

SECTION = re.compile(r"^Formula:\s*\n+```(?:python)?\n(.*?)\n```", re.MULTILINE | re.DOTALL)


def formula(part: Part) -> str | None:
    """A part's formula on one line; None where there is none."""
    for key in (part.name, fold(part.name)):
        if key in FORMULAS:
            return FORMULAS[key]
    section = SECTION.search(part.doc)
    if section is None:
        return inline_formula(part)
    lines = [line.rstrip() for line in section[1].splitlines() if line.strip()]
    return "; ".join(line.strip() for line in lines) if len(lines) < 4 else None


def inline_formula(part: Part) -> str | None:
    """The first formula in backticks that begins with the part's own name: ``celu(x) = ...``."""
    found = re.search(rf"`((?:{re.escape(part.name)}|f)\(x\) = [^`\n]+)`", part.doc)
    return found[1] if found else None
