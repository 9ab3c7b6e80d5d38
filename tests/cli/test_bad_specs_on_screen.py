"""Every bad specification as a user meets it: exit 2, its place, its line, no traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app

BAD = Path(__file__).parents[1] / "specs" / "bad"
FILES = sorted(BAD.rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_specification_is_refused_with_its_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    expected = [
        line.removeprefix("# expect: ")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("# expect: ")
    ]

    done = CliRunner().invoke(app, ["train", path.name])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if not re.match(r" +>? *\d* *[│]", line)][:-1] == expected
    assert re.fullmatch(rf"\d+ problems? in {re.escape(path.name)}\. Nothing was trained\.", lines[-1])


def test_bad_specifications_cover_at_least_60_files() -> None:
    assert len(FILES) >= 60
