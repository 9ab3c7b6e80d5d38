"""What is given for each output of the model, and what examples count: rules across sections."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec.choices import by_output, read_choice
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.names import did_you_mean, listed, shorten
from nnrun.spec.node import Node, Path, find, path_text

BY_OUTPUT: tuple[Path, ...] = (
    ("training", "loss"),
    ("training", "loss_weights"),
    ("training", "metrics"),
    ("data", "target"),
)
"""Keys under which a map of the model's outputs may stand."""

COMPLETE = ("loss", "loss_weights")
"""Keys that must speak of every output, as in Keras."""


def check_by_output(tree: Node) -> Iterator[Problem]:
    """Maps by output must name the outputs of a model that has several."""
    from nnrun.spec.rules import output_names

    outputs = output_names(tree)
    for path in BY_OUTPUT:
        given = by_output(tree, path)
        node = find(tree, path)
        if given is None or node is None:
            continue
        if not outputs:
            yield Problem(_explain_single(path, given), path_text(path), node.place)
            continue
        for name, item in given.items():
            if name not in outputs:
                near = did_you_mean(name, outputs) or f"; there are {listed(outputs)}"
                yield Problem(
                    f"model.outputs has no '{shorten(name)}'{near}", path_text((*path, name)), item.key_place
                )
            elif path == ("data", "target") and item.value not in learnable(tree):
                near = (
                    did_you_mean(str(item.value), learnable(tree)) or f"; there are {listed(learnable(tree))}"
                )
                message = f"no target '{shorten(str(item.value))}'{near}"
                yield Problem(message, path_text((*path, name)), item.place)
        missing = [name for name in outputs if name not in given]
        if missing and path[-1] in COMPLETE:
            message = f"the output '{shorten(missing[0])}' is missing; every output needs its own"
            yield Problem(message, path_text(path), node.key_place or node.place)


def learnable(tree: Node) -> list[str]:
    """What an output can learn: the labels, the inputs, or one of several target columns of a table."""
    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    columns = source.value("target") if source and source.name in FILE_SOURCES else None
    names = [one for one in columns if isinstance(one, str)] if isinstance(columns, list) else []
    return ["labels", "inputs", *(names if len(names) > 1 else [])]


def _explain_single(path: Path, given: dict[str, Node]) -> str:
    """Why a map by output does not do for a model of one output."""
    if path[-1] == "loss":
        return (
            f"expected one name with its arguments, found {len(given)} keys ({listed(list(given))}); indent the "
            "arguments under the name, or name the model's outputs in model.outputs: [...]"
        )
    return "is given by output, and the model has one; list several in model.outputs: [...], or give it without names"


def check_weights(tree: Node) -> Iterator[Problem]:
    """Weights of classes need classes, and stand alone, as in Keras."""
    from nnrun.spec.output_rules import known_facts, learns_inputs
    from nnrun.spec.rules import output_names

    weights = find(tree, ("training", "class_weight"))
    if weights is None or weights.value is None:
        return

    def problem(message: str) -> Problem:
        return Problem(message, "training.class_weight", weights.key_place or weights.place)

    facts = known_facts(tree)
    samples = find(tree, ("data", "sample_weight"))
    if samples is not None and isinstance(samples.value, str):
        yield problem("the examples have weights of their own in data.sample_weight; keep one of the two")
    if output_names(tree) or learns_inputs(tree):
        yield problem(
            "weights of classes are for a model with one output that learns the labels; remove them"
        )
    elif facts and facts.classes is None:
        yield problem(f"the target of {facts.name} is a number, it has no classes; remove the weights")
    elif facts and facts.classes and isinstance(weights.value, dict):
        for name, node in weights.value.items():
            if name.lstrip("-").isdecimal() and not 0 <= int(name) < facts.classes:
                message = f"{facts.name} has the classes 0 to {facts.classes - 1}"
                yield Problem(message, path_text(("training", "class_weight", name)), node.key_place)
