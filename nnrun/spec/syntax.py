"""What PyYAML says of broken YAML, in plain words."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from nnrun.errors import Place, Problem, Source
from nnrun.spec.schema import shorten


class _Saying(NamedTuple):
    """One of PyYAML's messages.

    Args:
        context: How its first half begins.
        problem: How its second half begins.
        words: What to say; ``{found}`` is the character or token, ``{line}`` the line where the whole began,
            ``{key}`` the word that stands there.
        at_context: Whether the place to show is where the whole began.
    """

    context: str
    problem: str
    words: str
    at_context: bool = False


SAYINGS = (
    _Saying("", "found character '\\t'", "a tab; indent with spaces"),
    _Saying(
        "",
        "found character",
        "{found} cannot begin a value; put the text in quotes",
    ),
    _Saying(
        "while scanning a simple key", "could not find", "expected ':' and a space after the key {key}", True
    ),
    _Saying(
        "while parsing a block mapping",
        "expected <block end>, but found '-'",
        "a list item among keys; indent the '-' more than the key that the list belongs to",
    ),
    _Saying(
        "while parsing a block mapping",
        "expected <block end>, but found '<block",
        "the indentation fits none of the lines above",
    ),
    _Saying(
        "while parsing a block mapping",
        "expected <block end>",
        "the value ended before this; put the whole of it in quotes, or begin a new line",
    ),
    _Saying(
        "while parsing a block collection",
        "expected <block end>, but found '<block",
        "the indentation fits none of the lines above",
    ),
    _Saying(
        "while parsing a block collection",
        "expected <block end>, but found '?'",
        "a key among list items; begin the line with '- ', or indent it less",
    ),
    _Saying(
        "while parsing a block collection",
        "expected <block end>",
        "the value ended before this; put the whole of it in quotes, or begin a new line",
    ),
    _Saying(
        "while parsing a flow sequence",
        "expected ',' or ']', but got '<stream end>'",
        "'[' is never closed",
        True,
    ),
    _Saying(
        "while parsing a flow mapping",
        "expected ',' or '}', but got '<stream end>'",
        "'{' is never closed",
        True,
    ),
    _Saying(
        "while parsing a flow sequence",
        "expected",
        "expected ',' or ']' in the list that begins in line {line}",
    ),
    _Saying(
        "while parsing a flow mapping",
        "expected",
        "expected ',' or '}' in the map that begins in line {line}",
    ),
    _Saying("while scanning a quoted", "found unexpected", "the quote that opens here is never closed", True),
    _Saying(
        "while scanning a double-quoted",
        "",
        "a backslash in double quotes begins an escape such as \\n; use single quotes, or write \\\\",
    ),
    _Saying(
        "", "sequence entries are not allowed", "a list item cannot begin here; give it a line of its own"
    ),
    _Saying("", "mapping keys are not allowed", "a '?' cannot stand here; put the text in quotes"),
    _Saying(
        "while scanning a directive",
        "",
        "a line that begins with '%' is a YAML directive; put text in quotes",
    ),
    _Saying(
        "while scanning an",
        "",
        "expected a name of letters and digits; put text that begins with * or & in quotes",
    ),
    _Saying("while scanning a block scalar", "", "expected the text on the lines after '|' or '>'"),
    _Saying("while scanning a tag", "", "'!' begins a tag, and tags are refused; put the text in quotes"),
    _Saying("while parsing a tag", "", "'!' begins a tag, and tags are refused; put the text in quotes"),
    _Saying(
        "while parsing a node",
        "found undefined tag",
        "'!' begins a tag, and tags are refused; put the text in quotes",
    ),
    _Saying("while parsing a block node", "", "expected a value, found {found}"),
    _Saying("while parsing a flow node", "", "expected a value, found {found}"),
    _Saying(
        "",
        "expected '<document start>'",
        "the text should have ended before this line; is the indentation or a bracket wrong?",
    ),
    _Saying("", "found incompatible YAML", "expected YAML 1.2; remove the line that begins with '%'"),
    _Saying("", "found duplicate YAML", "expected YAML 1.2; remove the line that begins with '%'"),
    _Saying("", "duplicate tag handle", "tags are refused; remove the line that begins with '%'"),
)

TOKENS = {
    "<stream end>": "the end of the text",
    "<document end>": "the end of the document",
    "<document start>": "the beginning of a document",
    "<block end>": "less indentation",
    "<block mapping start>": "a key",
    "<block sequence start>": "a list item",
}


def explain(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    """The mistake that stopped PyYAML, at its place."""
    context, said = error.context or "", error.problem or ""
    mark: Any = error.problem_mark or error.context_mark
    tab = _tab(mark, source)
    if tab:
        return Problem("a tab in the indentation; indent with spaces", place=tab)
    if said.startswith("mapping values are not allowed"):
        return Problem(_second_colon(mark, source), place=_place(mark, source))
    for saying in SAYINGS:
        if context.startswith(saying.context) and said.startswith(saying.problem):
            start = error.context_mark or mark
            words = saying.words.replace("{found}", _found(said)).replace("{line}", str(start.line + 1))
            words = words.replace("{key}", _word(start, source))
            return Problem(words, place=_place(start if saying.at_context else mark, source))
    return Problem(f"cannot be read as YAML: {shorten(said, 100)}", place=_place(mark, source))


def _place(mark: Any, source: Source) -> Place:
    return Place(source, mark.line + 1, mark.column + 1, mark.column + 2)


def _tab(mark: Any, source: Source) -> Place | None:
    """The tab in the indentation of the line where PyYAML stopped."""
    line = source.line(mark.line + 1) or ""
    indentation = line[: len(line) - len(line.lstrip())]
    column = indentation.find("\t")
    return Place(source, mark.line + 1, column + 1, column + 2) if column >= 0 else None


def _second_colon(mark: Any, source: Source) -> str:
    before = (source.line(mark.line + 1) or "")[: mark.column]
    if ": " in before:
        return "a second ':' in one line; put text that has a ':' in quotes, or begin a new line"
    return (
        "this line continues the one above; does that lack its ':' or the space after it, "
        "or is this one indented too far?"
    )


def _found(said: str) -> str:
    """The character or token that PyYAML names last in its message."""
    quoted = re.findall(r"'(\\?.[^']*)'", said)
    if not quoted:
        return "something else"
    return TOKENS.get(quoted[-1], f"'{shorten(quoted[-1])}'")


def _word(mark: Any, source: Source) -> str:
    rest = (source.line(mark.line + 1) or "")[mark.column :].strip()
    return f"'{shorten(rest)}'"
