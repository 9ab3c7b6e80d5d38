"""A file is either the old one or the new one, whatever fails on the way."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import ResourceError
from nnrun.store import durable

OPERATIONS = ("open_new", "write", "sync", "replace", "sync_folder")


class Failing(durable.FileSystem):
    """Fails at one operation; writes down all of them.

    Args:
        operation: Which.
        number: The error.
    """

    def __init__(self, operation: str = "", number: int = errno.EIO) -> None:
        self.calls: list[str] = []
        for name in OPERATIONS:
            setattr(self, name, self._watched(name, operation, number))

    def _watched(self, name: str, failing: str, number: int) -> Callable[..., Any]:
        real = getattr(durable.FileSystem, name)

        def watched(*arguments: Any) -> Any:
            self.calls.append(name)
            if name == failing:
                raise OSError(number, "made to fail")
            return real(self, *arguments)

        return watched


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_failure_at_any_step_leaves_one_whole_file(
    operation: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")
    monkeypatch.setattr(durable, "disk", Failing(operation, number))

    with pytest.raises(ResourceError, match=r"cannot write .*file\.json: made to fail"):
        durable.write_text(path, "new")

    assert path.read_text() == ("new" if operation == "sync_folder" else "old")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_write_syncs_the_file_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Failing()
    monkeypatch.setattr(durable, "disk", disk)

    durable.write_text(tmp_path / "file", "content")

    assert disk.calls == ["open_new", "write", "sync", "replace", "sync_folder"]


def test_file_that_fails_its_check_never_takes_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def refuse(written: Path) -> None:
        assert written.read_text() == "new"
        raise ValueError("not as it should be")

    with pytest.raises(ValueError, match="not as it should be"):
        durable.write_file(path, lambda file: durable.disk.write(file, b"new"), check=refuse)

    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_full_disk_names_the_free_space_and_permission_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "disk", Failing("write", errno.ENOSPC))
    with pytest.raises(ResourceError, match=r"\d+ MB are free there\. Make room, or use --runs-dir"):
        durable.write_text(tmp_path / "file", "content")

    monkeypatch.setattr(durable, "disk", Failing("open_new", errno.EACCES))
    with pytest.raises(ResourceError, match="choose a folder that you may write to with --runs-dir"):
        durable.write_text(tmp_path / "file", "content")


def test_json_keeps_what_is_not_finite_as_text(tmp_path: Path) -> None:
    durable.write_json(tmp_path / "x.json", {"a": [math.nan, 1.5], "b": math.inf, "ü": -math.inf})

    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == {
        "a": ["nan", 1.5],
        "b": "inf",
        "ü": "-inf",
    }


def test_lines_are_appended(tmp_path: Path) -> None:
    durable.append_line(tmp_path / "log", "one")
    durable.append_line(tmp_path / "log", "zwei ✓")

    assert (tmp_path / "log").read_text("utf-8") == "one\nzwei ✓\n"


def test_symbolic_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "outside")

    with pytest.raises(ResourceError, match="it is a symbolic link"):
        durable.append_line(tmp_path / "log", "line")

    assert (tmp_path / "outside").read_text() == "mine"
