"""Problems with their lines."""

from __future__ import annotations

import pytest

from nnrun.cli.console import printable, problem_text
from nnrun.errors import Place, Problem, Source


def test_problem_without_a_place_is_one_line() -> None:
    assert problem_text(Problem("wrong", "data.source")).plain == "data.source: wrong"


def test_problem_in_the_first_line_has_no_line_before_it() -> None:
    place = Place(Source("x.yaml", "seed: x\n"), 1, 7, 8)

    assert problem_text(Problem("wrong", "seed", place)).plain == (
        "x.yaml:1:7  seed: wrong\n > 1 │ seed: x\n     │       ^"
    )


def test_line_numbers_are_aligned() -> None:
    text = "".join(f"key{number}: 1\n" for number in range(1, 12))

    assert problem_text(Problem("wrong", "", Place(Source("x", text), 10, 1, 6))).plain == (
        "x:10:1  wrong\n    9 │ key9: 1\n > 10 │ key10: 1\n      │ ^^^^^"
    )


def test_very_long_line_is_cut_around_the_problem() -> None:
    text = "a" * 1000 + "B" + "c" * 1000

    lines = problem_text(Problem("wrong", "", Place(Source("x", text), 1, 1001, 1002))).plain.splitlines()

    assert max(map(len, lines)) < 200
    assert lines[1][lines[2].index("^")] == "B"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü ✓", "plain ü ✓"), ("\x1b[31m", "\\x1b[31m"), ("a\u202eb", "a\\u202eb"), ("tab\t", "tab\\t")],
)
def test_printable_escapes_what_steers_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
