"""Removing runs: into the trash and out of it, never one in use, never behind a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import make_run

from nnrun.errors import ResourceError, RunError, RunInUseError
from nnrun.store.listing import list_records
from nnrun.store.run import Run
from nnrun.store.runs import find_run, list_runs
from nnrun.store.trash import delete, files_in, in_trash, move_to_trash, refuse_to_remove, trash_of


def contents(path: Path) -> dict[str, bytes]:
    return {
        file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_run_in_the_trash_is_whole_and_can_be_moved_back(tmp_path: Path) -> None:
    run, kept = make_run(tmp_path), make_run(tmp_path)
    before = contents(run.path)

    moved = move_to_trash(run)

    assert moved == tmp_path / ".trash" / run.id
    assert contents(moved) == before
    assert list_runs(tmp_path) == [record.run for record in list_records(tmp_path)] == [kept]
    moved.rename(run.path)
    assert find_run(run.id, tmp_path).result() == run.result()


def test_names_in_the_trash_do_not_collide(tmp_path: Path) -> None:
    moved = [move_to_trash(make_run(tmp_path)) for _ in range(3)]

    assert [path.name for path in moved] == [f"xor-20261120-193012{end}" for end in ("", "-2", "-3")]
    assert all((path / "result.json").is_file() for path in moved)


def test_name_that_is_taken_just_before_the_move_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = move_to_trash(make_run(tmp_path))
    before = contents(first)
    monkeypatch.setattr(os.path, "lexists", lambda path: False)

    second = move_to_trash(make_run(tmp_path))

    assert second.name == f"{first.name}-2"
    assert contents(first) == before


HOLDER = """
import sys, pathlib
from nnrun.store.run import Run
with Run(pathlib.Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_run_in_use_by_another_process_is_never_moved(tmp_path: Path) -> None:
    run = make_run(tmp_path, finished=False)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(RunInUseError, match=f"{run.id}: another process is writing there"):
            refuse_to_remove([run])
        with pytest.raises(RunInUseError, match=f"{run.id} is in use by process {holder.pid}"):
            move_to_trash(run)
        assert run.path.is_dir()
    finally:
        holder.communicate()
    assert move_to_trash(run).is_dir()


def test_run_whose_lock_is_no_file_can_be_removed(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.path / "lock").unlink()
    os.mkfifo(run.path / "lock")

    refuse_to_remove([run])

    assert move_to_trash(run).is_dir()


def test_run_that_is_a_link_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "outside")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(run.path)

    with pytest.raises(RunError, match="link is a symbolic link; remove the link itself"):
        refuse_to_remove([Run(tmp_path / "runs" / "link")])


def test_run_in_the_trash_is_refused(tmp_path: Path) -> None:
    moved = move_to_trash(make_run(tmp_path))

    with pytest.raises(RunError, match="is in the trash already; nnrun rm --empty-trash"):
        refuse_to_remove([Run(moved)])


def test_trash_that_is_a_link_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").write_text("mine")
    (tmp_path / "runs" / ".trash").symlink_to(tmp_path / "outside")

    for use in (
        lambda: move_to_trash(run),
        lambda: in_trash(tmp_path / "runs"),
        lambda: trash_of(run.path.parent),
    ):
        with pytest.raises(RunError, match=r"\.trash is a symbolic link; nnrun removes nothing behind it"):
            use()
    assert run.path.is_dir()
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["mine"]


def test_deleting_removes_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    run = make_run(tmp_path / "runs")
    (run.path / "folder").symlink_to(outside)
    (run.path / "file").symlink_to(outside / "mine")
    moved = move_to_trash(run)
    (moved.parent / "link").symlink_to(outside)
    (moved.parent / "file").write_text("x")

    delete(in_trash(tmp_path / "runs"))

    assert in_trash(tmp_path / "runs") == []
    assert (outside / "mine").read_text() == "mine"


def test_what_cannot_be_deleted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = move_to_trash(make_run(tmp_path))

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)

    with pytest.raises(ResourceError, match=f"{moved}: Permission denied"):
        delete([moved])


def test_run_is_moved_within_the_folder_that_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "elsewhere")
    monkeypatch.chdir(run.path)

    moved = move_to_trash(Run(Path()))

    assert moved == tmp_path / "elsewhere" / ".trash" / run.id


def test_files_are_counted_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"123")
    (tmp_path / "loop").symlink_to(tmp_path)

    found = dict(files_in(tmp_path))

    assert found[tmp_path / "in" / "a"] == 3
    assert set(found) == {tmp_path / "in" / "a", tmp_path / "loop"}
    assert list(files_in(tmp_path / "nowhere")) == []
