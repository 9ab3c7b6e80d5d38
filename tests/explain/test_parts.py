"""What ``nnrun explain NAME`` knows: of every name, a line that is itself valid."""

from __future__ import annotations

import pytest

from nnrun.errors import Source, SpecError
from nnrun.explain.parts import PartInWords, explain_name
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.check import check_choice
from nnrun.spec.choices import read_choice
from nnrun.spec.compose import compose

NAMES = [(kind, name) for kind in catalog.KINDS for name in catalog.names(kind)]


def problems_of_line(part: PartInWords) -> list[str]:
    """What the checks say of the line to copy."""
    tree, problems = compose(Source("line", part.line))
    assert tree is not None and not problems
    kind: Kind = part.kind
    if isinstance(tree.value, list):
        (node,) = tree.value
        kind = "callback" if kind == "callback" else "layer"
    else:
        assert isinstance(tree.value, dict)
        (node,) = tree.value.values()
        if isinstance(node.value, list):
            (node,) = node.value
    choice = read_choice(node, ())
    assert choice is not None
    return [str(problem) for problem in check_choice(kind, choice)]


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_line_to_copy_is_valid_for_every_name(kind: Kind) -> None:
    lines = [explain_name(name, kind)[0] for one, name in NAMES if one == kind]

    assert {part.line: found for part in lines if (found := problems_of_line(part))} == {}
    assert all(part.name in part.line and part.meaning and part.stands for part in lines)


def test_every_name_is_explained_without_marks_of_documentation() -> None:
    texts = [
        text
        for kind, name in NAMES
        for part in explain_name(name, kind)
        for text in (part.meaning, *(argument.meaning for argument in part.arguments))
    ]

    assert len(texts) > 3000
    assert [text for text in texts if "`" in text or "](" in text] == []


def test_name_of_several_kinds_is_explained_as_each() -> None:
    assert [part.kind for part in explain_name("mse")] == ["loss", "metric"]
    assert [part.kind for part in explain_name("mse", "metric")] == ["metric"]


def test_arguments_have_kind_default_and_meaning() -> None:
    (dense,) = explain_name("Dense")
    units, activation, use_bias, kernel = dense.arguments[:4]

    assert (units.name, units.takes, units.default) == ("units", "a whole number", "required")
    assert (activation.name, activation.takes, activation.default) == ("activation", "activation", "null")
    assert (use_bias.takes, use_bias.default) == ("true or false", "true")
    assert (kernel.takes, kernel.default) == ("initializer", "glorot_uniform")
    assert "dimensionality" in units.meaning


def test_meaning_that_is_only_a_type_gives_way_to_what_tells_more() -> None:
    (adam,) = explain_name("Adam")
    decay = next(argument for argument in adam.arguments if argument.name == "weight_decay")

    assert decay.meaning == "If set, weight decay is applied."


def test_aliases_are_named() -> None:
    assert set(explain_name("mse", "loss")[0].aliases) == {"mean_squared_error", "MSE"}


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("relu", "max(x, 0)"),
        ("sigmoid", "1 / (1 + exp(-x))"),
        ("Dense", "activation(input x kernel + bias)"),
        ("mean_squared_error", "mean(square(y_true - y_pred)"),
        ("binary_crossentropy", "log(1 - y_pred)"),
        ("Adam", "beta_1 x m"),
        ("he_normal", None),
        ("HeNormal", "sqrt(2 / inputs)"),
        ("step", "1 if x >= 0 else 0"),
    ],
)
def test_formula_is_told(name: str, formula: str | None) -> None:
    found = explain_name(name)[0].formula

    assert found is not None
    assert formula is None or formula in found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Dens", "did you mean 'Dense'?"),
        ("ThresholdedReLU", "ReLU: {threshold: 1.0}"),
        ("Lambda", "needs a Python function"),
    ],
)
def test_name_that_does_not_do_says_what_to_use(name: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        explain_name(name)

    assert words in str(caught.value)
