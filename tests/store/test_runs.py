"""The directory of runs: its numbers, what a crash leaves in it, and what cannot be read of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from nnrun.errors import ResourceError, RunError
from nnrun.store import durable
from nnrun.store.durable import FileSystem, make_folders
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, list_runs, probe_directory

NOW = datetime(2026, 11, 20, 19, 30, 12)


def make_run(runs: Path) -> Run:
    made = create_run(runs, "run", now=NOW)
    made.write_facts({})
    return made


@pytest.mark.parametrize("content", ["", "x", "-5", "9" * 30, "1.5", "\0\0", "²", "٣"])
def test_counter_that_cannot_be_read_goes_on_from_the_greatest_number(content: str, tmp_path: Path) -> None:
    numbers = [make_run(tmp_path).sequence for _ in range(3)]
    (tmp_path / ".sequence").write_text(content)

    assert numbers == [1, 2, 3]
    assert make_run(tmp_path).sequence == 4


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_counter_that_is_no_file_is_replaced(put: Callable[[Path], None], tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / ".sequence").unlink()
    put(tmp_path / ".sequence")

    assert make_run(tmp_path).sequence == 2
    assert (tmp_path / ".sequence").read_text() == "2\n"


def test_run_without_facts_is_no_run_yet(tmp_path: Path) -> None:
    claimed = create_run(tmp_path, "run", now=NOW)

    assert list_runs(tmp_path) == []
    with pytest.raises(RunError, match="no run 'latest'; there are none"):
        find_run("latest", tmp_path)
    assert make_run(tmp_path).id == f"{claimed.id}-2"


def test_runs_that_may_not_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)

    with pytest.raises(RunError, match=rf"cannot read {tmp_path}: Permission denied"):
        list_runs(tmp_path)


@pytest.mark.parametrize("below", ["", "inner"])
def test_runs_that_are_a_file_are_refused(below: str, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")

    for make in (lambda path: create_run(path, "run", now=NOW), probe_directory):
        with pytest.raises(ResourceError, match="cannot write"):
            make(tmp_path / "runs" / below)
    assert (tmp_path / "runs").read_text() == "mine"
    assert list_runs(tmp_path / "runs" / below) == []


def test_new_folders_are_made_safe_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, Path]] = []

    class Noting(FileSystem):
        def make_folder(self, folder: Path) -> None:
            done.append(("make", folder))
            super().make_folder(folder)

        def sync_folder(self, folder: Path) -> None:
            done.append(("sync", folder))

    monkeypatch.setattr(durable, "disk", Noting())
    make_folders(tmp_path / "a" / "b")
    make_folders(tmp_path / "a" / "b")

    assert done == [
        ("make", tmp_path / "a"),
        ("sync", tmp_path),
        ("make", tmp_path / "a" / "b"),
        ("sync", tmp_path / "a"),
    ]


@pytest.mark.parametrize("number", durable.NOT_FOR_FOLDERS)
def test_file_system_that_syncs_no_folders_is_written_to(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)

    assert make_run(tmp_path).facts()["sequence"] == 1


@pytest.mark.parametrize("name", ["evaluation", "evaluation/test", "code"])
def test_folder_in_a_run_that_is_a_link_is_not_written_through(name: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    (tmp_path / "outside").mkdir()
    (run.path / name).parent.mkdir(exist_ok=True)
    (run.path / name).symlink_to(tmp_path / "outside")

    with pytest.raises(RunError, match="is a symbolic link; nnrun writes only inside the run itself"):
        run.write_evaluation("test", "scores.json", {}) if name != "code" else run.write_code("x.py", "")

    assert list((tmp_path / "outside").iterdir()) == []


def test_result_that_is_a_link_makes_no_finished_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs")
    (run.path / "result.json").symlink_to(run.path / "run.json")

    assert run.status() == "interrupted"
    with pytest.raises(RunError, match=r"result\.json is a symbolic link"):
        run.result()


def test_rows_after_zeros_were_never_safe_and_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for epoch in (1, 2):
        run.append_row({"epoch": epoch})
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b"\0" * 13 + b'{"epoch": 4}\n')

    assert run.rows() == [{"epoch": 1}, {"epoch": 2}]
    with run.lock():
        run.append_row({"epoch": 3})
    assert run.rows() == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]


def test_rows_of_a_checkpoint_that_are_missing_are_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.append_row({"epoch": 1})

    with pytest.raises(
        RunError, match=r"metrics\.jsonl has 1 epochs, its checkpoint is 3 epochs old; put the file"
    ):
        run.cut_rows(3)
    assert run.rows() == [{"epoch": 1}]


def test_resume_after_a_torn_record_has_a_line_of_its_own(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.append_resume({"epoch": 1})
    with (run.path / "resumes.jsonl").open("a") as file:
        file.write('{"epoch": 2, "ti')

    with run.lock():
        run.append_resume({"epoch": 3})

    assert run.resumes() == [{"epoch": 1}, {"epoch": 3}]


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_configuration_that_is_no_ordinary_file_is_refused(
    put: Callable[[Path], None], tmp_path: Path
) -> None:
    run = make_run(tmp_path)
    put(run.path / "config.yaml")

    with pytest.raises(RunError, match=r"config\.yaml is no ordinary file"):
        _ = run.config_path


@pytest.mark.parametrize(
    "facts",
    [{"data": []}, {"data": {"name": "x"}}, {"code": {"file": 5}}, {"versions": "x"}, {"devices": None}],
    ids=str,
)
def test_facts_of_other_kinds_are_refused(facts: dict[str, object], tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.write_facts(facts)

    with pytest.raises(
        RunError, match=rf"run\.json is damaged: its {next(iter(facts))} is not what nnrun wrote"
    ):
        run.facts()
