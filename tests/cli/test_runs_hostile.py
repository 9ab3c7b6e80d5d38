"""Runs that a stranger made are listed, shown, compared and removed without a bug, a wait or a painted screen."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run
from store.hostile_files import ODD_TEXTS, ODD_VALUES, Case, names, other_things, put, texts
from typer.testing import CliRunner

from nnrun.cli.app import app

EVERY = 23
"""Of the cases that the store is tried with, every so manieth is tried here."""

SECONDS = 5.0
COMMANDS = (
    ("ls",),
    ("ls", "--json"),
    ("ls", "--csv"),
    ("ls", "--columns", "id,best.loss,training.monitor,model,note,differs,age,data", "--sort", "best.loss"),
    ("show", "bad"),
    ("show", "bad", "--json"),
    ("compare", "good", "bad"),
    ("compare", "good", "bad", "--json"),
    ("show", "best:loss"),
    ("tag", "bad", "x"),
    ("note", "bad", "x"),
    ("rm", "bad"),
    ("ls",),
    ("rm", "--empty-trash", "--yes"),
)
ROOM = b'{"a":'


def puts(name: str, value: Any) -> Callable[[Path], None]:
    """Put a value, or bytes as they are, into a file of the run."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda run: put(run / name, data)


def cases() -> Iterator[Case]:
    """What the commands read that the store's own cases do not have in it."""
    for index, text in enumerate(ODD_TEXTS):
        yield f"labels: odd text {index}", puts("labels.json", text)
        yield f"index: odd text {index}", puts("../.index.jsonl", text)
    for value in ODD_VALUES:
        said = str(value)[:20]
        part = {"monitor": value, "epochs": value, "learning_rate": value, "loss": value}
        config = {"name": value, "tags": value, "description": value, "training": part, "model": value}
        yield f"config: {said!r}", puts("config.yaml", config)
        yield f"config is {said!r}", puts("config.yaml", {"training": value, "model": {"layers": [value]}})
        row = {"loss": value, "epoch": value, "\x1b[2J\u202e": value}
        result = {"best": row, "test": row, "final": row, "model": row, "epochs": value, "monitor": value}
        yield f"result: {said!r}", puts("result.json", {**result, "seconds": value, "reason": value})
        yield f"rows: {said!r}", puts("metrics.jsonl", json.dumps(row).encode() + b"\n" + b'{"loss": 1}\n')
        facts = {"format": 1, "sequence": value, "started": value, "name": value, "command": value}
        data = {"name": "x", "fingerprint": "x", "train": value}
        yield f"facts: {said!r}", puts("run.json", {**facts, "data": data, "model": value, "training": value})
        yield f"labels: {said!r}", puts("labels.json", {"format": 1, "tags": [value], "note": value})
    for depth in (60, 300, 900):
        yield f"result {depth} deep", puts("result.json", ROOM * depth + b"1" + b"}" * depth)
        yield f"config {depth} deep", puts("config.yaml", ROOM * depth + b"1" + b"}" * depth)


STORES_OWN = [*texts(), *other_things(), *names()]
TRIED = [*itertools.islice(cases(), 0, None, 5), *itertools.islice(STORES_OWN, 0, None, EVERY)]


def test_enough_is_tried() -> None:
    assert len(TRIED) > 70


@pytest.mark.parametrize("case", TRIED, ids=lambda case: ascii(case[0]))
def test_run_of_a_stranger_is_told_of_or_refused(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside.txt").write_text("mine")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").write_text("mine")
    runs = tmp_path / "runs"
    for name in ("good", "bad"):
        make_run(runs).path.rename(runs / name)
    before = {path: path.read_bytes() for path in (runs / "good").rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    case[1](runs / "bad")

    for command in COMMANDS:
        started = time.monotonic()
        done = CliRunner().invoke(app, command)
        assert done.exit_code in (0, 2, 4, 5), (command, done.output)
        assert {one for one in done.output if not one.isprintable()} <= {"\n"}, command
        assert time.monotonic() - started < SECONDS, command

    assert {path: path.read_bytes() for path in (runs / "good").rglob("*") if path.is_file()} == before
    assert (tmp_path / "outside.txt").read_text() == (tmp_path / "outside" / "mine").read_text() == "mine"
