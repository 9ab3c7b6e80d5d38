"""``a.b=VALUE`` and ``~a.b``."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.errors import Source, SpecError
from nnrun.spec.overrides import apply_overrides
from nnrun.spec.source import Node, find, parse_yaml, plain

TEXT = """\
data: {source: digits}
model:
  layers:
    - Flatten
    - Dense: {units: 10, activation: softmax}
    - Dropout:
training:
  loss: sparse_categorical_crossentropy
  optimizer: {Adam: {beta_1: 0.9}}
  epochs: 10
  tags:
"""


def tree() -> Node:
    return parse_yaml(Source("x.yaml", TEXT))


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.epochs=3", ("training", "epochs"), 3),
        (" training.epochs = 3 ", ("training", "epochs"), 3),
        ("training.learning_rate=1e-3", ("training", "learning_rate"), 0.001),
        ("training.shuffle=no", ("training", "shuffle"), "no"),
        ("training.metrics=[accuracy, {AUC: {name: a}}]", ("training", "metrics", 1, "AUC", "name"), "a"),
        ("description=x=y", ("description",), "x=y"),
        ("description='a: b'", ("description",), "a: b"),
        ("seed=null", ("seed",), None),
        ('name=""', ("name",), ""),
        ("tags=- a\n- b", ("tags",), ["a", "b"]),
        ("runtime.threads=1", ("runtime", "threads"), 1),
        ("runtime={threads: 2}", ("runtime", "threads"), 2),
        ("model.layers.1.Dense.units=64", ("model", "layers", 1, "Dense", "units"), 64),
        ("model.layers[1].Dense.units=64", ("model", "layers", 1, "Dense", "units"), 64),
        (
            "model.layers.1.Dense.name=out",
            ("model", "layers", 1),
            {"Dense": {"units": 10, "activation": "softmax", "name": "out"}},
        ),
        ("model.layers.0.Flatten.name=f", ("model", "layers", 0), {"Flatten": {"name": "f"}}),
        ("model.layers.2.Dropout.rate=.5", ("model", "layers", 2), {"Dropout": {"rate": 0.5}}),
        (
            "model.layers.1.Dense.activation.softmax.axis=1",
            ("model", "layers", 1, "Dense", "activation"),
            {"softmax": {"axis": 1}},
        ),
        (
            "model.layers.1.Dense.kernel_regularizer.L2.l2=1",
            ("model", "layers", 1, "Dense", "kernel_regularizer"),
            {"L2": {"l2": 1}},
        ),
        ("model.layers.0=Dense", ("model", "layers", 0), "Dense"),
        ("training.optimizer=sgd", ("training", "optimizer"), "sgd"),
        (
            "training.optimizer.Adam.beta_2=.9",
            ("training", "optimizer", "Adam"),
            {"beta_1": 0.9, "beta_2": 0.9},
        ),
        (
            "training.learning_rate.CosineDecay.decay_steps=5",
            ("training", "learning_rate"),
            {"CosineDecay": {"decay_steps": 5}},
        ),
    ],
)
def test_override_sets_the_value(override: str, path: tuple[str | int, ...], value: Any) -> None:
    found = find(apply_overrides(tree(), [override]), path)
    assert found is not None
    assert plain(found) == value


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("~training.epochs", ("training", "epochs")),
        ("~data", ("data",)),
        ("~model.layers.2", ("model", "layers", 2)),
        ("~training.optimizer.Adam.beta_1", ("training", "optimizer", "Adam", "beta_1")),
    ],
)
def test_override_removes_the_value(override: str, path: tuple[str | int, ...]) -> None:
    assert find(tree(), path) is not None
    assert find(apply_overrides(tree(), [override]), path) is None


def test_overrides_apply_from_left_to_right() -> None:
    changed = apply_overrides(tree(), ["~model.layers.0", "model.layers.0.Dense.units=3", "seed=1", "seed=2"])
    assert plain(changed)["model"]["layers"] == [
        {"Dense": {"units": 3, "activation": "softmax"}},
        {"Dropout": None},
    ]
    assert plain(changed)["seed"] == 2


def test_override_leaves_the_given_tree_as_it_was() -> None:
    before = tree()
    apply_overrides(before, ["training.epochs=3", "~data"])
    assert before == tree()


def test_override_places_are_in_its_own_text() -> None:
    override = "training.metrics=[accuracy, {AUC: {name: a}}]"
    node = find(apply_overrides(tree(), [override]), ("training", "metrics"))
    assert node is not None
    inner = find(node, (1, "AUC", "name"))
    assert inner is not None
    assert node.key_place is not None
    place = inner.place
    assert (place.source, place.line) == (Source("command line", override), 1)
    assert override[place.column - 1 : place.end_column - 1] == "a"
    assert override[node.place.column - 1 : node.place.end_column - 1] == "[accuracy, {AUC: {name: a}}]"
    assert override[node.key_place.column - 1 : node.key_place.end_column - 1] == "training.metrics"


def refusal(*overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        apply_overrides(tree(), overrides)
    return str(caught.value)


EXAMPLE = "write training.epochs=3 to set a value, ~training.callbacks to remove one"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", f"1:1  expected PATH=VALUE; {EXAMPLE}"),
        ("", f"1:1  expected PATH=VALUE; {EXAMPLE}"),
        ("=3", f"1:1  expected a path such as training.epochs, found nothing; {EXAMPLE}"),
        ("~", f"1:1  expected a path such as training.epochs, found nothing; {EXAMPLE}"),
        ("a..b=3", f"1:1  expected a path such as training.epochs, found a..b; {EXAMPLE}"),
        (".a=3", f"1:1  expected a path such as training.epochs, found .a; {EXAMPLE}"),
        ("~training.epochs=3", f"1:1  '~' removes and takes no value; {EXAMPLE}"),
        ("base=x.yaml", "1:1  what a file extends stands in the file alone; change single values here"),
        (
            "seed=",
            "1:1  seed: nothing stands after the '='; write null for no value, '\"\"' for empty text",
        ),
        (
            "seed=#3",
            "1:1  seed: nothing stands after the '='; write null for no value, '\"\"' for empty text",
        ),
        ("seed=[1", "1:6  seed: '[' is never closed"),
        ("seed=!!int 3", "1:6  seed: the tag !!int is refused; write the value without it"),
        (
            "runtime={threads: 1, threads: 2}",
            "1:22  runtime: this key is already in line 1; keep one of them",
        ),
        ("training.epoch=3", "1:1  training has no 'epoch'; did you mean training.epochs?"),
        ("epochs=3", "1:1  the specification has no 'epochs'; did you mean training.epochs?"),
        ("trianing.epochs=3", "1:1  the specification has no 'trianing'; did you mean training.epochs?"),
        ("data.threads=3", "1:1  data has no 'threads'; did you mean runtime.threads?"),
        (
            "quux=3",
            "1:1  the specification has no 'quux'; expected one of "
            "name, description, tags, seed, data, model, training, runtime",
        ),
        ("training.epochs.x=3", "1:1  training.epochs is 10 (a whole number); nothing lies below it"),
        (
            "model.layers.3=Flatten",
            "1:1  model.layers is a list of 3 items, model.layers.0 to model.layers.2; "
            "write model.layers=[...] to set all of it",
        ),
        (
            "model.layers.-1=Flatten",
            "1:1  model.layers is a list of 3 items, model.layers.0 to model.layers.2",
        ),
        (
            "model.layers.Dense.units=3",
            "1:1  model.layers is a list of 3 items, model.layers.0 to model.layers.2; "
            "did you mean model.layers.1.Dense.units?",
        ),
        (
            "model.layers.1.units=3",
            "1:1  model.layers.1 has no 'units'; did you mean model.layers.1.Dense.units?",
        ),
        (
            "model.layers.1.dense.units=3",
            "1:1  model.layers.1 has no 'dense'; did you mean model.layers.1.Dense.units?",
        ),
        (
            "training.optimizer.SGD.momentum=.9",
            "1:1  training.optimizer has no 'SGD': it is Adam; "
            "to change that write training.optimizer='{SGD: {...}}'",
        ),
        (
            "model.layers.1.Dense.activation.relu.x=1",
            "1:1  model.layers.1.Dense.activation has no 'relu': it is softmax; "
            "to change that write model.layers.1.Dense.activation='{relu: {...}}'",
        ),
        (
            "training.callbacks.0=TerminateOnNaN",
            "1:1  training.callbacks is an empty list; write training.callbacks=[...] to set all of it",
        ),
        ("~training.metrics", "1:1  training.metrics is not set; there is nothing to remove"),
        ("~training.epoch", "1:1  training has no 'epoch'; did you mean training.epochs?"),
        ("~runtime.threads", "1:1  runtime.threads is not set; there is nothing to remove"),
        ("x" + ".x" * 5000 + "=1", "1:1  a path of 5,001 steps; expected at most 64"),
    ],
)
def test_override_that_cannot_be_applied_is_explained(override: str, message: str) -> None:
    assert refusal(override) == f"command line:{message}"


def test_overrides_are_all_reported_at_once() -> None:
    assert len(refusal("x=1", "seed=3", "training.epochs", "~y").splitlines()) == 3
