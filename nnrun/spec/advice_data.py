"""Advice on how the data meets the model: scaling, word numbers, and how much there is to learn from."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec.catalog import is_application
from nnrun.spec.node import plain
from nnrun.spec.outline import ARRIVING, DENSE_OR_CONVOLUTION, DROPOUTS, Layer, Outline, numbers

WIDE = 1_000
"""Inputs over a range of this size keep a network from learning unless they are scaled."""

SHRINKS = 0.1
"""A Rescaling by less than this is meant for pixels from 0 to 255."""

PARAMETERS_PER_EXAMPLE = 100
"""With more, and nothing against overfitting, a model mostly learns its examples by heart."""

WEIGHTS = DENSE_OR_CONVOLUTION | {"Embedding", "LSTM", "GRU", "SimpleRNN", "Bidirectional"}
AGAINST_OVERFITTING = DROPOUTS | {"BatchNormalization", "GaussianNoise", "ActivityRegularization"}


def advise_on_data(outline: Outline) -> Iterator[Problem]:
    """What could be better where the data enters, and in how much is made of it."""
    if outline.facts is None:
        return
    yield from advise_on_scale(outline)
    yield from advise_on_rescaling(outline)
    yield from advise_on_words(outline)
    yield from advise_on_size(outline)


def _first_layers(outline: Outline) -> Iterator[Layer]:
    """The layers that the data meets before the first one with weights, and that one, from input to output."""
    found = [layer for layer in outline.layers if ARRIVING in layer.before]
    while len(found) == 1:
        layer = found[0]
        yield layer
        if layer.kind in WEIGHTS:
            return
        found = outline.after(layer)


def advise_on_scale(outline: Outline) -> Iterator[Problem]:
    """Inputs of very different sizes must be brought to one scale first."""
    facts, layers = outline.facts, list(_first_layers(outline))
    if facts is None or not layers or layers[-1].kind not in DENSE_OR_CONVOLUTION or not _is_wide(outline):
        return
    if any(layer.kind in ("Rescaling", "BatchNormalization") or "Norm" in layer.kind for layer in layers):
        return
    yield layers[-1].hint(
        f"the inputs of {facts.name} go into the thousands and arrive as they are, so that small ones hardly "
        "count; put BatchNormalization before this layer"
    )


def _is_wide(outline: Outline) -> bool:
    """Whether the inputs are known to be far from one scale."""
    if outline.facts is not None and outline.facts.name == "california_housing":
        return True  # degrees beside numbers of inhabitants
    node = outline.node("data", "source", "inline", "x")
    inputs = list(numbers(plain(node))) if node is not None else []
    return bool(inputs) and max(inputs) - min(inputs) >= WIDE


def advise_on_rescaling(outline: Outline) -> Iterator[Problem]:
    """Pixels should not be scaled twice."""
    facts = outline.facts
    for layer in _first_layers(outline):
        scale = layer.choice.value("scale")
        if layer.kind != "Rescaling" or not isinstance(scale, int | float):
            continue
        if facts and facts.divisor and 0 < scale < SHRINKS:
            yield layer.hint(
                f"{facts.name} arrives between 0 and 1 already, and {scale:.2g} of that is next to nothing; "
                "remove the layer",
                "scale",
            )


def advise_on_words(outline: Outline) -> Iterator[Problem]:
    """Numbers of words are names, not sizes."""
    facts, layers = outline.facts, list(_first_layers(outline))
    if facts is None or facts.vocabulary is None or not layers:
        return
    first = layers[-1]
    if first.kind == "Embedding" and [layer.kind for layer in layers[:-1]] in ([], ["Input"]):
        size = first.choice.value("input_dim")
        if isinstance(size, int) and size < facts.vocabulary:
            yield first.hint(
                f"{facts.name} has word numbers up to {facts.vocabulary - 1:,}, and this layer knows only those "
                f"below {size:,}; write {facts.vocabulary} here, or num_words: {size} in the source",
                "input_dim",
            )
    elif first.kind == "Dense" and all(
        layer.kind in ("Input", "Flatten", *DROPOUTS) for layer in layers[:-1]
    ):
        yield first.hint(
            f"the word numbers of {facts.name} are names, and a Dense takes them for sizes; "
            f"put Embedding: {{input_dim: {facts.vocabulary}, output_dim: 16}} first"
        )


def advise_on_size(outline: Outline) -> Iterator[Problem]:
    """Far more parameters than there are examples to learn them from."""
    from nnrun.spec.paper import parameter_count, trace

    examples = outline.examples
    if examples is None or outline.is_toy or outline.training.epochs == 0 or _is_regularized(outline):
        return
    count = parameter_count(trace(outline.loaded))
    if count is not None and count >= PARAMETERS_PER_EXAMPLE * examples:
        yield outline.hint(
            f"{count:,} parameters for {examples:,} training examples can learn them by heart; use smaller layers, "
            "or add Dropout, or EarlyStopping with a validation_split",
            "model",
            "layers",
        )


def _is_regularized(outline: Outline) -> bool:
    """Whether anything is there against overfitting, or weights that were learnt from other examples."""
    if any(callback.name == "EarlyStopping" for callback in outline.callbacks):
        return True
    optimizer = outline.training.optimizer
    if "weight_decay" in optimizer.arguments or "AdamW" in optimizer.name:
        return True
    return any(
        layer.kind in AGAINST_OVERFITTING
        or layer.kind.startswith("Random")
        or is_application(layer.kind)
        or any(name.endswith(("regularizer", "dropout", "constraint")) for name in layer.choice.arguments)
        for layer in outline.layers
    )
