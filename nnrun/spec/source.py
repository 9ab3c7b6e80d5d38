"""YAML with places: every value keeps the line and column where it was written.

Values are made from PyYAML's nodes, never by its constructors: nothing in a file can name code. Numbers and truth
values follow YAML 1.2 (``1e-3`` is a number; ``no``, ``1:30`` and dates are text; ``010`` is ten).
The C loader is not used: it crashes the process on deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
)
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from nnrun.errors import Place, Problem, Source, SpecError

MOST_BYTES = 1 << 20
DEEPEST = 64
MOST_NODES = 100_000
"""Values after aliases are followed: a few hundred bytes of nested aliases can denote billions."""
LONGEST_NUMBER = 400
"""Digits; Python refuses to read much longer ones."""

INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Args:
        value: A plain value, or a list or map of nodes.
        place: Of the value.
        key_place: Of the key that leads to it, where there is one.
    """

    value: None | bool | int | float | str | list[Node] | dict[str, Node]
    place: Place
    key_place: Place | None = None


def plain(node: Node) -> Any:
    """The value without places."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def find(node: Node, path: Sequence[str | int]) -> Node | None:
    """The node that a path of keys and indices leads to, or None."""
    for step in path:
        if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
            node = node.value[step]
        elif isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
            node = node.value[step]
        else:
            return None
    return node


def path_text(path: Sequence[str | int]) -> str:
    """A path as it is shown: ``model.layers[1].Dense.units``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def read_source(path: Path) -> Source:
    """Read a file as UTF-8 text.

    Raises:
        SpecError: It is missing, unreadable, too large, or not text.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise SpecError([Problem(f"{name}: no such file{_near_file(path)}")], name) from None
    except IsADirectoryError:
        raise SpecError([Problem(f"{name}: expected a YAML file, found a folder")], name) from None
    except OSError as error:
        raise SpecError([Problem(f"{name}: cannot be read: {error.strerror}")], name) from None
    if len(data) > MOST_BYTES:
        raise SpecError([Problem(f"{name}: larger than {MOST_BYTES >> 20} MiB; a specification is a few lines")], name)
    return Source(name, _decode(data, name))


def _near_file(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"; there is no folder {path.parent}"
    near = get_close_matches(path.name, names, 1, 0.6)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError([Problem(f"{name}: the text is UTF-16; save it as UTF-8")], name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError(
            [Problem(f"{name}: line {line} is not UTF-8 text (byte 0x{data[error.start]:02x}); is it a YAML file?")], name
        ) from None
    for number, line_text in enumerate(text.split("\n"), 1):
        for column, character in enumerate(line_text, 1):
            if not (character.isprintable() or character in "\t\r\x85\u2028\u2029\ufeff\xa0" or ord(character) > 0xA0):
                place = Place(Source(name, text), number, column, column + 1)
                message = f"a control character (U+{ord(character):04X}) cannot stand in YAML; is it a text file?"
                raise SpecError([Problem(message, place=place)], name)
    return text


def parse_yaml(source: Source) -> Node:
    """Read one YAML document that is a map.

    Raises:
        SpecError: All the problems that could be found in one pass.
    """
    node = parse_value(source)
    if not isinstance(node.value, dict):
        found = "it is empty" if node.value is None else "found something else"
        message = f"expected sections (data, model, training), {found}; see `nnrun train --help`"
        raise SpecError([Problem(message, place=node.place)], source.name)
    return node


def parse_value(source: Source) -> Node:
    """Read one YAML value, such as the right side of an override.

    Raises:
        SpecError: All the problems that could be found in one pass.
    """
    try:
        root = _compose(source)
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(error, source)], source.name) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(f"not YAML: {' '.join(str(error).split())}")], source.name) from None
    if root is None:
        return Node(None, Place(source, 1, 1, 2))
    reader = _Reader(source)
    node = reader.read(root)
    if reader.problems:
        raise SpecError(reader.problems, source.name)
    return node


class _Loader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, yaml.resolver.BaseResolver):
    """PyYAML up to nodes; no constructor, no implicit types."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.BaseResolver.__init__(self)


def _compose(source: Source) -> Any:
    """The document's root node, after its events were seen to be harmless."""
    _check_events(source)
    loader = _Loader(source.text)
    return loader.get_single_node()


def _check_events(source: Source) -> None:
    """Refuse what would be deep or foreign, before anything recurses over it."""
    problems: list[Problem] = []
    loader = _Loader(source.text)
    depth = documents = 0
    while loader.check_event():
        event = loader.get_event()
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        if depth > DEEPEST:
            problems.append(Problem(f"nested deeper than {DEEPEST} levels", place=_place(source, event)))
            break
        if documents > 1:
            message = "a second document begins here; a specification is one document, remove the `---`"
            problems.append(Problem(message, place=_place(source, event)))
            break
        if isinstance(event, NodeEvent) and not isinstance(event, AliasEvent) and getattr(event, "tag", None):
            message = f"tags such as {event.tag!r} are refused; write the value without it"
            problems.append(Problem(message, place=_place(source, event)))
    if problems:
        raise SpecError(problems, source.name)


class _Reader:
    """Turns PyYAML's nodes into ours and collects what is wrong with them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._count = 0
        self._open: set[int] = set()

    def read(self, node: Any) -> Node:
        place = _place(self.source, node)
        self._count += 1
        if self._count > MOST_NODES:
            message = f"more than {MOST_NODES:,} values when aliases are followed"
            raise SpecError([*self.problems, Problem(message, place=place)], self.source.name)
        if isinstance(node, ScalarNode):
            return Node(self._scalar(node, place), place)
        if id(node) in self._open:
            self.problems.append(Problem("an alias that contains itself", place=place))
            return Node(None, place)
        self._open.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                return Node([self.read(item) for item in node.value], place)
            return Node(self._map(node), place)
        finally:
            self._open.discard(id(node))

    def _map(self, node: MappingNode) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key_place = _place(self.source, key_node)
            if isinstance(key_node, ScalarNode) and key_node.value == "<<" and key_node.style is None:
                for name, item in self._merged(value_node):
                    merged.setdefault(name, item)
                continue
            key = self._key(key_node, key_place)
            if key is None:
                continue
            if key in own:
                first = own[key].key_place
                line = first.line if first else 0
                self.problems.append(Problem(f"the key '{key}' is already in line {line}; keep one", place=key_place))
                continue
            own[key] = replace(self.read(value_node), key_place=key_place)
        return {**{key: item for key, item in merged.items() if key not in own}, **own}

    def _merged(self, node: Any) -> Iterator[tuple[str, Node]]:
        items = node.value if isinstance(node, SequenceNode) else [node]
        for item in items:
            if not isinstance(item, MappingNode):
                self.problems.append(Problem("`<<` merges a map, or a list of maps", place=_place(self.source, item)))
                continue
            value = self.read(item).value
            if isinstance(value, dict):
                yield from value.items()

    def _key(self, node: Any, place: Place) -> str | None:
        key = self._scalar(node, place) if isinstance(node, ScalarNode) else node
        if isinstance(key, str):
            return key
        written = node.value if isinstance(node, ScalarNode) else "a list or map"
        self.problems.append(Problem(f"a key is text, found {written or 'nothing'}; put it in quotes", place=place))
        return None

    def _scalar(self, node: ScalarNode, place: Place) -> None | bool | int | float | str:
        text: str = node.value
        if node.style is not None:
            return text
        if text in SPECIAL:
            return SPECIAL[text]
        if INTEGER.fullmatch(text):
            if len(text) > LONGEST_NUMBER:
                self.problems.append(Problem(f"a number of {len(text):,} digits is too long", place=place))
                return 0
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if FLOAT.fullmatch(text):
            return float(text)
        return text


def _place(source: Source, thing: Any) -> Place:
    start, end = thing.start_mark, thing.end_mark
    stop = end.column + 1 if end.line == start.line and end.column > start.column else start.column + 2
    return Place(source, start.line + 1, start.column + 1, stop)


PLAIN_WORDS = (
    ("found character '\\t'", "a tab; indent with spaces"),
    ("mapping values are not allowed here", "a ':' where none can stand; is the line above complete, is the indentation right?"),
    ("could not find expected ':'", "expected ':' after the key"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected ',' or ']'", "expected ',' or ']': a list in brackets is not closed"),
    ("expected ',' or '}'", "expected ',' or '}': a map in braces is not closed"),
    ("found unexpected end of stream", "the text ends inside quotes"),
    ("found undefined alias", "an alias of which there is no anchor"),
    ("cannot start any token", "a character that cannot begin a value; put the text in quotes"),
    ("found unknown escape character", "an unknown escape in double quotes; use single quotes"),
)


def _syntax_problem(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    """PyYAML's message in plain words, at its place."""
    mark = error.problem_mark or error.context_mark
    said = " ".join(str(error.problem or error.context or error).split())
    words = next((ours for theirs, ours in PLAIN_WORDS if theirs in said), said)
    place = Place(source, mark.line + 1, mark.column + 1, mark.column + 2) if mark else None
    return Problem(f"not YAML: {words}", place=place)
