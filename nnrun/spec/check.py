"""Names and arguments of a specification, held against Keras's catalogue and the built-in data sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.argument_types import accepts, expectation
from nnrun.spec.catalog import Kind, Part
from nnrun.spec.choices import WrittenChoice, read_choice, read_choices, read_losses, read_metrics
from nnrun.spec.names import MOST_LISTED, did_you_mean, fold, listed, nearest, shorten
from nnrun.spec.refusals import LEFT_OUT_ARGUMENTS, REFUSED_ARGUMENTS, RENAMED_ARGUMENTS
from nnrun.spec.schema import Choice, describe
from nnrun.spec.source import Node, find, path_text, plain

FLOAT = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")

HOME: dict[Kind, str] = {
    "layer": "under model.layers",
    "activation": "in a layer's activation",
    "initializer": "in arguments such as kernel_initializer",
    "regularizer": "in arguments such as kernel_regularizer",
    "constraint": "in arguments such as kernel_constraint",
    "loss": "under training.loss",
    "metric": "under training.metrics",
    "optimizer": "under training.optimizer",
    "schedule": "under training.learning_rate",
    "callback": "under training.callbacks",
}
"""Where a kind is written."""

CHOICES: tuple[tuple[Kind, tuple[str, str]], ...] = (
    ("optimizer", ("training", "optimizer")),
    ("schedule", ("training", "learning_rate")),
)


def check_tree(tree: Node) -> list[Problem]:
    """Find every wrong name and argument, then what does not fit together.

    Args:
        tree: The whole specification. What the schema refuses (a missing section, a list for a name) is left
            to it.

    Returns:
        The problems in the order of their places.
    """
    from nnrun.spec.rules import check_rules

    def position(problem: Problem) -> tuple[bool, int, int]:
        place = problem.place or tree.place
        elsewhere = place.source != tree.place.source  # the command line, a base
        return (elsewhere, place.line, place.column)

    return sorted([*check_names(tree), *check_rules(tree)], key=position)


def check_names(tree: Node) -> Iterator[Problem]:
    """Every wrong name and argument, section by section."""
    yield from _check_source(tree)
    for kind, path in CHOICES:
        if choice := read_choice(find(tree, path), path):
            yield from check_choice(kind, choice)
    lists: dict[Kind, list[WrittenChoice]] = {
        "loss": read_losses(tree),
        "layer": read_choices(tree, ("model", "layers")),
        "metric": read_metrics(tree),
        "callback": read_choices(tree, ("training", "callbacks")),
    }
    blocks = find(tree, ("model", "blocks"))
    own = list(blocks.value) if blocks is not None and isinstance(blocks.value, dict) else []
    for kind, choices in lists.items():
        for choice in choices:
            if kind == "layer" and choice.name in own and not catalog.find("layer", choice.name):
                continue  # a block that is not one: the schema says why
            yield from check_choice(kind, choice, also=own if kind == "layer" else ())


def check_choice(
    kind: Kind, choice: WrittenChoice, *, nested: bool = False, also: Sequence[str] = ()
) -> Iterator[Problem]:
    """What is wrong with a choice, and with the choices among its arguments.

    Args:
        kind: What it stands for.
        choice: As written.
        nested: Whether it is an argument of another part, so that it cannot be wired by ``inputs``.
        also: Names that the specification itself defines.
    """
    part = catalog.find(kind, choice.name)
    if part is None:
        yield choice.problem(explain_unknown(kind, choice.name, also))
        return
    taker = catalog.class_of(part) if choice.arguments else part
    if taker is None:
        yield choice.problem_in_name(_explain_bare(part))
        return
    known = [argument.name for argument in taker.arguments]
    if kind == "layer" and not nested:
        known.append("inputs")
    for name in choice.arguments:
        if name not in known and not taker.accepts_any:
            yield choice.problem_in_key(name, _explain_argument(taker, name, known))
        elif reason := REFUSED_ARGUMENTS.get(taker.name, {}).get(name):
            yield choice.problem_in_key(name, reason)
        else:
            yield from _check_value(taker, choice, name)
    given = choice.arguments.keys() | {_meant(name, known) for name in choice.arguments if name not in known}
    missing = [
        argument.name for argument in taker.arguments if argument.required and argument.name not in given
    ]
    if missing:
        yield choice.problem_in_name(_explain_missing(choice.name, missing))


def _check_value(part: Part, choice: WrittenChoice, name: str) -> Iterator[Problem]:
    """What is wrong with the value of an argument that the part takes."""
    node = choice.arguments[name]
    argument = part.argument(name)
    kind = catalog.nested_kind(part, name)
    if kind and (node.value is not None or (argument and argument.required)):
        yield from _check_nested(kind, node, (*choice.path, choice.name, name))
    elif not kind and argument and not accepts(argument.values, plain(node)):
        message = f"expected {expectation(argument.values)}; found {describe(plain(node))}"
        yield choice.problem_in_value(name, message)


def _check_nested(kind: Kind, node: Node, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """What is wrong with a part that is an argument of another one, or with a list of them."""
    if kind == "schedule" and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return
    if isinstance(node.value, list) and kind == "layer":
        for index, item in enumerate(node.value):
            yield from _check_nested(kind, item, (*path, index))
        return
    inner = read_choice(node, path)
    if inner is not None and kind == "layer" and catalog.is_application(inner.name):
        yield inner.problem("a ready network stands among model.layers itself, not inside another layer")
        return
    if inner is not None:
        yield from check_choice(kind, inner, nested=True)
        return
    try:
        Choice.parse(plain(node))
    except ValueError as error:
        message = str(error)
        if kind == "schedule" and not isinstance(node.value, dict):
            message = f"expected a number, or a schedule with arguments; found {describe(plain(node))}"
        yield Problem(message, path_text(path), node.place)


def explain_unknown(kind: Kind, name: str, also: Sequence[str] = ()) -> str:
    """Why a name does not do, and what was probably meant."""
    candidates = [*catalog.names(kind), *also]
    same = [candidate for candidate in candidates if fold(candidate) == fold(name)]
    homes = [other for other in catalog.kinds_that_know(name) if other != kind]
    if homes and not same:
        return f"'{name}' is {_with_article(homes[0])}; it stands {HOME[homes[0]]}"
    if reason := catalog.refusal(kind, name):
        return f"{name} {reason}"
    if kind == "schedule" and FLOAT.fullmatch(name):
        return f"'{shorten(name)}' is text; write the number without quotes"
    near = did_you_mean(name, candidates)
    classes = [candidate for candidate in candidates if candidate[:1].isupper()]
    if not near and 0 < len(classes) <= MOST_LISTED:
        near = f"; there are {', '.join(classes)}"
    return f"no {kind} '{shorten(name)}'{near or ' in Keras'}"


def _with_article(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind if kind != 'schedule' else 'learning rate schedule'}"


def _explain_argument(part: Part, name: str, known: list[str]) -> str:
    """Why an argument does not do, and what was probably meant."""
    meant = _meant(name, known)
    if meant and meant == RENAMED_ARGUMENTS.get(name):
        return f"unknown argument; in Keras it is called '{meant}'"
    if name in LEFT_OUT_ARGUMENTS:
        return LEFT_OUT_ARGUMENTS[name]
    if name == "inputs" and part.kind == "layer":
        return f"the layer around {part.name} takes the inputs; leave it out here"
    if meant:
        return f"unknown argument; did you mean '{meant}'?"
    return f"unknown argument; {part.name} takes {listed(known) or 'none'}"


def _meant(name: str, known: list[str]) -> str | None:
    """The argument that a wrong name was most likely meant to be."""
    renamed = RENAMED_ARGUMENTS.get(name)
    return renamed if renamed in known else nearest(name, known)


def _explain_bare(part: Part) -> str:
    """Why a function takes no arguments here."""
    if part.name in ("accuracy", "acc"):
        return (
            f"'{part.name}' takes no arguments, because Keras chooses the kind by the shapes; "
            "write BinaryAccuracy, CategoricalAccuracy or SparseCategoricalAccuracy"
        )
    if part.name in ("crossentropy", "ce"):
        return (
            f"'{part.name}' takes no arguments, because Keras chooses the kind by the shapes; "
            "write BinaryCrossentropy, CategoricalCrossentropy or SparseCategoricalCrossentropy"
        )
    return f"'{part.name}' takes no arguments; write the name alone"


def _explain_missing(name: str, missing: list[str]) -> str:
    words = " and ".join(f"'{argument}'" for argument in missing)
    example = ", ".join(f"{argument}: ..." for argument in missing)
    return f"missing {'argument' if len(missing) == 1 else 'arguments'} {words}; write {name}: {{{example}}}"


def _check_source(tree: Node) -> Iterator[Problem]:
    """What is wrong with the data source, by the word of the data sets themselves."""
    from nnrun.spec.datasets import check_dataset

    choice = read_choice(find(tree, ("data", "source")), ("data", "source"))
    if choice is None:
        return
    values = {name: plain(node) for name, node in choice.arguments.items()}
    for argument, message in check_dataset(Choice(choice.name, values)):
        if argument not in choice.arguments:
            yield choice.problem(message)
        elif message.startswith("unknown argument"):
            yield choice.problem_in_key(argument, message)
        else:
            yield choice.problem_in_value(argument, message)
