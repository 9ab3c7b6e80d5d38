"""Thousands of single-letter typos in names that nnrun knows: the message suggests the right one."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from text_mutations import typos

from nnrun.errors import SpecError
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.datasets import dataset_names
from nnrun.spec.load import load_spec
from nnrun.spec.positions import key_paths

FEWEST_TYPOS = 4_000
LEAST_SHARE = 0.9
LEAST_SHARE_OF_A_KIND = 0.6
"""Of regularizers, half of which are ``l1`` and ``l2``: one slip leaves nothing that could be told."""

DATA = "data: {source: digits}\n"
MODEL = "model: {layers: [Flatten, {Dense: {units: 10, activation: softmax}}]}\n"
TRAINING = "training: {loss: sparse_categorical_crossentropy}\n"
LINES: dict[str, str] = {
    "layer": DATA + TRAINING + "model:\n  layers:\n",
    "callback": DATA + MODEL + "training:\n  loss: sparse_categorical_crossentropy\n  callbacks:\n",
    "metric": DATA + MODEL + "training:\n  loss: sparse_categorical_crossentropy\n  metrics:\n",
    "loss": DATA + MODEL + "training:\n  loss:\n",
}
"""What stands before a list of wrong names."""

INSIDE_LAYERS: dict[Kind, str] = {
    "activation": "Activation: {activation: TYPO}",
    "initializer": "Dense: {units: 1, kernel_initializer: TYPO}",
    "regularizer": "Dense: {units: 1, kernel_regularizer: TYPO}",
    "constraint": "Dense: {units: 1, kernel_constraint: TYPO}",
}
ALONE: dict[Kind, str] = {
    "optimizer": DATA + MODEL + "training: {loss: mse, optimizer: TYPO}\n",
    "schedule": DATA + MODEL + "training: {loss: mse, learning_rate: {TYPO: {}}}\n",
}
"""What can stand in a specification once."""


def slips(chance: random.Random, name: str, known: list[str]) -> list[str]:
    """Typos of a name that are not names themselves."""
    return [typo for typo in dict.fromkeys(typos(chance, name)) if typo and typo not in known]


def quoted(typo: str) -> str:
    return json.dumps(typo)


def in_lines(kind: str, typed: list[tuple[str, str]], path: Path) -> Iterator[tuple[str, str, str]]:
    """The right word, the line with the typo and the messages on that line, for typos on a line each.

    Args:
        kind: Where the lines stand.
        typed: The right words, each with its line.
        path: Of the file to write.
    """
    start = LINES[kind]
    path.write_text(start + "\n".join(line for _, line in typed), "utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    messages: dict[int, str] = {}
    for problem in caught.value.problems:
        if problem.place:
            messages[problem.place.line] = f"{messages.get(problem.place.line, '')} {problem.message}"
    for number, (name, line) in enumerate(typed, start.count("\n") + 1):
        yield name, line, messages.get(number, "")


def alone(name: str, text: str, path: Path) -> tuple[str, str, str]:
    """The same for a typo in a file of its own."""
    path.write_text(text, "utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return name, text, " ".join(problem.message for problem in caught.value.problems)


def names_misspelt(chance: random.Random, path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Typos in the names of all kinds."""
    for kind in catalog.KINDS:
        known = catalog.names(kind)
        typed = [(name, quoted(typo)) for name in known for typo in slips(chance, name, known)]
        if kind in ALONE:
            for name, typo in typed:
                yield kind, *alone(name, ALONE[kind].replace("TYPO", typo), path)
            continue
        place = "layer" if kind in INSIDE_LAYERS else kind
        form = INSIDE_LAYERS.get(kind, "TYPO")
        lines = [(name, f"    - {form.replace('TYPO', typo)}") for name, typo in typed]
        if kind == "loss":  # one for each output
            lines = [(name, f"    output{index}: {typo}") for index, (name, typo) in enumerate(typed)]
        yield from ((kind, *found) for found in in_lines(place, lines, path))


def arguments_misspelt(chance: random.Random, path: Path) -> Iterator[tuple[str, str, str, str]]:
    """A typo in each argument of each layer, metric, callback and optimizer."""
    kinds: tuple[Kind, ...] = ("layer", "metric", "callback", "optimizer")
    for kind in kinds:
        typed = []
        for name in catalog.names(kind):
            part = catalog.find(kind, name)
            known = [argument.name for argument in part.arguments] if part and not part.is_function else []
            for argument in known:
                typo = chance.choice(slips(chance, argument, known) or ["?"])
                typed.append((argument, f"{name}: {{{quoted(typo)}: 1}}"))
        if kind == "optimizer":
            for argument, choice in typed:
                yield "argument", *alone(argument, ALONE[kind].replace("TYPO", f"{{{choice}}}"), path)
        else:
            lines = [(argument, f"    - {choice}") for argument, choice in typed]
            yield from (("argument", *found) for found in in_lines(kind, lines, path))


def keys_misspelt(chance: random.Random, path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Typos in the keys of all sections, and in the names of data sets."""
    paths = list(key_paths())
    for key_path in paths:
        *above, key = map(str, key_path)
        siblings = [str(other[-1]) for other in paths if other[:-1] == key_path[:-1]]
        for typo in slips(chance, key, siblings):
            text = "".join(f"{step}: {{" for step in above) + f"{quoted(typo)}: 1" + "}" * len(above)
            yield "key", *alone(key, text, path)
    for name in dataset_names():
        for typo in slips(chance, name, dataset_names()):
            yield "data", *alone(name, f"data: {{source: {quoted(typo)}}}\n" + MODEL + TRAINING, path)


def test_typos_are_answered_with_the_right_name(tmp_path: Path) -> None:
    chance, path = random.Random(0), tmp_path / "typo.yaml"
    tried, right, missed = Counter[str](), Counter[str](), []
    for make in (names_misspelt, arguments_misspelt, keys_misspelt):
        for kind, name, text, messages in make(chance, path):
            tried[kind] += 1
            right[kind] += f"'{name}'" in messages
            if f"'{name}'" not in messages:
                missed.append(f"{name}: {text.strip().splitlines()[-1]} -> {messages}")
    share = right.total() / tried.total()
    shares = {kind: round(right[kind] / tried[kind], 3) for kind in tried}
    told = f"{right.total():,} of {tried.total():,} typos, {share:.1%}: {shares}"
    print(f"\n{told}")

    assert tried.total() >= FEWEST_TYPOS, told
    assert share >= LEAST_SHARE, "\n".join([told, *missed[:20]])
    assert min(shares.values()) >= LEAST_SHARE_OF_A_KIND, "\n".join([told, *missed[:20]])
