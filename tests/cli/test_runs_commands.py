"""Finding, showing, comparing and removing runs, as users see it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run, settle
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.store import index
from nnrun.store.labels import Labels
from nnrun.store.run import Run

PAINT = "\x1b[2J\u202e[red]<b>&"
"""What would repaint the screen, turn its text around, or be markup for Rich or a browser."""

COMMANDS = ("ls", "show", "compare", "tag", "note", "rm")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNRUN_RUNS_DIR", raising=False)
    return Path("runs")


def nnrun(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done


def rows(*arguments: str) -> list[dict[str, Any]]:
    """What ``ls --json`` prints."""
    return [json.loads(line) for line in nnrun("ls", "--json", *arguments).stdout.splitlines()]


def on_terminal(*arguments: str, answer: str = "", width: int = 160) -> tuple[int, str]:
    """The exit code of a command, and what it shows on a terminal."""
    own, its = os.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "NO_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-m", "nnrun", *arguments]
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    os.write(own, answer.encode())
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while part := os.read(own, 10_000):
            shown += part
    os.close(own)
    return process.wait(), shown.decode()


def test_runs_are_listed_with_what_sets_them_apart(runs: Path) -> None:
    make_run(runs, test={"loss": 0.5, "accuracy": 0.75})
    make_run(runs, learning_rate=0.01, units=16, seed=8, finished=False, age=timedelta(minutes=5))

    shown = nnrun("ls").stdout

    assert shown.splitlines()[0].split() == ["id", "status", "age", "epochs", "best", "test", "differs"]
    assert [" ".join(line.split()) for line in shown.splitlines()[1:]] == [
        "xor-20261120-193012-2 interrupted 5 min ago 3/3 val_loss 0.4000 units=16 learning_rate=0.01 seed=8",
        "xor-20261120-193012 finished 3 h ago 3/3 val_loss 0.4000 accuracy 0.7500 units=8 learning_rate=0.1 seed=7",
    ]
    assert len({line.index("val_loss") for line in shown.splitlines()[1:]}) == 1


def test_folder_without_runs_says_what_to_do(runs: Path) -> None:
    done = nnrun("ls")

    assert done.stdout == ""
    assert done.stderr == "no runs in runs; train one, or name another place with --runs-dir\n"


def test_damaged_run_is_listed_with_its_damage_and_the_others_as_ever(runs: Path) -> None:
    bad = make_run(runs)
    make_run(runs)
    (bad.path / "result.json").write_text("{")

    _, good_line, bad_line = nnrun("ls").stdout.splitlines()

    assert "  finished  " in good_line
    assert "  damaged  " in bad_line
    assert f"{bad.path}/result.json is damaged" in bad_line
    assert {row["id"]: row["status"] for row in rows()}[bad.id] == "damaged"


def test_conditions_order_and_columns_are_those_asked_for(runs: Path) -> None:
    for rate, accuracy in ((0.1, 0.5), (0.01, 0.9), (0.001, 0.7)):
        make_run(runs, learning_rate=rate, test={"accuracy": accuracy})
    columns = ("--columns", "training.learning_rate,test.accuracy")

    asked = (
        "--where",
        "training.learning_rate<0.1",
        "--where",
        "status=finished",
        "--sort",
        "-test.accuracy",
    )

    assert rows(*asked, *columns) == [
        {"training.learning_rate": 0.01, "test.accuracy": 0.9},
        {"training.learning_rate": 0.001, "test.accuracy": 0.7},
    ]
    assert rows("--sort", "training.learning_rate", "--first", "1", *columns) == [
        {"training.learning_rate": 0.001, "test.accuracy": 0.7}
    ]
    assert nnrun("ls", *asked, *columns).stdout.splitlines() == [
        "training.learning_rate  test.accuracy",
        "0.01                    0.9",
        "0.001                   0.7",
    ]
    assert "none of the 3 runs in runs is so" in nnrun("ls", "--where", "seed>7").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--where", "seed"], "--where: expected a condition such as"),
        (["--where", "sed=7"], "--where: no run has 'sed'; did you mean 'seed'?"),
        (
            ["--sort", "-traning.epochs"],
            "--sort: no run has 'traning.epochs'; did you mean 'training.epochs'?",
        ),
        (["--columns", "id,,status"], "--columns: expected names with commas between them"),
        (["--columns", "idd"], "--columns: no run has 'idd'; did you mean 'id'?"),
        (["--json", "--csv"], "two forms of output; choose one"),
        (["--first", "0"], "--first"),
    ],
)
def test_mistakes_on_the_command_line_exit_2(arguments: list[str], said: str, runs: Path) -> None:
    make_run(runs)

    assert said in " ".join(nnrun("ls", *arguments, code=2).stderr.split())


def test_csv_has_a_column_for_each_setting_that_differs(runs: Path) -> None:
    make_run(runs, learning_rate=0.01, test={"accuracy": 0.5})
    Labels(["a", "b"], 'says "x", and\nmore').write(make_run(runs))

    second, first = csv.DictReader(io.StringIO(nnrun("ls", "--csv").stdout))

    assert (first["training.learning_rate"], second["training.learning_rate"]) == ("0.01", "0.1")
    assert (first["test"], second["test"], second["tags"]) == ("0.5", "", "a b")
    assert second["note"] == 'says "x", and\\nmore'
    assert "seed" not in first


def test_terminal_shows_thirty_runs_and_says_how_many_more(runs: Path) -> None:
    for _ in range(33):
        make_run(runs)

    code, shown = on_terminal("ls")

    assert code == 0
    assert shown.count("xor-20261120") == 30
    assert "... 3 more; --first 33 shows all" in shown
    assert nnrun("ls").stdout.count("xor-20261120") == len(rows()) == 33


def test_narrow_terminal_does_not_cut_the_id(runs: Path) -> None:
    make_run(runs, learning_rate=0.01, tags="a, long, list, of, words")
    make_run(runs)

    _, shown = on_terminal("ls", width=70)

    assert "xor-20261120-193012-2" in shown
    assert "learning_rate=0.01" in re.sub(r"\s", "", shown)


def test_first_listing_of_many_runs_says_what_it_does(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.cli.runs.MANY", 2)
    for _ in range(2):
        make_run(runs)
    settle(runs)

    assert (
        "reading 2 runs that are new or changed; runs/.index.jsonl will remember them" in nnrun("ls").stderr
    )
    assert nnrun("ls").stderr == ""


def test_run_in_use_is_listed_as_running(runs: Path) -> None:
    run = make_run(runs, finished=False)

    with run.lock():
        assert rows()[0]["status"] == "running"
        assert "nnrun watch xor-20261120-193012" in nnrun("show", "latest").stdout
    assert rows()[0]["status"] == "interrupted"


def test_everything_about_a_run_is_shown(runs: Path) -> None:
    run = make_run(runs, test={"loss": 0.3, "accuracy": 0.75}, tags="paper")
    Labels(["baseline"], "first line\nsecond line").write(run)

    shown = nnrun("show", "latest").stdout

    for line in (
        "       run  xor-20261120-193012",
        "    status  finished",
        "      note  first line",
        "            second line",
        "      tags  paper, baseline",
        "      data  xor: 4 training / 2 validation examples, sha256:f52e",
        "     model  2 layers, 33 parameters",
        "  training  optimizer adam, learning_rate 0.1, seed 7",
        "  versions  keras 3.15.1",
        "   command  nnrun train xor.yaml",
        "    epochs  3 of 3, 0:12",
        "      best  epoch 2, by val_loss  loss 0.2000  val_loss 0.4000",
        "      last  epoch 3  loss 0.2000  val_loss 0.5000",
        "      test  loss 0.3000  accuracy 0.7500  (best weights, epoch 2)",
        "      next  nnrun evaluate xor-20261120-193012",
        "            nnrun predict xor-20261120-193012",
        "            nnrun resume xor-20261120-193012 training.epochs=6",
    ):
        assert line in shown.splitlines()
    assert re.search(r"val_loss +█▁▂ +0\.9000 +0\.4000 \(epoch 2\) +0\.5000", shown)
    assert "config.yaml" in shown
    assert "labels.json" in shown


def test_run_for_programs_is_one_map(runs: Path) -> None:
    run = make_run(runs)

    shown = json.loads(nnrun("show", run.id, "--json").stdout)

    assert shown["id"] == run.id
    assert [row["val_loss"] for row in shown["history"]] == [0.9, 0.4, 0.5]
    assert shown["config"]["training"]["learning_rate"] == 0.1
    assert shown["files"]["run.json"] == (run.path / "run.json").stat().st_size
    assert shown["problems"] == []


@pytest.mark.parametrize(
    ("finished", "lost", "expected"),
    [
        (False, False, "nnrun resume xor-20261120-193012"),
        (False, True, "nnrun resume xor-20261120-193012 training.learning_rate=0.01"),
    ],
)
def test_unfinished_run_tells_how_to_go_on(finished: bool, lost: bool, expected: str, runs: Path) -> None:
    run = make_run(runs, finished=finished)
    if lost:
        run.write_divergence({"seen": "loss is nan", "epoch": 4})

    shown = nnrun("show", "latest").stdout

    assert f"      next  {expected}\n" in shown
    assert ("      lost  loss is nan, epoch 4\n" in shown) is lost


def test_commands_for_a_run_elsewhere_lead_to_it(runs: Path) -> None:
    make_run(Path("other place"))

    shown = nnrun("show", "latest", "--runs-dir", "other place").stdout

    assert "nnrun evaluate 'other place/xor-20261120-193012'" in shown
    assert nnrun("show", "other place/xor-20261120-193012").exit_code == 0


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "result.json", "metrics.jsonl", "labels.json"])
def test_damaged_run_is_shown_as_far_as_it_can_be_read_and_exits_4(name: str, runs: Path) -> None:
    run = make_run(runs)
    (run.path / name).write_bytes(b"\x80{\n")

    shown = nnrun("show", run.id, code=4).stdout

    assert "    status  damaged\n" in shown
    assert re.search(rf"^   damaged  .*{re.escape(name)}", shown, re.MULTILINE)
    assert ("2 layers" in shown) is (name != "run.json")
    assert nnrun("compare", run.id, make_run(runs).id).exit_code == 0


def test_single_setting_that_differs_is_told_first(runs: Path) -> None:
    make_run(runs, test={"accuracy": 0.5})
    make_run(runs, learning_rate=0.01, losses=(0.9, 0.3), test={"accuracy": 0.75})

    head, _, rest = nnrun("compare", "latest~1", "latest").stdout.partition("\n\n")

    assert head.splitlines()[0].startswith("A  runs/xor-20261120-193012  finished, 3 h ago")
    assert head.splitlines()[1].startswith("B  runs/xor-20261120-193012-2  finished, 3 h ago")
    assert rest.startswith("one setting differs\n")
    lines = [line.split() for line in rest.splitlines() if line.strip()]
    assert ["training.learning_rate", "0.1", "0.01"] in lines[:4]
    assert ["best.val_loss", "0.4", "0.3", "★"] in lines
    assert ["test.accuracy", "0.5", "0.75", "★"] in lines
    assert ["A", "█▂▃", "0.5000"] in lines
    assert ["B", "█▁", "0.3000"] in lines
    assert "data" not in rest.split()
    assert "seed" not in rest


def test_runs_are_compared_side_by_side_for_programs(runs: Path) -> None:
    for changes in ({}, {"seed": 8}, {"optimizer": "{SGD: {momentum: 0.9}}"}):
        make_run(runs, **changes)

    found = json.loads(nnrun("compare", "latest~2", "latest~1", "latest", "--json").stdout)

    assert found["settings"] == {
        "seed": [7, 8, 7],
        "training.optimizer": ["adam", "adam", {"SGD": {"momentum": 0.9}}],
    }
    assert found["data"] == found["facts"] == found["results"] == {}
    assert found["same_history"] is True
    assert found["curves"]["val_loss"] == [[0.9, 0.4, 0.5]] * 3


def test_other_data_and_versions_are_told(runs: Path) -> None:
    first, second = make_run(runs), make_run(runs)
    facts = second.facts()
    facts["data"]["fingerprint"] = "sha256:other"
    facts["versions"]["keras"] = "3.16"
    second.write_facts(facts)

    shown = nnrun("compare", first.id, second.id).stdout
    lines = [line.split() for line in shown.splitlines()]

    assert "the specifications are the same" in shown
    assert "all epochs have the same figures, to the last bit" in shown
    assert ["fingerprint", "sha256:f52e", "sha256:other"] in lines
    assert ["versions.keras", "3.15.1", "3.16"] in lines


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["latest"], 2, "expected two runs or more to compare, found 1"),
        (["latest", "latest~0"], 2, "expected two runs or more to compare, found 1"),
        (["latest", "none"], 4, "no run 'none'; the newest in runs is xor-20261120-193012"),
    ],
)
def test_comparison_of_fewer_than_two_runs_is_refused(
    names: list[str], code: int, said: str, runs: Path
) -> None:
    make_run(runs)

    assert said in nnrun("compare", *names, code=code).stderr


def test_tags_are_given_found_and_taken_away(runs: Path) -> None:
    make_run(runs)
    run = make_run(runs)

    assert nnrun("tag", "latest").stdout == "xor-20261120-193012-2 has no tags\n"
    assert nnrun("tag", "latest", "paper", "a b", "paper").stdout == "paper, a b\n"
    assert [row["id"] for row in rows("--where", "tags=paper")] == [run.id]
    assert nnrun("tag", "latest", "paper", "--remove").stdout == "a b\n"
    assert (
        "no tag 'x' that was given with nnrun tag; it has a b"
        in nnrun("tag", "latest", "x", "--remove", code=2).stderr
    )
    assert nnrun("tag", "latest", "--remove").stdout == "xor-20261120-193012-2 has no tags\n"
    assert "expected a tag of 1 to 100 characters" in nnrun("tag", "latest", "", code=4).stderr


def test_note_is_written_shown_and_taken_away(runs: Path) -> None:
    run = make_run(runs)
    Labels(["kept"]).write(run)

    assert "has no note" in nnrun("note", "latest").stderr
    nnrun("note", "latest", "one\ntwo")
    assert nnrun("note", "latest").stdout == "one\ntwo\n"
    assert Labels.read(run) == Labels(["kept"], "one\ntwo")
    nnrun("note", "latest", "--remove")
    assert Labels.read(run) == Labels(["kept"], "")
    assert "give no text with it" in nnrun("note", "latest", "x", "--remove", code=2).stderr


def test_removed_run_lies_in_the_trash(runs: Path) -> None:
    run, kept = make_run(runs), make_run(runs)

    done = nnrun("rm", run.id)

    assert f"{run.id} is in {(runs / '.trash' / run.id).absolute()}; mv takes it back" in done.stderr
    assert [row["id"] for row in rows()] == [kept.id]
    assert (runs / ".trash" / run.id / "result.json").is_file()


def test_run_in_use_stays_and_so_do_those_named_with_it(runs: Path) -> None:
    run, other = make_run(runs, finished=False), make_run(runs)

    with run.lock():
        for purge in ([], ["--purge", "--yes"]):
            done = nnrun("rm", other.id, run.id, *purge, code=7)
            assert f"{run.id}: another process is writing there" in done.stderr

    assert run.path.is_dir()
    assert other.path.is_dir()


def test_deleting_for_good_is_confirmed_or_refused(runs: Path) -> None:
    for arguments in (["rm", "latest", "--purge"], ["rm", "--empty-trash"]):
        make_run(runs)
        nnrun("rm", make_run(runs).id)
        assert "add --yes where nobody can be asked" in nnrun(*arguments, code=2).stderr
        assert len(rows()) == 1
        nnrun(*arguments, "--yes")
        assert len(rows()) + len(list((runs / ".trash").iterdir())) == 1
        shutil.rmtree(runs)
    assert "the trash is empty" in nnrun("rm", "--empty-trash").stderr


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1)])
def test_terminal_asks_before_anything_is_removed(answer: str, code: int, left: int, runs: Path) -> None:
    make_run(runs)

    ended, shown = on_terminal("rm", "latest", answer=answer)

    assert "Move xor-20261120-193012 to the trash? [y/N]" in shown
    assert ended == code
    assert len(rows()) == left


@pytest.mark.parametrize("arguments", [[], ["latest", "--empty-trash"]])
def test_removing_nothing_in_particular_is_refused(arguments: list[str], runs: Path) -> None:
    make_run(runs)

    assert (
        "expected the runs to remove, or --empty-trash and no runs" in nnrun("rm", *arguments, code=2).stderr
    )


def test_run_that_is_a_link_is_not_removed(runs: Path) -> None:
    outside = make_run(Path("outside"))
    runs.mkdir()
    (runs / "link").symlink_to(outside.path.absolute())

    assert "is a symbolic link" in nnrun("rm", "link", "--purge", "--yes", code=4).stderr
    assert outside.result() is not None


def painted(runs: Path) -> Run:
    """A run in which everything that can be said is hostile."""
    run = make_run(runs, finished=False)
    text = PAINT.replace("\x1b", "")  # YAML itself refuses it
    config = {"name": text, "description": text, "tags": [text], "training": {"optimizer": text, text: 1}}
    (run.path / "config.yaml").write_text(json.dumps(config, ensure_ascii=False))
    run.write_facts(
        {**run.facts(), "name": PAINT, "command": [PAINT], "versions": {PAINT: PAINT}, "started": PAINT}
    )
    run.append_row({"epoch": 4, PAINT: 0.5, "loss": PAINT})
    result = {"monitor": PAINT, "best": {PAINT: 1.0}, "test": {PAINT: 1.0}, "reason": PAINT}
    run.write_result({**result, "model": {"weights": PAINT}})
    Labels([PAINT], f"{PAINT}\n{PAINT}").write(run)
    (run.path / PAINT.replace("/", "")).write_text("x")
    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"],
        ["ls", "--columns", "id,name,note,tags,training.optimizer,differs,best,test"],
        ["ls", "--csv"],
        ["ls", "--json"],
        ["show", "latest"],
        ["show", "latest", "--json"],
        ["compare", "latest~1", "latest"],
        ["compare", "latest~1", "latest", "--json"],
        ["tag", "latest"],
        ["note", "latest"],
        ["rm", "latest"],
    ],
    ids=" ".join,
)
def test_what_a_stranger_wrote_is_shown_as_plain_text(arguments: list[str], runs: Path) -> None:
    make_run(runs)
    painted(runs)

    done = nnrun(*arguments)

    assert {one for one in done.output if not one.isprintable()} <= {"\n"}
    if arguments[0] != "rm":
        assert "[red]<b>&" in done.stdout
        assert r"\x1b[2J\u202e[red]<b>&" in done.stdout.replace(r"\u001b", r"\x1b")


def test_run_that_was_copied_to_another_folder_lists_and_shows(runs: Path) -> None:
    run = make_run(runs)
    settle(runs)
    nnrun("ls")

    shutil.copytree(runs, "copy")

    assert [row["path"] for row in rows("--runs-dir", "copy")] == [f"copy/{run.id}"]
    assert f"      path  copy/{run.id}" in nnrun("show", f"copy/{run.id}").stdout


def test_listing_leaves_nothing_but_the_index(runs: Path) -> None:
    make_run(runs)
    settle(runs)
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}

    nnrun("ls")
    nnrun("show", "latest")

    after = {path: path.stat().st_mtime_ns for path in runs.rglob("*") if path.name != index.NAME}
    assert after == before


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: nnrun {command} " in nnrun(command, "--help").stdout


@pytest.mark.parametrize("line", ["show x", "compare latest x", "rm latest x", "tag x", "note x"])
def test_runs_are_completed_wherever_one_is_named(line: str, runs: Path) -> None:
    make_run(runs)
    done = subprocess.run(
        [sys.executable, "-c", "from nnrun.cli.app import app; app(prog_name='nnrun')"],
        env={**os.environ, "_NNRUN_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"nnrun {line}"},
        capture_output=True,
        text=True,
    )

    assert "xor-20261120-193012" in done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real runs that differ in one setting."""
    folder = tmp_path_factory.mktemp("trained") / "runs"
    xor = str(Path(__file__).parents[2] / "configs" / "tiny" / "xor.yaml")
    for epochs in (4, 6):
        arguments = ["train", xor, f"training.epochs={epochs}", "--runs-dir", str(folder), "--quiet"]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
    return folder


@pytest.mark.tensorflow
def test_real_runs_are_listed_shown_and_compared(trained: Path) -> None:
    here = ("--runs-dir", str(trained))

    second, first = rows(*here)

    assert (first["status"], first["epochs"], first["differs"]) == ("finished", 4, {"training.epochs": 4})
    assert (second["status"], second["epochs"], second["differs"]) == ("finished", 6, {"training.epochs": 6})
    shown = json.loads(nnrun("show", "latest", "--json", *here).stdout)
    assert shown["problems"] == []
    assert [row["epoch"] for row in shown["history"]] == [1, 2, 3, 4, 5, 6]
    assert shown["facts"]["model"]["parameters"] == 33
    found = json.loads(nnrun("compare", "latest~1", "latest", "--json", *here).stdout)
    assert found["settings"] == {"training.epochs": [4, 6]}
    assert found["data"] == found["facts"] == {}
    assert found["curves"]["loss"][0] == found["curves"]["loss"][1][:4]
    assert nnrun("show", "best:loss", *here).stdout.startswith(f"       run  {second['id']}")


@pytest.mark.tensorflow
def test_labelled_and_moved_back_run_goes_on(trained: Path) -> None:
    here = ("--runs-dir", str(trained))
    name = rows(*here)[0]["id"]
    nnrun("tag", name, "kept", *here)
    nnrun("rm", name, *here)
    (trained / ".trash" / name).rename(trained / name)

    nnrun("resume", name, "training.epochs=8", "--quiet", *here)

    row = next(row for row in rows(*here) if row["id"] == name)
    assert (row["epochs"], row["planned"], row["tags"]) == (8, 8, ["kept"])
