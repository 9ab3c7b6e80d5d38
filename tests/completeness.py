"""Every name of the installed Keras, each with a small specification that uses it.

A case trains a few examples for a step; what cannot be trained here is refused by nnrun with what to use instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nnrun.explain.parts import example_arguments
from nnrun.spec import catalog
from nnrun.spec.catalog import KINDS, Kind
from nnrun.spec.catalog_source import imports

EXAMPLES = 6
CLASSES = [0, 1, 2, 0, 1, 2]

IMAGE, SEQUENCE, VOLUME, VECTOR = (8, 8, 3), (8, 4), (6, 6, 6, 2), (4,)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "CategoryEncoding": {"num_tokens": 12},
    "CenterCrop": {"height": 4, "width": 4},
    "Cropping3D": {"cropping": 1},
    "Discretization": {"bin_boundaries": [0.2, 0.5]},
    "Dot": {"axes": 1},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 12, "output_dim": 3},
    "GroupNormalization": {"groups": 1},
    "Hashing": {"num_bins": 5},
    "IntegerLookup": {"vocabulary": [1, 2, 3]},
    "MaxNumBoundingBoxes": {"max_number": 2},
    "Normalization": {"mean": 0.5, "variance": 0.1},
    "Permute": {"dims": [2, 1]},
    "Pipeline": {"layers": [{"Rescaling": {"scale": 2.0}}]},
    "RandomCrop": {"height": 4, "width": 4},
    "Reshape": {"target_shape": [2, 2]},
    "Resizing": {"height": 4, "width": 4},
    "ReversibleEmbedding": {"input_dim": 12, "output_dim": 3},
    "RNN": {"cell": [{"LSTMCell": {"units": 4}}, {"GRUCell": {"units": 3}}]},
    "StackedRNNCells": {"cells": [{"LSTMCell": {"units": 4}}]},
    "STFTSpectrogram": {"mode": "log", "frame_length": 8, "frame_step": 4, "fft_length": 8},
    "MelSpectrogram": {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4, "sampling_rate": 100,
                       "max_freq": 40.0},
    "Bidirectional": {"layer": {"LSTM": {"units": 3}}},
    "TimeDistributed": {"layer": {"Dense": {"units": 3}}},
    "SpectralNormalization": {"layer": {"Dense": {"units": 3}}},
    "GroupQueryAttention": {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2},
    "ConvLSTM1D": {"filters": 2, "kernel_size": 3},
    "ConvLSTM2D": {"filters": 2, "kernel_size": 3},
    "ConvLSTM3D": {"filters": 2, "kernel_size": 2},
}  # fmt: skip
"""Arguments of layers for which the general example does not suit a small input."""

SHAPES: dict[str, tuple[int, ...]] = {
    "EinsumDense": VECTOR,
    "Embedding": (4,),
    "ReversibleEmbedding": (4,),
    "CategoryEncoding": (4,),
    "Permute": (3, 4),
    "RepeatVector": VECTOR,
    "ConvLSTM1D": (3, 8, 2),
    "ConvLSTM2D": (3, 8, 8, 2),
    "ConvLSTM3D": (2, 4, 4, 4, 2),
    "STFTSpectrogram": (32, 1),
    "MelSpectrogram": (64,),
    "GroupNormalization": SEQUENCE,
}
PAIRED = (
    *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"),
    *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
)
"""Layers of two inputs; they get the same one twice."""

OF_NUMBERS = ("Embedding", "ReversibleEmbedding", "CategoryEncoding", "IntegerLookup", "Hashing")
"""Layers of whole numbers."""

CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells")
"""Layers that stand inside an RNN."""

OF_SEQUENCES = ("Attention", "RNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed", "Masking", "1D")
OF_IMAGES = ("2D", "Random", "Rand", "Aug", "CutMix", "MixUp", "CenterCrop", "Resizing", "Solarization", "Equalization",
             "AutoContrast", "Pipeline", "BoundingBox")  # fmt: skip
NETWORKS = {"NASNetMobile": 32, "NASNetLarge": 32, "InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""The least size of the ready networks' pictures, where it is not 32."""


@dataclass(frozen=True)
class Case:
    """A name with the specification that uses it; None where nnrun refuses the name."""

    kind: Kind
    name: str
    spec: dict[str, Any] | None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """The specification as YAML, of which JSON is a part."""
        return json.dumps(self.spec)


def public_names(kind: Kind) -> list[str]:
    """Everything that Keras exports or understands for a kind, what nnrun refuses too."""
    package = catalog.PACKAGES[kind]
    exported = [
        name for name, origin in imports(f"keras.{package}").items() if origin[0].startswith("keras.src")
    ]
    return list(dict.fromkeys([*catalog.names(kind), *exported]))


def cases(kind: Kind) -> Iterator[Case]:
    """A case for every name of a kind."""
    for name in public_names(kind):
        reason = catalog.refusal(kind, name)
        yield Case(kind, name, None, reason) if reason else Case(kind, name, specification(kind, name))


def counts() -> dict[Kind, tuple[int, int, int]]:
    """For each kind: parts, names for them, and names that are refused."""
    found = {}
    for kind in KINDS:
        names = [name for name in public_names(kind) if catalog.refusal(kind, name) is None]
        parts = {part.name for name in names if (part := catalog.find(kind, name))}
        found[kind] = (len(parts), len(names), len(public_names(kind)) - len(names))
    return found


def counts_table() -> str:
    """The counts as a table in Markdown."""
    lines = ["| kind | parts | names for them | refused, with what to use instead |", "|---|--:|--:|--:|"]
    rows = counts()
    lines += [f"| {kind} | {parts} | {names} | {refused} |" for kind, (parts, names, refused) in rows.items()]
    sums = [sum(column) for column in zip(*rows.values(), strict=True)]
    return "\n".join([*lines, f"| all | {sums[0]} | {sums[1]} | {sums[2]} |"])


def specification(kind: Kind, name: str) -> dict[str, Any]:
    """A small specification in which a name stands."""
    if kind == "layer":
        return _with_layer(name)
    spec = _dense(2 if kind in ("loss", "metric") else 1)
    layers, training = spec["model"]["layers"], spec["training"]
    given = {name: example_arguments(kind, name)} if example_arguments(kind, name) else name
    if kind == "activation":
        layers[0]["Dense"]["activation"] = name
    elif kind == "initializer" and name in (
        "STFT",
        "STFTInitializer",
        "stft",
    ):  # of kernels (time, 1, frequencies)
        convolution = {"filters": 3, "kernel_size": 4, "kernel_initializer": given}
        layers[:1] = [{"Reshape": {"target_shape": [4, 1]}}, {"Conv1D": convolution}, "Flatten"]
    elif kind in ("initializer", "regularizer", "constraint"):
        layers[0]["Dense"][f"kernel_{kind}"] = given
    elif kind == "loss":
        _fit_loss(spec, name)
    elif kind == "metric":
        _fit_metric(spec, name, given)
    elif kind == "optimizer":
        training["optimizer"] = name
    elif kind == "schedule":
        training["learning_rate"] = given
    elif kind == "callback":
        training["callbacks"] = [given]
        training["monitor"] = "loss"
        if name == "SwapEMAWeights":
            training["optimizer"] = {"Adam": {"use_ema": True}}
        if name == "CSVLogger":
            training["callbacks"] = [{name: {"filename": "log.csv"}}]
    return spec


def _dense(units: int) -> dict[str, Any]:
    layers: list[Any] = [{"Dense": {"units": 4}}, {"Dense": {"units": units}}]
    return {
        "data": {"source": {"inline": {"x": _values(VECTOR), "y": [0.5, 1.5, 0.25, 0.75, 1.0, 0.0]}}},
        "model": {"layers": layers},
        "training": {"loss": "mse", "epochs": 1, "batch_size": 4, "validation_split": 0.34},
    }


def _values(shape: tuple[int, ...], scale: float = 1.0) -> Any:
    """Numbers between 0 and ``scale``, the same in every run."""
    state = 12345

    def nested(sizes: tuple[int, ...]) -> Any:
        nonlocal state
        if not sizes:
            state = (1103515245 * state + 12345) % 2**31
            return (
                round(scale * (state % 1000) / 1000, 3)
                if scale == 1.0
                else int(scale * (state % 1000) / 1000)
            )
        return [nested(sizes[1:]) for _ in range(sizes[0])]

    return nested((EXAMPLES, *shape))


def _with_layer(name: str) -> dict[str, Any]:
    arguments = dict(ARGUMENTS.get(name) or example_arguments("layer", name))
    if catalog.is_application(name):
        return _with_network(name)
    shape = _shape(name)
    if "kernel_size" in arguments and name not in ARGUMENTS:
        arguments |= {"kernel_size": 2}
    if "filters" in arguments and name not in ARGUMENTS:
        arguments |= {"filters": 2}
    whole = 12.0 if name in OF_NUMBERS else 1.0
    layers: list[Any] = []
    if name in PAIRED:
        arguments["inputs"] = ["input", "input"]
    layers.append({name: arguments} if arguments else name)
    if name == "Masking":
        layers.append({"LSTM": {"units": 3}})
    if name in CELLS:
        layers = [{"RNN": {"cell": layers[0]}}]
    if name not in ("Flatten", "Input"):
        layers.append("Flatten")
    layers.append({"Dense": {"units": 1}})
    if name == "Input":
        layers[0] = "Input"
    return {
        "data": {"source": {"inline": {"x": _values(shape, whole), "y": [0.5, 1.5, 0.25, 0.75, 1.0, 0.0]}}},
        "model": {"layers": layers},
        "training": {"loss": "mse", "epochs": 1, "batch_size": 4},
        "runtime": {"jit_compile": False},
    }


def _with_network(name: str) -> dict[str, Any]:
    size = NETWORKS.get(name, 32)
    layers = [
        {"Reshape": {"target_shape": [8, 8, 1]}},
        {"Resizing": {"height": size, "width": size, "name": "large"}},
        {"Concatenate": {"inputs": ["large", "large", "large"]}},
        {name: {"weights": None, "include_top": False, "pooling": "avg"}},
        {"Dense": {"units": 10}},
    ]
    return {
        "data": {"source": {"digits": {"test_split": 0.99}}},
        "model": {"layers": layers},
        "training": {"loss": "mse", "epochs": 1, "batch_size": 4},
        "runtime": {"jit_compile": False},
    }


def _shape(name: str) -> tuple[int, ...]:
    if name in SHAPES:
        return SHAPES[name]
    if "3D" in name:
        return VOLUME
    if any(word in name for word in OF_SEQUENCES):
        return SEQUENCE
    if any(word in name for word in OF_IMAGES):
        return IMAGE
    return VECTOR


def _fit_loss(spec: dict[str, Any], name: str) -> None:
    """Targets and an output that a loss can take."""
    folded = name.lower().replace("_", "")
    layers, training = spec["model"]["layers"], spec["training"]
    training["loss"] = name
    if folded == "ctc":
        spec["data"]["source"]["inline"] = {"x": _values(SEQUENCE), "y": [[1, 2]] * EXAMPLES}
        layers[-1] = {"Dense": {"units": 4}}
        return
    classes = any(
        word in folded for word in ("entropy", "ce", "hinge", "dice", "tversky", "circle", "kl", "poisson")
    )
    if folded in ("crossentropy", "ce") or "categorical" in folded or folded in ("dice", "tversky", "circle"):
        spec["data"]["source"]["inline"]["y"] = CLASSES
        layers[-1] = {"Dense": {"units": 3, "activation": "softmax"}}
    elif classes:
        spec["data"]["source"]["inline"]["y"] = [0, 1, 0, 1, 0, 1]
        layers[-1] = {"Dense": {"units": 1, "activation": "sigmoid"}}
    else:
        layers[-1] = {"Dense": {"units": 1, "activation": "sigmoid"}}


def _fit_metric(spec: dict[str, Any], name: str, given: Any) -> None:
    """Targets and an output that a metric can take."""
    folded = name.lower().replace("_", "")
    layers, training = spec["model"]["layers"], spec["training"]
    training["metrics"] = [given]
    of_classes = ("categorical", "iou", "f1", "fbeta", "accuracy", "acc", "crossentropy", "ce", "topk")
    if any(word in folded for word in of_classes) and "binary" not in folded:
        spec["data"]["source"]["inline"]["y"] = CLASSES
        layers[-1] = {"Dense": {"units": 3, "activation": "softmax"}}
        training["loss"] = "categorical_crossentropy"
        if "f1" in folded or "fbeta" in folded:
            training["metrics"] = [{name: {"average": "macro"}}]
        if "sparse" in folded or folded in ("meaniou", "iou"):
            training["loss"] = "sparse_categorical_crossentropy"
        if folded in ("iou", "onehotiou"):
            training["metrics"] = [{name: {"num_classes": 3, "target_class_ids": [1]}}]
        if folded in ("meaniou", "onehotmeaniou"):
            training["metrics"] = [{name: {"num_classes": 3}}]
        if folded in ("iou", "meaniou"):
            layers[-1] = {"Dense": {"units": 3, "activation": "softmax"}}
            training["metrics"] = [
                {name: next(iter(training["metrics"][0].values())) | {"sparse_y_pred": False}}
            ]
    elif "pearson" in folded:  # along the values of one example
        spec["data"]["source"]["inline"]["y"] = [[0.0, 1.0], [1.0, 0.5]] * (EXAMPLES // 2)
        layers[-1] = {"Dense": {"units": 2}}
    elif folded == "binarycrossentropy":  # Keras wants targets and outputs of the same rank here
        spec["data"]["source"]["inline"]["y"] = [[0.0], [1.0]] * (EXAMPLES // 2)
        layers[-1] = {"Dense": {"units": 1, "activation": "sigmoid"}}
    else:
        spec["data"]["source"]["inline"]["y"] = [0, 1, 0, 1, 0, 1]
        layers[-1] = {"Dense": {"units": 1, "activation": "sigmoid"}}
        training["loss"] = "binary_crossentropy"
