"""Tags and notes of a run: written whole, read with care."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import make_run

from nnrun.errors import ResourceError, RunError
from nnrun.store import durable
from nnrun.store.durable import FileSystem
from nnrun.store.labels import Labels


def test_labels_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    labels = Labels(["a b", "<b>", "\x1b[31m", "עברית"], "two\nlines \u202e")

    labels.write(run)

    assert Labels.read(run) == labels
    assert json.loads((run.path / "labels.json").read_text())["format"] == 1


def test_run_without_labels_has_empty_ones(tmp_path: Path) -> None:
    assert Labels.read(make_run(tmp_path)) == Labels([], "")


def test_labels_of_a_run_in_use_are_written_all_the_same(tmp_path: Path) -> None:
    run = make_run(tmp_path, finished=False)

    with run.lock():
        Labels(["x"]).write(run)

    assert Labels.read(run).tags == ["x"]


def test_labels_are_the_old_or_the_new_ones_when_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path)
    Labels(["old"]).write(run)

    class Failing(FileSystem):
        def sync(self, file: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "disk", Failing())
    with pytest.raises(ResourceError, match="No space left"):
        Labels(["new"]).write(run)

    assert Labels.read(run).tags == ["old"]
    assert not list(run.path.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x", "is damaged"),
        (b"[]", "is damaged: it holds no map"),
        (b'{"format": 2, "tags": [], "note": ""}', "is of format 2, this nnrun reads 1"),
        (b'{"format": 1, "tags": "x", "note": ""}', "expected a list of tags and a note"),
        (b'{"format": 1, "tags": [1], "note": ""}', "expected a list of tags and a note"),
        (b'{"format": 1, "tags": [], "note": 5}', "expected a list of tags and a note"),
    ],
)
def test_labels_that_nnrun_did_not_write_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.path / "labels.json").write_bytes(content)

    with pytest.raises(RunError, match=said):
        Labels.read(run)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (Labels([""]), "expected a tag of 1 to 100 characters, found 0"),
        (Labels([" "]), "expected a tag of 1 to 100 characters, found 0"),
        (Labels(["x" * 101]), "found 101"),
        (Labels([str(number) for number in range(101)]), "expected at most 100 tags, found 101"),
        (Labels([], "x" * 10_001), "expected a note of at most 10,000 characters, found 10,001"),
    ],
)
def test_labels_without_bounds_are_refused(labels: Labels, said: str, tmp_path: Path) -> None:
    run = make_run(tmp_path)

    with pytest.raises(RunError, match=said):
        labels.write(run)

    assert not (run.path / "labels.json").exists()


def test_labels_are_never_written_through_links(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    outside = tmp_path / "outside.json"
    outside.write_text("mine")
    (run.path / "labels.json").symlink_to(outside)

    with pytest.raises(RunError, match="is a symbolic link"):
        Labels.read(run)
    Labels(["x"]).write(run)

    assert outside.read_text() == "mine"
    (tmp_path / "link").symlink_to(run.path)
    with pytest.raises(RunError, match="writes only inside the run itself"):
        Labels(["y"]).write(type(run)(tmp_path / "link"))
    assert Labels.read(run).tags == ["x"]
