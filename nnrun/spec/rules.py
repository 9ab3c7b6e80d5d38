"""Rules across sections: settings that are each right and cannot go together.

Only what is certainly wrong is refused; where anything is unsure, nothing is said. A choice whose name is
wrong is reported elsewhere and left out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nnrun.errors import Problem
from nnrun.spec import catalog
from nnrun.spec.catalog import Part
from nnrun.spec.catalog_source import snake_case
from nnrun.spec.choices import WrittenChoice, by_output, read_choice, read_choices, read_metrics, whereabouts
from nnrun.spec.names import did_you_mean, listed, shorten
from nnrun.spec.source import Node, find

MONITORED = {"ModelCheckpoint": "save_best_only"}
"""Callbacks that look at their monitor only when this argument is true."""


def check_rules(tree: Node) -> Iterator[Problem]:
    """Everything that does not fit together, in no particular order."""
    from nnrun.spec.file_rules import check_files
    from nnrun.spec.graph_rules import check_graph
    from nnrun.spec.output_rules import check_output
    from nnrun.spec.weight_rules import check_by_output, check_weights

    yield from check_learning_rate(tree)
    yield from check_plateau(tree)
    yield from check_monitors(tree)
    yield from check_fallback(tree)
    yield from check_graph(tree)
    yield from check_by_output(tree)
    yield from check_weights(tree)
    yield from check_files(tree)
    yield from check_output(tree)


def check_learning_rate(tree: Node) -> Iterator[Problem]:
    """The learning rate must not stand in two places."""
    optimizer = read_choice(find(tree, ("training", "optimizer")), ("training", "optimizer"))
    beside = find(tree, ("training", "learning_rate"))
    if (
        optimizer is None
        or beside is None
        or beside.value is None
        or "learning_rate" not in optimizer.arguments
    ):
        return
    where = whereabouts(beside.key_place or beside.place, optimizer.place)
    yield optimizer.problem_in_key(
        "learning_rate",
        f"the learning rate is also given in training.learning_rate ({where}); keep one of the two",
    )


def check_plateau(tree: Node) -> Iterator[Problem]:
    """ReduceLROnPlateau sets the learning rate, which Keras does not allow where a schedule determines it."""
    schedule = _schedule(tree)
    for callback in read_choices(tree, ("training", "callbacks")):
        if schedule and callback.name == "ReduceLROnPlateau":
            where = whereabouts(schedule.place, callback.place)
            yield callback.problem_in_name(
                f"cannot reduce a learning rate that {schedule.name} determines ({where}); "
                "remove one of the two"
            )


def _schedule(tree: Node) -> WrittenChoice | None:
    path: tuple[str | int, ...] = ("training", "learning_rate")
    schedule = read_choice(find(tree, path), path)
    optimizer = read_choice(find(tree, ("training", "optimizer")), ("training", "optimizer"))
    if schedule is None and optimizer is not None:
        path = (*optimizer.path, optimizer.name, "learning_rate")
        schedule = read_choice(optimizer.arguments.get("learning_rate"), path)
    return schedule if schedule and catalog.find("schedule", schedule.name) else None


def check_monitors(tree: Node) -> Iterator[Problem]:
    """What a callback or the choice of the best epoch watches must be measured."""
    measured = measured_values(tree)
    if measured is None:
        return
    monitor = find(tree, ("training", "monitor"))
    if monitor is not None and isinstance(monitor.value, str) and monitor.value not in ("auto", *measured):
        yield Problem(_explain_unmeasured(monitor.value, measured), "training.monitor", monitor.place)
    callbacks = read_choices(tree, ("training", "callbacks"))
    if any(callback.name == "ReduceLROnPlateau" for callback in callbacks):
        measured = [*measured, "learning_rate"]  # it reports it to the callbacks
    for callback in callbacks:
        part = catalog.find("callback", callback.name)
        if part is not None:
            yield from _check_monitor(part, callback, measured)


def _check_monitor(part: Part, callback: WrittenChoice, measured: list[str]) -> Iterator[Problem]:
    argument = part.argument("monitor")
    if argument is None:
        return
    if "monitor" in callback.arguments:
        monitor = callback.value("monitor")
        if isinstance(monitor, str) and monitor not in measured:
            yield callback.problem_in_value("monitor", _explain_unmeasured(monitor, measured))
        return
    switch = MONITORED.get(part.name)
    if switch and callback.value(switch) is not True:
        return
    if isinstance(argument.default, str) and argument.default not in measured:
        message = _explain_unmeasured(argument.default, measured)
        yield callback.problem_in_name(f"watches {argument.default} unless told otherwise: {message}")


def _explain_unmeasured(monitor: str, measured: list[str]) -> str:
    bare = monitor.removeprefix("val_")
    if bare != monitor and bare in measured:
        remedy = f"set training.validation_split, or monitor '{shorten(bare)}'"
        return f"'{shorten(monitor)}' is not measured without validation; {remedy}"
    near = did_you_mean(monitor, measured)
    return f"no '{shorten(monitor)}' is measured{near or '; measured are ' + listed(measured)}"


def measured_values(tree: Node) -> list[str] | None:
    """The values that an epoch gives: ``loss``, the metrics, and the same with ``val_``.

    Returns:
        The names as Keras logs them; None where they cannot be told (several outputs, a wrong metric).
    """
    outputs = output_names(tree)
    found = ["loss", *(f"{output}_loss" for output in outputs)]
    by_name = by_output(tree, ("training", "metrics"))
    for output in outputs or [""]:
        if by_name is not None and output not in by_name:
            continue
        path = ("training", "metrics", output) if by_name is not None else ("training", "metrics")
        names = _metric_names(tree, path, len(outputs) if outputs and by_name is None else 1)
        if names is None:
            return None
        found += [f"{output}_{name}" if output else name for name in names]
    split = find(tree, ("training", "validation_split"))
    source = read_choice(find(tree, ("data", "source")), ("data", "source"))
    validated = split is not None and isinstance(split.value, int | float) and split.value > 0
    validated = validated or (source is not None and "validation" in source.arguments)
    return found + [f"val_{name}" for name in found] if validated else found


def output_names(tree: Node) -> list[str]:
    """The names of the outputs, where there are several; none where there is one."""
    outputs = find(tree, ("model", "outputs"))
    items = outputs.value if outputs is not None and isinstance(outputs.value, list) else []
    names = [item.value for item in items if isinstance(item.value, str)]
    return names if len(names) > 1 else []


def _metric_names(tree: Node, path: tuple[str, ...], times: int) -> list[str] | None:
    """The names under which Keras logs a list of metrics; None where one cannot be told.

    Args:
        tree: The specification.
        path: Of the list.
        times: How often the metrics are made: the whole list for each output, or once.
    """
    metrics = find(tree, path)
    written = read_choices(tree, path)
    if metrics is not None and (not isinstance(metrics.value, list) or len(metrics.value) != len(written)):
        return None
    counts: Counter[str] = Counter()
    made = read_metrics(tree) * times
    found = []
    for choice in written:
        name = _logged_name(choice, made)
        if name is None:
            return None
        found.append(f"{name}_{counts[name]}" if counts[name] else name)  # as Keras tells them apart
        counts[name] += 1
    return found


def _logged_name(choice: WrittenChoice, made: list[WrittenChoice]) -> str | None:
    """The name under which Keras logs a metric: the text itself, or the ``name`` of the metric that is made.

    Where neither the specification nor the class gives a name, Keras makes one up from the class; it counts
    on when several metrics are of that class, and then the name cannot be told here.
    """
    part = catalog.find("metric", choice.name)
    if part is None or not choice.arguments:
        return choice.name if part else None
    taker = catalog.class_of(part)
    argument = taker.argument("name") if taker else None
    if taker is None or argument is None:
        return None
    name = choice.value("name") or argument.default
    if name is None:
        kin = [other for other in made if catalog.find("metric", other.name) == part]
        return snake_case(taker.name) if len(kin) == 1 else None
    return name if isinstance(name, str) else None


def check_fallback(tree: Node) -> Iterator[Problem]:
    """A fallback must be able to stand in for the source."""
    from nnrun.spec.datasets import fallback_fits
    from nnrun.spec.output_rules import known_facts

    fallback = find(tree, ("data", "fallback"))
    facts = known_facts(tree)
    if fallback is None or fallback.value != "digits" or facts is None:
        return
    if not facts.downloaded:
        message = f"{facts.name} is inside nnrun and always there; remove the fallback"
        yield Problem(message, "data.fallback", fallback.place)
    elif not fallback_fits(facts.name):
        shape = " x ".join(map(str, facts.shape))
        kind = "a number to predict" if facts.classes is None else f"{facts.classes} classes"
        theirs = f"{facts.name} ({shape}, {kind})"
        message = f"digits (28 x 28, 10 classes) cannot stand in for {theirs}; remove the fallback"
        yield Problem(message, "data.fallback", fallback.place)
