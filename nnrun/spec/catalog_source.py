"""Signatures and docstrings from Keras's source files, without importing Keras.

A file is not parsed whole (some have thousands of lines): the class statement, its docstring and its ``__init__`` are
cut out and only they are parsed. Validation of a specification stays within milliseconds.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Required:
    """Stands where an argument has no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


@dataclass(frozen=True)
class Signature:
    """What a class or function takes.

    Args:
        arguments: Names with defaults: a literal, the source text of anything else, or ``REQUIRED``.
        open_ended: Whether it passes further arguments on to its bases.
        fixed: Arguments that it gives to its base by keyword itself, so that nobody else can.
        positional: How many it gives to its base by position.
        bases: Names of the base classes as written.
        doc: The docstring.
        is_function: A function, not a class.
    """

    arguments: dict[str, Any]
    open_ended: bool
    fixed: frozenset[str]
    positional: int
    bases: tuple[str, ...]
    doc: str
    is_function: bool


@functools.cache
def keras_folder() -> Path:
    """Where the installed Keras lies.

    Raises:
        ModuleNotFoundError: Keras is not installed.
    """
    spec = importlib.util.find_spec("keras")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("keras")
    return Path(spec.submodule_search_locations[0])


@functools.cache
def module_text(module: str) -> str:
    """The source of ``keras.src.layers.core.dense``; empty where there is no such file."""
    path = keras_folder().joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return ""


IMPORT = re.compile(r"^from (\S+) import (?:\(\s*)?(\w+)(?: as (\w+))?,?(?:\s*\))?$", re.MULTILINE)


@functools.cache
def imports(module: str) -> dict[str, tuple[str, str]]:
    """What a module imports: local name -> (module, name there)."""
    return {local or name: (origin, name) for origin, name, local in IMPORT.findall(module_text(module))}


@functools.cache
def signature(module: str, name: str) -> Signature | None:
    """Read a class or function from a module's source; None where it is not there."""
    text = module_text(module)
    found = re.search(rf"^(class|def) {name}\b", text, re.MULTILINE)
    if found is None:
        return None
    end = re.search(r"^(class|def|@|[A-Za-z_])", text[found.end() :], re.MULTILINE)
    body = text[found.start() : found.end() + end.start() if end else len(text)]
    return _function(body) if found[1] == "def" else _class(body)


def _function(body: str) -> Signature:
    node = ast.parse(body).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise TypeError(f"expected a function, found {type(node).__name__}")
    return Signature(_arguments(node.args), node.args.kwarg is not None, frozenset(), 0, (), ast.get_docstring(node) or "", True)


DOCSTRING = re.compile(r'\A(class [^"]*?:\s*)(r?""".*?""")', re.DOTALL)


def _class(body: str) -> Signature:
    documented = DOCSTRING.match(body)
    doc = ast.literal_eval(documented[2]) if documented else ""
    if documented:  # examples in it look like methods
        body = documented[1] + "pass" + body[documented.end() :]
    methods = re.search(r"^    (?:def |@)", body, re.MULTILINE)
    head = ast.parse(body[: methods.start()] + "\n    pass" if methods else body).body[0]
    if not isinstance(head, ast.ClassDef):
        raise TypeError(f"expected a class, found {type(head).__name__}")
    bases = tuple(ast.unparse(base) for base in head.bases)
    doc = inspect.cleandoc(doc)
    start = re.search(r"^    def __init__\(", body, re.MULTILINE)
    if start is None:
        return Signature({}, True, frozenset(), 0, bases, doc, False)
    stop = re.search(r"^    (?:def |@|\w)", body[start.end() :], re.MULTILINE)
    source = body[start.start() : start.end() + stop.start() if stop else len(body)]
    init = ast.parse(textwrap.dedent(source)).body[0]
    if not isinstance(init, ast.FunctionDef):
        raise TypeError(f"expected a function, found {type(init).__name__}")
    passes_on = init.args.kwarg is not None
    return Signature(_arguments(init.args), passes_on, *_passed_up(init), bases, doc, False)


def _arguments(arguments: ast.arguments) -> dict[str, Any]:
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    defaults: list[Any] = [REQUIRED] * (len(names) - len(arguments.defaults)) + list(map(_default, arguments.defaults))
    found = dict(zip(names, defaults, strict=True))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = REQUIRED if default is None else _default(default)
    found.pop("self", None)
    return found


def _default(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _passed_up(init: ast.FunctionDef) -> tuple[frozenset[str], int]:
    """What the call of ``super().__init__`` gives: keywords, and how many by position."""
    for node in ast.walk(init):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            keywords = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
            return keywords, sum(not isinstance(argument, ast.Starred) for argument in node.args)
    return frozenset(), 0


def all_arguments(module: str, name: str) -> dict[str, Any]:
    """The arguments of a class with those that it passes on to its bases.

    Returns:
        Names with defaults, the class's own first.
    """
    own = signature(module, name)
    if own is None:
        return {}
    found = dict(own.arguments)
    if own.open_ended and not own.is_function:
        for base_module, base_name in _bases(module, own):
            for argument, default in list(all_arguments(base_module, base_name).items())[own.positional :]:
                if argument not in own.fixed:
                    found.setdefault(argument, default)
            break  # the first base whose source is found has the __init__ that is called
    return found


def _bases(module: str, own: Signature) -> list[tuple[str, str]]:
    """Where the base classes are defined; those that cannot be found are left out."""
    found = []
    for base in own.bases:
        head, _, attribute = base.partition(".")
        origin = imports(module).get(head)
        candidates = [(module, base)]
        if origin:
            candidates = [(f"{origin[0]}.{origin[1]}", attribute)] if attribute else [origin]
        found += [(place, name) for place, name in candidates if signature(place, name) is not None]
    return found
