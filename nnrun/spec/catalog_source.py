"""Signatures and docstrings from Keras's source files, without importing Keras.

A file is not parsed whole (some have thousands of lines): the class statement, its docstring and its
``__init__`` are cut out and only they are parsed. Validation of a specification stays within milliseconds.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Required:
    """Stands where an argument has no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


class SourceText(str):
    """A default that is not a literal, as it stands in the source."""


@dataclass(frozen=True)
class Signature:
    """What a class or function takes.

    Args:
        arguments: Names with defaults: a literal, a ``SourceText`` or ``REQUIRED``.
        bases: The base classes as written.
        inherits: There is no ``__init__`` here: a base's serves.
        passed_up: What each call that hands ``**kwargs`` to a base's ``__init__`` gives by itself:
            (number of arguments by position, names of those by keyword).
        unseen: ``**kwargs`` go only where they cannot be followed.
        doc: The docstring.
        is_function: A function, not a class.
    """

    arguments: dict[str, Any]
    bases: tuple[str, ...]
    inherits: bool
    passed_up: tuple[tuple[int, frozenset[str]], ...]
    unseen: bool
    doc: str
    is_function: bool


@dataclass(frozen=True)
class Taken:
    """An argument with the docstring of the class that takes it."""

    default: Any
    doc: str


@functools.cache
def keras_folder() -> Path:
    """Where the installed Keras lies.

    Raises:
        ModuleNotFoundError: Keras is not installed.
    """
    spec = importlib.util.find_spec("keras")  # of a top-level package: imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Keras is not installed; run `pip install nnrun` again", name="keras")
    return Path(spec.submodule_search_locations[0])


ADDED: dict[str, Mapping[str, Signature]] = {}
"""Modules that were read from a file of the user's: what their classes and functions take."""


@functools.cache
def module_text(module: str) -> str:
    """The source of ``keras.src.layers.core.dense`` or ``nnrun.model.steps``; empty where there is no such file."""
    package, *names = module.split(".")
    if package not in ("keras", "nnrun"):
        return ""
    folder = keras_folder() if package == "keras" else Path(__file__).parents[1]
    path = folder.joinpath(*names)
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return ""


IMPORT = re.compile(r"^from (keras\S*) import (?:\((?:\s|#.*)*)?(\w+)(?: as (\w+))?", re.MULTILINE)
"""Keras imports one name in each statement."""


@functools.cache
def imports(module: str) -> dict[str, tuple[str, str]]:
    """What a module imports from Keras: local name -> (module, name there)."""
    return {local or name: (origin, name) for origin, name, local in IMPORT.findall(module_text(module))}


@functools.cache
def names_in_tables(package: str) -> dict[str, str]:
    """The texts that Keras's own ``get`` of a package (``losses``) understands, with what they stand for.

    They stand in ``ALL_OBJECTS_DICT``, which Keras fills with a few comprehensions over ``ALL_OBJECTS``.
    """
    text = module_text(f"keras.src.{package}")
    start = re.search(r"^ALL_OBJECTS = ", text, re.MULTILINE)
    if start is None:
        return {}
    tables = text[start.start() :].partition("\n@keras_export")[0]
    objects: list[str] = []
    found: dict[str, str] = {}
    for statement in ast.parse(tables).body:
        match statement:
            case ast.Assign([ast.Name("ALL_OBJECTS")], ast.Set(elements)):
                objects = [ast.unparse(element) for element in elements]
            case ast.Assign([ast.Subscript(slice=ast.Constant(str(alias)))], ast.Name(name)):
                found[alias] = name
            case ast.Assign(value=ast.DictComp(key)) | ast.Expr(ast.Call(args=[ast.DictComp(key)])):
                found |= {_spell(key, name): name for name in objects}
            case ast.Expr(ast.Call(args=[ast.Dict(keys, values)])):
                aliases = [ast.literal_eval(key) for key in keys if key is not None]
                found |= dict(zip(aliases, map(ast.unparse, values), strict=True))
    return found


def _spell(key: ast.expr, name: str) -> str:
    """What the key of Keras's comprehension makes of a name: itself, in lower case or in snake case."""
    match key:
        case ast.Call(ast.Attribute(inner, "lower")):
            return _spell(inner, name).lower()
        case ast.Call(ast.Name("to_snake_case"), [inner]):
            return snake_case(_spell(inner, name))
    return name


def snake_case(name: str) -> str:
    """As ``keras.src.utils.naming.to_snake_case`` does it: ``MeanSquaredError`` -> ``mean_squared_error``."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


@functools.cache
def signature(module: str, name: str) -> Signature | None:
    """Read a class or function from a module's source; None where it is not defined there."""
    if module in ADDED:
        return ADDED[module].get(name)
    text = module_text(module)
    found = re.search(rf"^(class|def) {name}\b", text, re.MULTILINE)
    if found is None:
        return None
    end = re.search(r"^[@A-Za-z_]", text[found.end() :], re.MULTILINE)
    body = text[found.start() : found.end() + end.start() if end else len(text)]
    return _function(body) if found[1] == "def" else _class(body)


def _function(body: str) -> Signature:
    node = ast.parse(body).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise TypeError(f"expected a function, found {type(node).__name__}")
    return function_signature(node)


def function_signature(node: ast.FunctionDef) -> Signature:
    """What a function takes."""
    doc = ast.get_docstring(node) or ""
    return Signature(_arguments(node.args), (), False, (), node.args.kwarg is not None, doc, True)


DOCSTRING = re.compile(r'\A(class \w+(?:\([^()]*\))?:\n\s*)(r?""".*?""")', re.DOTALL)


def _class(body: str) -> Signature:
    documented = DOCSTRING.match(body)
    doc = ast.literal_eval(documented[2]) if documented else ""
    if documented:  # examples in it look like methods
        body = documented[1] + "pass" + body[documented.end() :]
    head = _first_statement(body, 0, r"^    (?:def |@)", "    pass")
    if not isinstance(head, ast.ClassDef):
        raise TypeError(f"expected a class, found {type(head).__name__}")
    bases = tuple(ast.unparse(base) for base in head.bases)
    doc = _fill_template(inspect.cleandoc(doc))
    start = re.search(r"^    def __init__\(", body, re.MULTILINE)
    init = _first_statement(body, start.start(), r"^    (?:def |@|\w)") if start else None
    if init is not None and not isinstance(init, ast.FunctionDef):
        raise TypeError(f"expected a function, found {type(init).__name__}")
    return class_signature(bases, init, doc)


def class_signature(bases: tuple[str, ...], init: ast.FunctionDef | None, doc: str) -> Signature:
    """What a class takes, by its ``__init__``, where it has one."""
    if init is None:
        return Signature({}, bases, True, (), False, doc, False)
    return Signature(_arguments(init.args), bases, False, *_follow_keywords(init), doc, False)


def _first_statement(body: str, start: int, end: str, last: str = "") -> ast.stmt:
    """Parse from ``start`` to the first match of ``end`` after the first line, followed by ``last``."""
    after = body.index("\n", start)
    stop = re.search(end, body[after:], re.MULTILINE)
    source = body[start : after + stop.start() if stop else len(body)]
    return ast.parse(textwrap.dedent(f"{source}\n{last}")).body[0]


def _fill_template(doc: str) -> str:
    """The optimizers share the description of their common arguments."""
    common = "base_optimizer_keyword_args"
    if f"{{{{{common}}}}}" not in doc:
        return doc
    text = re.search(
        rf'{common} = """(.*?)"""', module_text("keras.src.optimizers.base_optimizer"), re.DOTALL
    )
    entries = inspect.cleandoc(text[1]) if text else ""
    return doc.replace(f"{{{{{common}}}}}", textwrap.indent(entries, "    ").lstrip())


def _arguments(arguments: ast.arguments) -> dict[str, Any]:
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    required = len(names) - len(arguments.defaults)
    defaults: list[Any] = [REQUIRED] * required + [_default(node) for node in arguments.defaults]
    found = dict(zip(names, defaults, strict=True))
    for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = REQUIRED if node is None else _default(node)
    return {name: default for name, default in found.items() if name != "self"}


def _default(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return SourceText(ast.unparse(node))


def _follow_keywords(init: ast.FunctionDef) -> tuple[tuple[tuple[int, frozenset[str]], ...], bool]:
    """What the calls that hand ``**kwargs`` to a base give besides, and whether only others take them."""
    rest = init.args.kwarg
    passed_up: list[tuple[int, frozenset[str]]] = []
    unseen = False
    for node in ast.walk(init):
        if not isinstance(node, ast.Call) or rest is None:
            continue
        if not any(word.arg is None and ast.unparse(word.value) == rest.arg for word in node.keywords):
            continue
        if re.fullmatch(r"super\(.*\)\.__init__", ast.unparse(node.func)):
            count = sum(not isinstance(argument, ast.Starred) for argument in node.args)
            passed_up.append((count, frozenset(word.arg for word in node.keywords if word.arg)))
        else:
            unseen = True
    return tuple(passed_up), unseen and not passed_up  # Keras's bases refuse what they do not know


@functools.cache
def all_arguments(module: str, name: str) -> tuple[dict[str, Taken], bool]:
    """The arguments of a class with those that it passes on to its bases.

    Returns:
        Names with defaults, the class's own first; and whether it takes more than can be seen.
    """
    own = signature(module, name)
    if own is None:
        return {}, False
    found = {argument: Taken(default, own.doc) for argument, default in own.arguments.items()}
    unseen = own.unseen
    for given, fixed in own.passed_up or (((0, frozenset[str]()),) if own.inherits else ()):
        inherited, more = _base_arguments(module, own)
        unseen = unseen or more
        for argument, taken in list(inherited.items())[given:]:
            if argument not in fixed:
                found.setdefault(argument, taken)
    return found, unseen


def _base_arguments(module: str, own: Signature) -> tuple[dict[str, Taken], bool]:
    """The arguments of the first base that takes any: its ``__init__`` is the one that is called."""
    for base in own.bases:
        found, unseen = all_arguments(*locate(module, base))
        if found or unseen:
            return found, unseen
    return {}, False


def locate(module: str, base: str) -> tuple[str, str]:
    """Where a base class is defined, by the way it is written: ``Layer``, ``layers.Layer``."""
    head, _, attribute = base.rpartition(".")
    if head == "keras" or head.startswith("keras."):
        module, base = head, attribute
    elif head:
        origin, package = imports(module).get(head, ("", head))
        module, base = f"{origin}.{package}", attribute
    while signature(module, base) is None and base in imports(module):
        module, base = imports(module)[base]
    return module, base
