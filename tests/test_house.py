"""The house: a file imports only from the floors below it, and heavy packages have one door each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nnrun

PACKAGE = Path(nnrun.__file__).parent
FLOORS = {
    "errors": 0,
    "keras_backend": 0.5,
    "spec": 1,
    "machine": 1,
    "store": 2,
    "data": 3,
    "model": 4,
    "training": 5,
    "explain": 6,
    "report": 6,
    "evaluation": 6.5,
    "failures": 6.5,
    "experiment": 7,
    "inference": 7.5,
    "verification": 7.5,
    "bench": 7.5,
    "doctor": 7.5,
    "launching": 7.5,
    "cli": 8,
    "api": 8.5,
    "__main__": 9,
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
WITHOUT_KERAS = ("errors", "spec", "store")
WITHOUT_NUMPY = ("errors", "spec")


def room(path: Path) -> str:
    """The room that a file belongs to: the folder or file under ``nnrun/``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file imports from, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "nnrun":
            found |= {alias.name for alias in node.names if alias.name in FLOORS}
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nnrun."):
            found.add((node.module or "").split(".")[1])
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("nnrun.")}
    return found


def imported_packages(path: Path) -> set[str]:
    """The first names of all absolute imports in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_house_has_all_its_rooms() -> None:
    assert {room(path) for path in FILES} == set(FLOORS)
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_imports_only_from_floors_below(path: Path) -> None:
    own = room(path)
    above = {other for other in imported_rooms(path) - {own} if FLOORS[other] >= FLOORS[own]}

    assert above == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_opens_no_door_of_its_own_to_heavy_packages(path: Path) -> None:
    packages = imported_packages(path)

    assert not packages & {"keras", "tensorflow", "tf_keras", "pickle", "marshal", "shelve"}
    if room(path) in WITHOUT_NUMPY:
        assert "numpy" not in packages
    if room(path) in WITHOUT_KERAS:
        assert "keras_backend" not in imported_rooms(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_has_a_docstring_and_no_assert(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))

    assert ast.get_docstring(tree)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    printing = [call.lineno for call in calls if getattr(call.func, "id", "") in ("print", "eval", "exec")]

    runs_code = path.relative_to(PACKAGE) == Path("model/code.py")  # the door of --code
    assert room(path) == "cli" or runs_code or not printing
