"""Short sentences on what parts do, for students; Keras's own first sentence where there is none here."""

from __future__ import annotations

import re

from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.docs import sentence, summary
from nnrun.spec.names import fold

ACTIVATIONS = {
    "relu": "negative values become 0, others stay",
    "leaky_relu": "negative values are made small, others stay",
    "elu": "negative values bend towards -1, others stay",
    "selu": "like elu, scaled so that values keep their spread from layer to layer",
    "gelu": "like relu with a soft bend around 0",
    "silu": "each value times its sigmoid: like relu with a soft bend",
    "sigmoid": "squeezes each value between 0 and 1",
    "tanh": "squeezes each value between -1 and 1",
    "softmax": "turns the values into probabilities that sum to 1",
    "softplus": "a smooth relu, always above 0",
    "linear": "the values stay as they are",
    "step": "1 from 0 on, otherwise 0: the perceptron's threshold",
    "bipolar_step": "1 from 0 on, otherwise -1: the bipolar perceptron's threshold",
}

LOSSES = {
    "sparsecategoricalcrossentropy": "how surprised the model is by the right class: -log of its probability",
    "categoricalcrossentropy": "how surprised the model is by the right class: -log of its probability",
    "binarycrossentropy": "how surprised the model is by a yes or no: -log of the probability of the right one",
    "meansquarederror": "the mean of the squared differences between output and target: large errors count most",
    "meanabsoluteerror": "the mean of the absolute differences between output and target",
    "meanabsolutepercentageerror": "the mean of the absolute differences, in per cent of the target",
    "huber": "squared differences while they are small, absolute ones beyond: outliers count less",
    "hinge": "how far an output lies from the right side of a margin",
}

METRICS = {
    **LOSSES,
    "accuracy": "the share of examples whose class is right",
    "acc": "the share of examples whose class is right",
    "binaryaccuracy": "the share of examples whose class is right, with the threshold at 0.5",
    "categoricalaccuracy": "the share of examples whose class is right",
    "sparsecategoricalaccuracy": "the share of examples whose class is right",
    "precision": "of the examples called positive, the share that are",
    "recall": "of the positive examples, the share that are found",
    "auc": "the area under the ROC curve: how well the positive examples are ranked before the others",
}

OPTIMIZERS = {
    "sgd": "plain gradient descent: each weight moves by learning rate x gradient, downhill",
    "adam": "gradient descent whose step for each weight is its mean gradient divided by the gradient's usual size",
    "adamw": "Adam whose weights also shrink a little in every step (weight decay)",
    "rmsprop": "gradient descent whose step for each weight is divided by the gradient's usual size",
    "adagrad": "gradient descent whose step for a weight becomes smaller the more that weight has moved",
    "adadelta": "like Adagrad, counting recent steps only",
    "adamax": "Adam that measures a gradient's size by its largest recent value",
    "nadam": "Adam that looks one step ahead (Nesterov)",
    "ftrl": "made for sparse linear models: it can set weights to exactly 0",
}

LAYERS = {
    "Dense": "a layer of neurons, each with a weight for every value that arrives, and a bias",
    "Flatten": "lays all values out in one row",
    "Reshape": "arranges the same values in another shape",
    "Dropout": "sets a random share of the values to 0 in training, so that no neuron relies on another; "
    "otherwise it does nothing",
    "BatchNormalization": "brings each value to mean 0 and spread 1 over the batch, then scales and shifts it",
    "LayerNormalization": "brings the values of each example to mean 0 and spread 1, then scales and shifts them",
    "Embedding": "looks up a learned vector for each number, such as a word's",
    "Concatenate": "puts its inputs one after the other",
    "Add": "adds its inputs, value by value",
    "LSTM": "reads the steps one after the other, with a memory that gates write, forget and read",
    "GRU": "reads the steps one after the other, with a memory and two gates: a lighter LSTM",
    "SimpleRNN": "reads the steps one after the other, each together with its own last output",
    "MultiHeadAttention": "lets each step look at all the others and take from those that matter to it",
    "GaussianNoise": "adds a little random noise in training",
}

TABLES: dict[Kind, dict[str, str]] = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "metric": METRICS,
    "optimizer": OPTIMIZERS,
    "layer": LAYERS,
}


LINK = re.compile(r"\[([^\]]*)\]\(\s*(https?://[^)]*?)\s*\)")
TYPE_ALONE = re.compile(
    r"(?:\(?optional\)?,? |an? |the |python |small |positive |non-negative |initial |final )*"
    r"(?:integers?|int|floats?|bool(?:ean)?|strings?|str|number|tuple|list)\.",
    re.IGNORECASE,
)
"""A first sentence that says only what the type says already."""


def plain_text(text: str) -> str:
    """Keras's words without the marks of its documentation."""
    return re.sub(r"[`*]", "", LINK.sub(r"\1 (\2)", text))


def first_telling_sentence(text: str) -> str:
    """The first sentence, or the second where the first names nothing but a type."""
    first = sentence(text)
    rest = text[len(first) :].strip()
    return plain_text(sentence(rest) if TYPE_ALONE.fullmatch(first) and rest else first)


def what_it_does(kind: Kind, name: str) -> str:
    """A sentence without its full stop; empty where nothing is known."""
    part = catalog.find(kind, name)
    table = TABLES.get(kind, {})
    for key in (name, part.name if part else name, fold(part.name if part else name)):
        if key in table:
            return table[key]
    text = plain_text(summary(part.doc)).rstrip(".") if part else ""
    if not text and kind == "layer" and catalog.is_application(name):
        return "a ready network of keras.applications, used like a layer"
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
