"""What an exception of Keras's, or of the user's Python file, says; and where in the file it was raised."""

from __future__ import annotations

import re
import traceback

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec.code import SOURCES
from nnrun.spec.names import shorten

LONGEST_REASON = 400
"""Characters of a message of Keras's, which may repeat the whole of a value."""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def reason_of(error: BaseException) -> str:
    """The message as one line, without colours and without the arguments that Keras lists.

    Where the user's file raised the exception, its place there is added.
    """
    raised = _raised_in_code(error)
    if raised is None:
        return message_of(error)
    cause, place = raised
    return f"{message_of(cause)} ({place.source.name}:{place.line})"


def message_of(error: BaseException) -> str:
    """The message as one line, without colours and without the arguments that Keras lists."""
    text = COLOURS.sub("", str(error))
    text = re.sub(r"^Exception encountered when calling [^\n]*\n", "", text)
    text = text.partition("\n\nArguments received by ")[0]
    return shorten(" ".join(text.split()), LONGEST_REASON) or type(error).__name__


def blame_code(error: BaseException) -> SpecError | None:
    """What to say of an exception that the user's file raised while it was used; None for any other one."""
    raised = _raised_in_code(error)
    if raised is None:
        return None
    cause, place = raised
    message = f"raised {type(cause).__name__}: {message_of(cause)}"
    return SpecError([Problem(message, place=place)], place.source.name)


def _raised_in_code(error: BaseException) -> tuple[BaseException, Place] | None:
    """The exception that left the user's file, and where: Keras often raises another one in its place."""
    found = None
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        for source in SOURCES.values():
            if place := line_in(link, source):
                found = link, place
        link = link.__cause__ or link.__context__
    return found


def line_in(error: BaseException, source: Source) -> Place | None:
    """The line of a source at which an exception left it; None where it was not there."""
    if isinstance(error, SyntaxError) and error.filename == source.name:
        return Place(source, error.lineno or 1, 1, 2)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == source.name]
    return Place(source, lines[-1] or 1, 1, 2) if lines else None
