"""From YAML text to nodes.

PyYAML scans and parses; from its events nodes are made here, so that every value keeps its place, every
mistake is found in one pass, and nothing in a file can name code: there are no constructors and no tags.
PyYAML's C parser is not used: it crashes the process on deep nesting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from nnrun.errors import Place, Problem, Source
from nnrun.spec.node import Node, path_text
from nnrun.spec.scalars import read_scalar
from nnrun.spec.schema import shorten
from nnrun.spec.syntax import explain

DEEPEST = 64
MOST_VALUES = 20_000
"""Keys and values after aliases are followed: a few hundred bytes of nested aliases can denote billions."""


def compose(source: Source) -> tuple[Node | None, list[Problem]]:
    """Read one YAML document.

    Returns:
        The value, None where there is none or it cannot be read; and all that is wrong with the text. A value
        that a problem speaks of is in the tree all the same, so that the rest can be checked.
    """
    controls = _control_characters(source)
    if controls:
        return None, controls
    composer = _Composer(source)
    try:
        return composer.document(), composer.problems
    except _StopError as stop:
        return None, [*composer.problems, stop.problem]
    except yaml.MarkedYAMLError as error:
        return None, [*composer.problems, explain(error, source)]
    except (ValueError, OverflowError):
        # What chr() and int() say of "\U99999999" and of %YAML with 5,000 digits; PyYAML lets it pass.
        message = "an escape or a directive holds a number that is out of range"
        return None, [*composer.problems, Problem(message, place=composer.here())]


def _control_characters(source: Source) -> list[Problem]:
    """The first few characters that no YAML text may hold."""
    problems = []
    for match in Reader.NON_PRINTABLE.finditer(source.text):
        lines = source.text[: match.end()].splitlines() or [""]
        if not lines[-1].endswith(match.group()):  # it is itself a line's end for str.splitlines
            lines[-1] += match.group()
        place = Place(source, len(lines), len(lines[-1]), len(lines[-1]) + 1)
        character = f"U+{ord(match.group()):04X}"
        problems.append(
            Problem(f"the control character {character} cannot stand in YAML; remove it", place=place)
        )
        if len(problems) == 5:
            break
    return problems


class _StopError(Exception):
    """The rest of the text cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Events(Reader, Scanner, Parser):
    """PyYAML as far as events: no resolver, no constructor."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


@dataclass
class _Anchor:
    """A value that aliases can name; ``node`` is None while it is being read."""

    place: Place
    node: Node | None = None
    size: int = 0
    height: int = 0


class _Composer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._events = _Events(source.text)
        self._anchors: dict[str, _Anchor] = {}
        self._path: list[str | int] = []
        self._count = 0  # values so far, those behind aliases too
        self._deepest = 0  # of the value being read

    def here(self) -> Place:
        """Where the scanner stands."""
        mark = self._events.get_mark()
        return Place(self.source, mark.line + 1, mark.column + 1, mark.column + 2)

    def document(self) -> Node | None:
        self._next()  # the stream's start
        if self._events.check_event(StreamEndEvent):
            return None
        self._next()  # the document's start
        node = self._node(1)
        self._next()  # the document's end
        if not self._events.check_event(StreamEndEvent):
            self._report(
                "a second document begins here; a file holds one: remove the '---'", self._place(self._next())
            )
        return node

    def _next(self) -> Any:
        """The next event; typeshed knows little of them."""
        return self._events.get_event()  # type: ignore[no-untyped-call]

    def _report(self, message: str, place: Place) -> None:
        self.problems.append(Problem(message, path_text(self._path), place))

    def _place(self, event: Any) -> Place:
        """The stretch of the event's first line that it covers."""
        start, end = event.start_mark, event.end_mark
        if end.line == start.line:
            stop = end.column
        else:
            stop = len((self.source.line(start.line + 1) or "").rstrip())
        return Place(self.source, start.line + 1, start.column + 1, max(stop, start.column + 1) + 1)

    def _node(self, depth: int) -> Node:
        event: Any = self._next()
        place = self._place(event)
        self._spend(1, depth, place)
        if isinstance(event, AliasEvent):
            return self._alias(str(event.anchor), place, depth)
        if event.tag is not None:
            tag = shorten(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._report(f"the tag {tag} is refused; write the value without it", place)
        if event.anchor is None:
            return self._content(event, place, depth)
        return self._anchored(event, place, depth)

    def _spend(self, values: int, depth: int, place: Place) -> None:
        """Count values against the budget."""
        self._count += values
        self._deepest = max(self._deepest, depth)
        if depth > DEEPEST:
            message = f"nested deeper than {DEEPEST} levels"
        elif self._count > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} keys and values (an alias counts as all that it stands for)"
        else:
            return
        raise _StopError(Problem(message, place=place))

    def _alias(self, name: str, place: Place, depth: int) -> Node:
        anchor = self._anchors.get(name)
        if anchor is None:
            self._report(f"there is no anchor &{shorten(name)} before this alias", place)
        elif anchor.node is None:
            self._report(f"the alias *{shorten(name)} stands inside the value that it names", place)
        else:
            self._spend(anchor.size, depth + anchor.height, place)
            return anchor.node
        return Node(None, place)

    def _anchored(self, event: Any, place: Place, depth: int) -> Node:
        earlier = self._anchors.get(event.anchor)
        if earlier is not None:
            self._report(
                f"the anchor &{shorten(event.anchor)} is already in line {earlier.place.line}", place
            )
        anchor = self._anchors[event.anchor] = _Anchor(place)
        count, outer, self._deepest = self._count, self._deepest, depth
        anchor.node = self._content(event, place, depth)
        anchor.size, anchor.height = self._count - count, self._deepest - depth
        self._deepest = max(outer, self._deepest)
        return anchor.node

    def _content(self, event: Any, place: Place, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            return Node(self._scalar(event, place), place)
        value = self._list(depth) if isinstance(event, SequenceStartEvent) else self._map(depth)
        end = self._next().end_mark
        if event.flow_style and end.line == event.start_mark.line:
            return Node(value, replace(place, end_column=end.column + 1))
        line = (self.source.line(place.line) or "").rstrip()
        return Node(value, replace(place, end_column=max(len(line), place.column) + 1))

    def _scalar(self, event: ScalarEvent, place: Place) -> bool | int | float | str | None:
        text: str = event.value
        if event.style is None and event.tag is None:
            try:
                return read_scalar(text)
            except ValueError as error:
                self._report(shorten(str(error), 100), place)
        refused = Reader.NON_PRINTABLE.search(text)
        if refused:
            self._report(f"the control character U+{ord(refused.group()):04X} cannot stand in text", place)
            return Reader.NON_PRINTABLE.sub("?", text)  # no file system would take it for a path
        return text

    def _list(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not self._events.check_event(SequenceEndEvent):
            self._path.append(len(items))
            items.append(self._node(depth + 1))
            self._path.pop()
        return items

    def _map(self, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] | None = None
        while not self._events.check_event(MappingEndEvent):
            written = self._events.peek_event()  # type: ignore[no-untyped-call]
            key_place = self._place(written)
            key = self._key(written, self._node(depth + 1))
            self._path.append(key or "?")
            value = replace(self._node(depth + 1), key_place=key_place)
            if _is_merge(written):
                if merged is not None:
                    self._report("the key << is in this map already; write <<: [*one, *two]", key_place)
                merged = {**self._merged(value), **(merged or {})}
            elif key is not None and key in own:
                line = own[key].key_place.line  # type: ignore[union-attr]  # set a line above
                self._report(f"this key is already in line {line}; keep one of them", key_place)
            elif key is not None:
                own[key] = value
            self._path.pop()
        return {**(merged or {}), **own}

    def _key(self, written: Any, node: Node) -> str | None:
        if isinstance(node.value, str):
            return node.value
        if (
            isinstance(written, ScalarEvent)
            and isinstance(node.value, int)
            and not isinstance(node.value, bool)
        ):
            return str(written.value)  # classes are numbers: {0: 1.0, 1: 5.0}
        if isinstance(written, ScalarEvent):
            shown = shorten(written.value)
            advice = f'; write "{shown}" if it is one' if shown else ""
            self._report(f"expected text as a key, found {shown or 'nothing'}{advice}", node.place)
            return str(written.value)
        if node.value is not None:  # an unknown alias was reported already
            self._report("expected text as a key, found a list or a map", node.place)
        return None

    def _merged(self, value: Node) -> dict[str, Node]:
        """What the key << brings in; of several maps the first wins."""
        brought: dict[str, Node] = {}
        for item in value.value if isinstance(value.value, list) else [value]:
            if isinstance(item.value, dict):
                brought = {**item.value, **brought}
            elif item.value is not None:
                self._report("expected a map, or a list of maps, after <<", item.place)
        return brought


def _is_merge(event: Any) -> bool:
    return isinstance(event, ScalarEvent) and event.value == "<<" and event.style is None
