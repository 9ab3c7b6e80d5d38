"""Pages of runs for tests: evaluated runs without a training, and a page as a tree that can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_run
from numpy.typing import NDArray

from nnrun.evaluation import Evaluation, write_evaluation
from nnrun.report.evaluation import Judged, Known, judge
from nnrun.report.html_examples import choose_examples, describe_answers, describe_inputs
from nnrun.spec.datasets import DatasetFacts
from nnrun.store.durable import disk
from nnrun.store.run import Run

VOID = {"meta", "input", "img", "br", "wbr"}


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """All elements in it, itself first, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    def all(self, tag: str, class_: str | None = None) -> list[Element]:
        return [one for one in self if one.tag == tag and (class_ is None or class_ in one.classes)]

    def rows(self) -> list[list[str]]:
        """The texts of a table's cells."""
        return [[cell.text for cell in row if cell.tag in ("th", "td")] for row in self.all("tr")]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs))
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> inside <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read_page(text: str) -> Element:
    """A page as a tree; every element must be closed where it was opened."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert len(builder.open) == 1
    return builder.root


def classifier(count: int = 60, names: tuple[str, ...] = ("cat", "dog", "owl"), seed: int = 0) -> Judged:
    """A classifier that is right about three times of four."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, len(names), count)
    chances = random.random((count, len(names))) + 0.7 * np.eye(len(names))[targets]
    judged = judge(chances / chances.sum(axis=1, keepdims=True), Known(targets, names))
    assert judged is not None
    return judged


def regressor(count: int = 50, seed: int = 0) -> Judged:
    """A model that is about 5 off."""
    random = np.random.default_rng(seed)
    targets = random.normal(100, 20, count)
    judged = judge(targets[:, None] + random.normal(0, 5, (count, 1)), Known(targets, names=["price"]))
    assert judged is not None
    return judged


def samples_of(
    judged: Judged,
    x: NDArray[Any] | dict[str, NDArray[Any]],
    divisor: float | None = None,
    preprocessing: Any = None,
) -> dict[str, Any]:
    """What an evaluation keeps of examples."""
    spread, worst = choose_examples(judged, 12)
    rows = [*spread, *worst]
    facts = DatasetFacts("made", (), "float32", None, len(judged.output), 0, divisor)
    chosen = {name: one[rows] for name, one in x.items()} if isinstance(x, dict) else x[rows]
    inputs = describe_inputs(chosen, facts, preprocessing)
    found = [
        one | {"inputs": shown} for one, shown in zip(describe_answers(judged, rows), inputs, strict=True)
    ]
    names = judged.known.class_names
    return {
        "classes": None if names is None else list(names),
        "spread": found[: len(spread)],
        "worst": found[len(spread) :],
    }


def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait until the disk has what was written: these tests cut no power."""
    monkeypatch.setattr(disk, "sync", lambda file: file.flush())
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)


def make_evaluated_run(
    runs: Path, outputs: dict[str, Judged], samples: dict[str, dict[str, Any]] | None = None, **settings: Any
) -> Run:
    """A run whose test part was judged."""
    run = make_run(runs, test={"loss": 0.25}, **settings)
    facts = {"part": "test", "examples": 60, "scores": {"loss": 0.25}}
    write_evaluation(run, "test", Evaluation(facts, outputs, samples or {}))
    return run


LAYERS = [
    {"name": "input", "type": "InputLayer", "output_shape": "(batch, 8)", "parameters": 0, "inputs": []},
    {"name": "dense", "type": "Dense", "output_shape": "(batch, 8)", "parameters": 72, "inputs": ["input"]},
    {
        "name": "add",
        "type": "Add",
        "output_shape": "(batch, 8)",
        "parameters": 0,
        "inputs": ["input", "dense"],
    },
    {"name": "out", "type": "Dense", "output_shape": "(batch, 3)", "parameters": 27, "inputs": ["add"]},
]
"""A layer, and one that goes around it."""


def write_layers(run: Run, layers: list[dict[str, Any]]) -> None:
    facts = run.facts()
    run.write_facts(facts | {"model": facts["model"] | {"table": layers}})
