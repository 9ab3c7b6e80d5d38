"""Specifications with mistakes, made from good ones by random edits of the text, of the tree and by overrides.

Every edit is drawn from one ``random.Random(0)``, so the same mutants come in the same order every time, and a
longer series begins with the shorter one.
"""

from __future__ import annotations

import copy
import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from text_mutations import CHARACTERS, NUMBERS, PIECES, TEXT_EDITS, Edit, misspell

from nnrun.errors import Source
from nnrun.spec.node import plain
from nnrun.spec.positions import key_paths
from nnrun.spec.source import parse_yaml

HERE = Path(__file__).parent
GRAMMAR = HERE / "specs" / "grammar"
"""Good specifications that together use every piece of the grammar, and the files that they name."""

ORIGINALS = sorted(
    [*HERE.parent.glob("configs/**/*.yaml"), *HERE.glob("specs/good/*.yaml"), *GRAMMAR.glob("*.yaml")]
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2 ** 31, 2 ** 63, 10 ** 30, 0.0, 0.5, -1.5, 0.001, 1e+308, float('inf'),
    float('nan'), "", " ", "0", "relu", "Dense", "input", "no", "$units", "#0", "#x", "auto", 'x' * 300, "a\nb",
    "\xfc", [], {}, [None], [[]], {'': None}, {'a': 1}, {'units': 3}, {'Dense': {'units': 3}}, {'Dense': None},
    {'a': 1, 'b': 2}, ['Dense'], [1, 2], [1, 'a'], [0, 0], [-1], [28, 28, 1], {'Dense': [1]}, {'$x': '$y'},
    [['relu']], {'0': 1.0, '1': True}, {'relu': {}},
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A specification that was good.

    Args:
        kind: Of the edit.
        origin: The file that it was made from.
        data: What stands in the file now.
        overrides: Of the command line.
    """

    kind: str
    origin: Path
    data: bytes
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"--- {self.kind} of {self.origin.name}, overrides {self.overrides!r}\n{self.data!r}"


def mutants(count: int) -> Iterator[Mutant]:
    """The first so many mutants: every kind of edit in turn, on originals at random."""
    chance = random.Random(0)
    originals = [(path, path.read_text("utf-8")) for path in ORIGINALS]
    for kind, edit in itertools.islice(itertools.cycle(EDITS.items()), count):
        path, text = chance.choice(originals)
        if kind == "overrides":
            overrides = tuple(make_override(chance, text) for _ in range(chance.choice((1, 1, 2, 3))))
            yield Mutant(kind, path, text.encode(), overrides)
            continue
        edited = edit(chance, text)
        data = edited if isinstance(edited, bytes) else edited.encode("utf-8", "surrogatepass")
        yield Mutant(kind, path, data)


Place = tuple[str | int, ...]


@functools.cache
def _tree(text: str) -> Any:
    return plain(parse_yaml(Source("original", text)))


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The ways to all values of a tree but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield (*place, step)
        yield from _places(item, (*place, step))


def _holder(tree: Any, place: Place) -> Any:
    for step in place[:-1]:
        tree = tree[step]
    return tree


def _write(chance: random.Random, tree: Any) -> str:
    style = chance.choice((None, None, False, True))
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=style, width=1_000)


def edit_types(chance: random.Random, text: str) -> str:
    """A value of another type anywhere."""
    tree = copy.deepcopy(_tree(text))
    place = chance.choice(list(_places(tree)))
    _holder(tree, place)[place[-1]] = copy.deepcopy(chance.choice(VALUES))
    return _write(chance, tree)


def edit_keys(chance: random.Random, text: str) -> str:
    """A key or an item dropped, renamed, doubled under another name, or a new one."""
    tree = copy.deepcopy(_tree(text))
    place = chance.choice(list(_places(tree)))
    holder, step = _holder(tree, place), place[-1]
    if isinstance(holder, list):
        chance.choice((holder.reverse, lambda: holder.pop(step), lambda: holder.append(holder[step])))()
        return _write(chance, tree)
    known = str(chance.choice(list(key_paths()))[-1])
    new = chance.choice((misspell(chance, step), known, step.upper(), "", "x", "$x", "1"))
    match chance.randrange(4):
        case 0:
            del holder[step]
        case 1:
            holder[new] = holder.pop(step)
        case 2:
            holder[new] = copy.deepcopy(holder[step])
        case 3:
            holder[new] = copy.deepcopy(chance.choice(VALUES))
    return _write(chance, tree)


def edit_structure(chance: random.Random, text: str) -> str:
    """Values swapped, moved, wrapped or unwrapped; layers above all."""
    tree = copy.deepcopy(_tree(text))
    places = list(_places(tree))
    layers = [place for place in places if len(place) > 1 and place[-2] == "layers"]
    here, there = (chance.choice(layers if layers and chance.random() < 0.5 else places) for _ in range(2))
    holder, step = _holder(tree, here), here[-1]
    value = copy.deepcopy(holder[step])
    match chance.randrange(5):
        case 0 | 1:
            other = copy.deepcopy(_holder(tree, there)[there[-1]])
            _holder(tree, there)[there[-1]] = value
            if there != here[: len(there)]:  # else it holds what was to be replaced
                holder[step] = other
        case 2:
            holder[step] = [value]
        case 3:
            holder[step] = {chance.choice(("layers", "Dense", "defaults", "layer", "name")): value}
        case 4:
            inner = list(value.values()) if isinstance(value, dict) else value
            holder[step] = inner[0] if inner and isinstance(inner, list) else None
    return _write(chance, tree)


def edit_splice(chance: random.Random, text: str) -> str:
    """A section or a key of another original in the place of this one's."""
    tree = copy.deepcopy(_tree(text))
    other = copy.deepcopy(_tree(chance.choice(ORIGINALS).read_text("utf-8")))
    for _ in range(chance.choice((1, 1, 2, 3))):
        section = chance.choice(list(other))
        theirs, own = other[section], tree.get(section)
        if isinstance(theirs, dict) and isinstance(own, dict) and theirs and chance.random() < 0.6:
            key = chance.choice(list(theirs))
            own[key] = copy.deepcopy(theirs[key])
        else:
            tree[section] = copy.deepcopy(theirs)
    return _write(chance, tree)


def edit_several(chance: random.Random, text: str) -> str:
    """Several edits of the text, one after the other."""
    for _ in range(chance.choice((2, 3, 4))):
        edited = chance.choice(list(TEXT_EDITS.values()))(chance, text)
        text = edited if isinstance(edited, str) else edited.decode("utf-8", "replace")
        if len(text) < 100:  # little is left to edit
            break
    return text


def keep(chance: random.Random, text: str) -> str:
    """The text as it is: what is wrong stands on the command line."""
    return text


EDITS: dict[str, Edit] = {
    **TEXT_EDITS,
    "types": edit_types,
    "keys": edit_keys,
    "structure": edit_structure,
    "splice": edit_splice,
    "several": edit_several,
    "overrides": keep,
}
"""By kind; the same number of mutants is made by each."""


def make_override(chance: random.Random, text: str) -> str:
    """A change on the command line: a path that is there, or nearly, and any value."""
    place = [str(step) for step in chance.choice([*_places(_tree(text)), *key_paths()])]
    if chance.random() < 0.3:
        at = chance.randrange(len(place))
        odd = ("", "0", "-1", "99", "x", "9" * 12, "$x", chance.choice(CHARACTERS))
        place[at] = chance.choice((misspell(chance, place[at]), *odd))
    if chance.random() < 0.15:
        place.append(chance.choice(("name", "0", "units", "Dense", "x")))
    odd_values = [chance.choice(texts) for texts in (NUMBERS, CHARACTERS, PIECES)]
    value = chance.choice([*odd_values, *[_flow(chance)] * 5])
    forms = ("{path}={value}",) * 8 + ("~{path}",) * 2
    form = chance.choice((*forms, "~{path}={value}", "{path}", "={value}", "{path}=", "{path}=={value}"))
    return form.format(path=".".join(place), value=value)


def _flow(chance: random.Random) -> str:
    value = chance.choice(VALUES)
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return written.removesuffix("\n").removesuffix("\n...")
