"""Thousands of damaged specifications: each is loaded or refused with places, in time, and nothing else happens."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mutations import EDITS, HERE, ORIGINALS, Mutant, mutants

from nnrun.cli.console import problem_text
from nnrun.errors import DataError, Problem, ResourceError, Source, SpecError
from nnrun.spec.advice import advise
from nnrun.spec.load import Loaded, dump_spec, load_spec

FEWEST_ORIGINALS = 26
MOST_SECONDS = 10.0
"""For one mutant; it only catches hangs."""

LONGEST_MESSAGE = 600


class HangError(BaseException):
    """Not an ``Exception``, so that nothing but the test takes it."""


@contextmanager
def no_hang(seconds: float) -> Iterator[None]:
    """Interrupt what takes too long."""

    def interrupt(*_: object) -> None:
        raise HangError(f"takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """A copy of all originals and the files that they name; mutants are written among them."""
    for folder in ("configs", "tests/specs"):
        shutil.copytree(HERE.parent / folder, tmp_path / folder)
    return tmp_path


def write(mutant: Mutant, copies: Path) -> Path:
    """Write a mutant where its original stands."""
    path = copies / mutant.origin.parent.relative_to(HERE.parent) / "mutant.yaml"
    path.write_bytes(mutant.data)
    return path


def complaints_about(mutant: Mutant, path: Path, seconds: float = MOST_SECONDS) -> tuple[bool, list[str]]:
    """Whether a mutant is valid, and what went wrong with it."""
    try:
        with no_hang(seconds):
            loaded = load_spec(path, mutant.overrides)
            advice = advise(loaded)
    except SpecError as error:
        return False, [wrong for problem in error.problems for wrong in wrong_with(problem)]
    except (Exception, HangError) as error:
        return False, [f"raises {type(error).__name__}: {error}"]
    return True, [*(wrong for hint in advice for wrong in wrong_with(hint)), *changed_by_dumping(loaded)]


def wrong_with(problem: Problem) -> Iterator[str]:
    """What a user could not read, or where nobody could look."""
    if problem.place is None:
        yield f"no place: {problem}"
    else:
        lines = [*problem.place.source.text.splitlines(), ""]  # the end of the text may be a place too
        line, column, end = problem.place.line, problem.place.column, problem.place.end_column
        if not (1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1 and column < end):
            yield f"a place outside of the text: {problem}"
    shown = f"{problem.path}: {problem.message}"
    if not problem.message or not problem.message.isprintable() or len(shown) > LONGEST_MESSAGE:
        yield f"an unreadable message: {shown!r}"
    if problem.message not in problem_text(problem).plain.splitlines()[0]:
        yield f"cannot be shown: {shown!r}"


def changed_by_dumping(loaded: Loaded) -> Iterator[str]:
    """How a specification differs when it is written out and read again."""
    again = loaded.path.with_name("again.yaml")
    again.write_text(dump_spec(loaded.spec), "utf-8")
    try:
        read = load_spec(again).spec
    except SpecError as error:
        yield f"written out it is refused: {error}"
        return
    if repr(read) != repr(loaded.spec):  # NaN differs from itself
        yield f"written out it is another one:\n{loaded.spec!r}\n{read!r}"


def test_originals_are_good() -> None:
    assert len(ORIGINALS) >= FEWEST_ORIGINALS
    for path in ORIGINALS:
        load_spec(path)


def test_mutants_are_the_same_every_time() -> None:
    assert list(mutants(160)) == [*mutants(320)][:160]


@pytest.mark.parametrize("count", [3_600, pytest.param(30_000, marks=pytest.mark.slow)])
def test_mutants_are_loaded_or_refused_with_places_in_time(count: int, copies: Path) -> None:
    valid, refused, failures = Counter[str](), Counter[str](), []
    for mutant in mutants(count):
        is_valid, complaints = complaints_about(mutant, write(mutant, copies))
        (valid if is_valid else refused)[mutant.kind] += 1
        failures += [f"{complaint}\n{mutant}" for complaint in complaints]
    print(f"\n{count:,} mutants, {valid.total():,} still valid: {dict(valid)}")

    assert not failures, f"{len(failures)} failures; the first:\n" + "\n\n".join(failures[:3])
    assert valid.keys() == refused.keys() == EDITS.keys()
    assert valid.total() > count / 10


@functools.cache
def plain_of(path: Path) -> str:
    return repr(load_spec(path).spec.plain() | {"name": ""})


def valid_mutants(copies: Path, count: int) -> Iterator[tuple[Mutant, Loaded]]:
    """The first so many mutants that are valid and differ from their originals in more than their names."""
    seen = {plain_of(path) for path in ORIGINALS}
    for mutant in mutants(count * 100):
        try:
            loaded = load_spec(write(mutant, copies), mutant.overrides)
        except SpecError:
            continue
        values = repr(loaded.spec.plain() | {"name": ""})
        if values not in seen and len(loaded.model.layers) < 500:  # thousands of layers take seconds each
            seen.add(values)
            yield mutant, loaded
        if len(seen) == len(ORIGINALS) + count:
            return


@pytest.mark.tensorflow
@pytest.mark.parametrize("count", [150, pytest.param(2_000, marks=pytest.mark.slow)])
def test_valid_mutants_are_built_on_paper_or_refused(count: int, copies: Path) -> None:
    from nnrun.experiment import rehearse
    from nnrun.model.summary import check_on_paper

    outcomes, failures = Counter[str](), []
    for mutant, loaded in valid_mutants(copies, count):
        complaints: list[str] = []
        try:
            with no_hang(60):
                check_on_paper(loaded)
                rehearse(loaded)
            outcomes["built"] += 1
        except SpecError as error:
            complaints = [wrong for problem in error.problems for wrong in wrong_with(problem)]
            outcomes["refused"] += 1
        except DataError as error:  # the columns, the kind of file: known once the file is looked at
            complaints = [] if str(error).isprintable() else [f"an unreadable message: {str(error)!r}"]
            outcomes["refused for its data"] += 1
        except ResourceError:
            outcomes["too large"] += 1
        except (Exception, HangError) as error:
            complaints = [f"raises {type(error).__name__}: {error}"]
        failures += [f"{complaint}\n{mutant}" for complaint in complaints]
    print(f"\n{count:,} valid mutants on paper: {dict(outcomes)}")

    assert not failures, f"{len(failures)} failures; the first:\n" + "\n\n".join(failures[:3])
    assert outcomes["built"] > count / 2
    assert outcomes["refused"] > count / 20


def run_validate(path: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "nnrun", "validate", str(path)]
    environment = os.environ | {"COLUMNS": "80", "PYTHONWARNINGS": ""}
    return subprocess.run(command, capture_output=True, check=False, timeout=30, env=environment)


def test_mutants_end_the_command_with_its_exit_codes(copies: Path) -> None:
    codes = Counter[int]()
    for mutant in list(mutants(640))[:: len(EDITS) - 1]:  # every kind in turn
        done = run_validate(write(mutant, copies))
        streams = done.stdout + done.stderr
        assert done.returncode in (0, 2), mutant
        assert b"Traceback" not in streams, mutant
        assert b"bug in nnrun" not in streams, mutant
        codes[done.returncode] += 1

    assert codes[0] and codes[2] and codes.total() >= 40


FOUND = {
    "a block that repeats without end": """blocks: {a: {layers: [b]}, b: {layers: []}}
  layers: [{a: {repeat: 1000000000}}, {b: {repeat: 9999999999}}, {Dense: {units: 10}}]""",
    "blocks that multiply": """blocks: {a: {layers: [{b: {repeat: 9999}}]}, b: {layers: [{c: {repeat: 9999}}]},
    c: {layers: []}}
  layers: [{a: {repeat: 9999}}, {Dense: {units: 10}}]""",
    "a block without a name": """blocks: {'': {layers: [ReLU]}}
  layers: [Flatten, zzzz, {Dense: {units: 10}}]""",
    "a map for a name": "layers: [Flatten, {Dense: {units: 10, name: {a: 1}}}]",
    "a map for the name of an input": "layers: [{Input: {name: {a: 1}}}, Flatten, {Dense: {units: 10}}]",
    "what looks like a reference": "layers: [Flatten, {Dense: {units: 10, inputs: '#x'}}]",
    "what looks like a reference to a layer": "layers: [Flatten, {Dense: {units: 10, inputs: '#0'}}]",
    "a long wrong name beside another": f"""layers: [Flatten, {{Dense: {{units: 10, name: {"a" * 9000}}}}}]
  outputs: [{"a" * 9001}]""",
    "a name of two lines": 'layers: [Flatten, {Dense: {units: 10, "a\\nb": 1}}, "c\\nd"]\n  outputs: "e\\nf"',
    "thousands of layers": f"layers: [{'Flatten, ' * 9000}{{Dense: {{units: 10}}}}]",
}
"""Model sections over which nnrun once fell or sat too long."""


@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_once_stays_found(case: str, tmp_path: Path) -> None:
    around = "data: {source: digits}\nmodel:\n  MODEL\ntraining: {loss: sparse_categorical_crossentropy}\n"
    mutant = Mutant(case, Path("model.yaml"), around.replace("MODEL", FOUND[case]).encode())
    (tmp_path / "mutant.yaml").write_bytes(mutant.data)
    _, complaints = complaints_about(mutant, tmp_path / "mutant.yaml", seconds=5)
    assert complaints == []


def test_place_of_a_problem_is_held_against_its_text() -> None:
    from nnrun.errors import Place

    source = Source("x.yaml", "a: 1\n")
    assert not [*wrong_with(Problem("no", "a", Place(source, 1, 4, 5)))]
    for place in (None, Place(source, 3, 1, 2), Place(source, 1, 6, 7), Place(source, 0, 1, 2)):
        assert [*wrong_with(Problem("no", "a", place))]
    for message in ("", "two\nlines", "x" * 601):
        assert [*wrong_with(Problem(message, "a", Place(source, 1, 1, 2)))]
