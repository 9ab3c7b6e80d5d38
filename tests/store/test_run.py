"""Run directories: claimed once, read with care, found by what users call them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from nnrun.errors import ResourceError, RunError
from nnrun.store import reading, runs
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, list_runs, probe_directory, runs_directory, slug

NOW = datetime(2026, 11, 20, 19, 30, 12)


def make_run(runs: Path, name: str = "mnist", now: datetime = NOW) -> Run:
    run = create_run(runs, name, now=now)
    run.write_facts({"name": name})
    return run


def test_runs_of_the_same_second_are_numbered(tmp_path: Path) -> None:
    names = [create_run(tmp_path, "mnist", now=NOW).id for _ in range(3)]

    assert names == ["mnist-20261120-193012", "mnist-20261120-193012-2", "mnist-20261120-193012-3"]


def test_eight_processes_at_once_claim_eight_runs(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import datetime; from pathlib import Path\n"
        "from nnrun.store.runs import create_run\n"
        "print(*(create_run(Path(sys.argv[1]), 'x', now=datetime(2026, 1, 1)).id for _ in range(20)), sep='\\n')"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]

    claimed = [name for process in started for name in process.communicate()[0].split()]

    assert len(claimed) == len(set(claimed)) == 160


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnist", "mnist"),
        ("My Run 1", "my-run-1"),
        ("über/../etc", "uber-..-etc"),
        ("../../x", "x"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("a.b_c-d", "a.b_c-d"),
        ("", "run"),
        ("   ", "run"),
        ("✓✓", "run"),
        ("数字", "run"),
        ("e\u0301te\u0301", "ete"),
        ("con", "run-con"),
        ("LPT1", "run-lpt1"),
        ("trailing.", "trailing"),
        ("a\nb\x00c", "a-b-c"),
        ("a" * 200, "a" * 60),
        ("x" * 59 + "-y", "x" * 59),
        ("C:\\runs", "c-runs"),
        ("\u202eevil", "evil"),
    ],
)
def test_slug_is_safe_in_any_path(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_runs_directory_is_the_option_or_the_variable_or_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NNRUN_RUNS_DIR", raising=False)
    assert runs_directory(None) == Path("runs")
    monkeypatch.setenv("NNRUN_RUNS_DIR", "/elsewhere")
    assert runs_directory(None) == Path("/elsewhere")
    assert runs_directory(Path("given")) == Path("given")


def test_rows_survive_what_is_not_finite_and_a_torn_last_line(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.append_row({"epoch": 1, "loss": 0.5})
    run.append_row({"epoch": 2, "loss": math.nan})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')

    assert run.rows() == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": "nan"}]


def test_damaged_row_before_the_last_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n')

    with pytest.raises(RunError, match=r"metrics\.jsonl:2 is damaged"):
        run.rows()


def test_status_is_what_is_there(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert run.status() == "interrupted"
    with run.lock():
        assert run.status() == "running"
    assert run.status() == "interrupted"
    run.write_result({"status": "finished"})
    assert run.status() == "finished"


def test_taking_the_lock_sweeps_what_a_crash_left(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for leftover in (run.path / ".tmp-1234-result.json", run.checkpoints.folder / ".tmp-5678-000001.npz"):
        leftover.write_text("half")

    with run.lock():
        pass

    assert [path for path in run.path.rglob("*") if path.name.startswith(".tmp-")] == []


def test_two_newest_checkpoints_by_number_are_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for sequence in (9, 10, 11):
        run.checkpoints.write(sequence, {"epoch": sequence}, {"a": np.zeros(2)})
    run.checkpoints.write_best({"weights": "best", "epoch": 9}, {"a": np.ones(2)})

    assert [path.name for path in run.checkpoints.paths()] == ["000011.npz", "000010.npz"]
    header, arrays = run.checkpoints.read_model()
    assert (header["weights"], header["epoch"]) == ("best", 9)
    assert arrays["a"].tolist() == [1, 1]


def test_without_a_best_model_the_newest_checkpoint_counts(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(RunError, match="was stopped before its first checkpoint"):
        run.checkpoints.read_model()
    run.checkpoints.write(4, {"epoch": 7}, {"a": np.zeros(2)})

    header, _ = run.checkpoints.read_model()
    assert (header["weights"], header["epoch"]) == ("last", 7)


def test_checkpoint_that_is_a_symbolic_link_is_not_read(tmp_path: Path) -> None:
    run, other = make_run(tmp_path), make_run(tmp_path, "other")
    other.checkpoints.write(1, {}, {"a": np.zeros(2)})
    (run.checkpoints.folder / "000001.npz").symlink_to(other.checkpoints.folder / "000001.npz")
    run.checkpoints.best.symlink_to(other.checkpoints.folder / "000001.npz")

    with pytest.raises(RunError, match="was stopped before its first checkpoint"):
        run.checkpoints.read_model()


def test_model_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.write_model(lambda path: path.write_text("first") and None)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match=r"cannot write .*model\.keras: No space left on device"):
        run.write_model(fail)

    assert (run.path / "model.keras").read_text() == "first"
    assert [path.name for path in run.path.glob(".tmp-*")] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"run\.json is missing"),
        ("", r"run\.json is damaged"),
        ("[1]", "it holds no map"),
        ('{"format": 2}', r"was written by a newer nnrun \(format 2, this one reads 1\)"),
        ('{"format": "x"}', "was written by a newer nnrun"),
        ('{"a": ' * 5000, r"run\.json is damaged"),
    ],
)
def test_facts_that_cannot_be_trusted_are_refused(content: str | None, message: str, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    path = run.path / "run.json"
    path.unlink() if content is None else path.write_text(content)

    with pytest.raises(RunError, match=message):
        run.facts()


def test_facts_of_unbounded_size_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path)
    monkeypatch.setattr(reading, "MOST_JSON_BYTES", 10)

    with pytest.raises(RunError, match="larger than nnrun writes it"):
        run.facts()


def test_run_is_found_by_path_id_beginning_and_latest(tmp_path: Path) -> None:
    old = make_run(tmp_path, "mnist", datetime(2026, 1, 1))
    new = make_run(tmp_path, "digits", datetime(2026, 1, 2))

    assert find_run(str(old.path), tmp_path) == old
    assert find_run(old.id, tmp_path) == old
    assert find_run("mni", tmp_path) == old
    assert find_run("latest", tmp_path) == new
    assert [run.id for run in list_runs(tmp_path)] == [old.id, new.id]


def test_second_run_of_a_second_is_later_than_the_first_and_the_tenth_than_the_second(tmp_path: Path) -> None:
    made = [make_run(tmp_path) for _ in range(11)]

    assert list_runs(tmp_path) == made
    assert find_run("latest", tmp_path) == made[-1]


def test_run_that_is_not_there_is_answered_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run 'x'; there are none in .*; train one"):
        find_run("x", tmp_path)
    first, _ = make_run(tmp_path), make_run(tmp_path)
    with pytest.raises(RunError, match=rf"no run 'x'; the newest in .* is {first.id}-2"):
        find_run("x", tmp_path)
    with pytest.raises(RunError, match=rf"2 runs begin with 'mnist': {first.id}, {first.id}-2; write more"):
        find_run("mnist", tmp_path)


@pytest.mark.parametrize("reference", ["..", "../x", "/", "a/../../b", "", "mn*", "\x00"])
def test_odd_references_find_nothing(reference: str, tmp_path: Path) -> None:
    make_run(tmp_path)

    with pytest.raises(RunError):
        find_run(reference, tmp_path)


def test_probe_makes_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    probe_directory(tmp_path / "a" / "runs")

    assert list((tmp_path / "a" / "runs").iterdir()) == []


def test_probe_of_a_full_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEAST_FREE_BYTES", 1 << 60)

    with pytest.raises(ResourceError, match="MB free; a run needs at least"):
        probe_directory(tmp_path)


def test_run_is_readable_without_nnrun(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    assert json.loads((run.path / "run.json").read_text()) == {
        "format": 1,
        "sequence": 1,
        "name": "mnist",
    }


def test_row_after_a_crash_begins_on_a_line_of_its_own(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.append_row({"epoch": 1})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')

    with run.lock():
        run.append_row({"epoch": 2})

    assert run.rows() == [{"epoch": 1}, {"epoch": 2}]


def test_checkpoints_that_are_a_symbolic_link_are_not_written_through(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.checkpoints.folder.rmdir()
    (tmp_path / "outside").mkdir()
    run.checkpoints.folder.symlink_to(tmp_path / "outside")

    with pytest.raises(RunError, match="checkpoints is a symbolic link"), run.lock():
        pass


def test_facts_are_not_read_through_a_symbolic_link(tmp_path: Path) -> None:
    run, other = make_run(tmp_path), make_run(tmp_path, "other")
    (run.path / "run.json").unlink()
    (run.path / "run.json").symlink_to(other.path / "run.json")

    with pytest.raises(RunError, match=r"run\.json is a symbolic link"):
        run.facts()


def test_damaged_newest_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for sequence in (1, 2):
        run.checkpoints.write(sequence, {"epoch": sequence}, {"a": np.full(2, sequence)})
    newest = run.checkpoints.paths()[0]
    newest.write_bytes(newest.read_bytes()[:-30])

    assert run.checkpoints.read_model()[0]["epoch"] == 1
    run.checkpoints.paths()[1].write_bytes(b"")
    with pytest.raises(RunError, match=r"000002\.npz is damaged"):
        run.checkpoints.read_model()


def test_checkpoint_just_written_is_never_pruned(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for sequence in (5, 6, 1):
        run.checkpoints.write(sequence, {}, {"a": np.zeros(2)})

    assert [path.name for path in run.checkpoints.paths()] == ["000006.npz", "000001.npz"]


def test_very_long_reference_finds_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run"):
        find_run("x" * 3000, tmp_path)


def test_file_names_that_are_not_unicode_do_no_harm(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.write_facts({"command": ["nnrun", "train", b"\xff.yaml".decode(errors="surrogateescape")]})
    run.log("\udcff")

    assert run.facts()["command"][2] == "\udcff.yaml"
