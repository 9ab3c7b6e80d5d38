"""A Python file of the user's whose classes and functions are parts like Keras's: the door of ``--code``.

It is read here, not run: names and arguments are known without running anything. Running it belongs to
``model/code.py``, and only a file that the user names on the command line is ever run.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec import catalog
from nnrun.spec.catalog import Kind
from nnrun.spec.catalog_source import ADDED, locate, signature
from nnrun.spec.code_source import Definition, definitions, signatures

CODE = "code:"
"""Begins the names of modules that come from the user's file."""

LARGEST = 1_000_000
"""Bytes."""

SOURCES: dict[str, Source] = {}
"""What was read, by the names of modules in the catalogue."""

KINDS_BY_PACKAGE: dict[str, Kind] = {
    f"keras.src.{package}": kind for kind, package in catalog.PACKAGES.items()
}


@dataclass(frozen=True)
class Code:
    """A file of Python parts.

    Args:
        path: Where it was read.
        text: What it holds.
        module: Its name in the catalogue.
        parts: The names that it gives for each kind.
    """

    path: Path
    text: str
    module: str
    parts: dict[Kind, list[str]]

    @property
    def sha256(self) -> str:
        """The hash of the text in UTF-8, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def use_code(path: Path | None) -> Code | None:
    """Read a file and put its parts into the catalogue; None takes those of an earlier file out again.

    Raises:
        SpecError: The file cannot be read, is no Python, or gives a name that Keras already has.
    """
    if path is None:
        catalog.set_code(None, {})
        return None
    code = read_code(path)
    catalog.set_code(code.module, code.parts)
    return code


def read_code(path: Path) -> Code:
    """Read a file and find its parts, without running it.

    Public classes are parts of the kind of their Keras base class. Public functions are told apart by what
    they must be given: one argument is an activation, ``(y_true, y_pred)`` a loss or a metric,
    ``(shape, ...)`` an initializer.

    Raises:
        SpecError: The file cannot be read, is no Python, or gives a name that Keras already has.
    """
    catalog.set_code(None, {})
    text = _read(path)
    source = Source(str(path), text)
    tree = _parse(source)
    module = f"{CODE}{path.name}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    ADDED[module], SOURCES[module] = signatures(tree), source
    parts: dict[Kind, list[str]] = {}
    problems = []
    for node in definitions(tree).values():
        for kind in _kinds(module, node):
            parts.setdefault(kind, []).append(node.name)
            if catalog.find(kind, node.name) or catalog.refusal(kind, node.name):
                place = Place(source, node.lineno, node.col_offset + 1, node.col_offset + 2)
                message = f"Keras has {_with_article(kind)} '{node.name}' already; choose another name"
                problems.append(Problem(message, place=place))
    if problems:
        raise SpecError(problems, str(path))
    if not parts:
        message = "defines no part: a class with a Keras base class such as keras.layers.Layer, or a function"
        raise SpecError([Problem(message, place=Place(source, 1, 1, 2))], str(path))
    return Code(path, text, module, parts)


def _parse(source: Source) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python tells them when the file is run
            return ast.parse(source.text, source.name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        reason = getattr(error, "msg", None) or str(error) or "nested too deeply"
        place = Place(source, line, column, column + 1)
        raise SpecError([Problem(f"no Python: {reason}", place=place)], source.name) from None


def _with_article(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise SpecError([Problem("--code: no such file; give the path of a Python file", str(path))])
        if path.stat().st_size > LARGEST:
            raise SpecError(
                [Problem(f"--code: larger than {LARGEST:,} bytes; expected a file of parts", str(path))]
            )
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        message = f"--code: is not text in UTF-8 (byte {error.start:,}); save it as UTF-8"
        raise SpecError([Problem(message, str(path))]) from None
    except OSError as error:
        raise SpecError([Problem(f"--code: cannot be read: {error.strerror}", str(path))]) from None


def _kinds(module: str, node: Definition) -> list[Kind]:
    """What a class or function can stand for."""
    if isinstance(node, ast.ClassDef):
        kind = _class_kind(module, node.name)
        return [kind] if kind else []
    positional = [*node.args.posonlyargs, *node.args.args]
    required = [one.arg for one in positional[: len(positional) - len(node.args.defaults)]]
    if required[:1] == ["shape"]:
        return ["initializer"]
    kinds: dict[int, list[Kind]] = {1: ["activation"], 2: ["loss", "metric"]}
    return kinds.get(len(required), [])


def _class_kind(module: str, name: str) -> Kind | None:
    """The kind of the first base class that is Keras's."""
    own = signature(module, name)
    for base in own.bases if own else ():
        home, found = locate(module, base)
        for package, kind in sorted(KINDS_BY_PACKAGE.items(), key=lambda item: -len(item[0])):
            if home.startswith(package):
                return kind
        if home == module and found != name and (kind_of_base := _class_kind(module, found)):
            return kind_of_base
    return None
