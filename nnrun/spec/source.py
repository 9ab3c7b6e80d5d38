"""Reading a specification: bytes from a file, text, values with places."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nnrun.errors import Place, Problem, Source, SpecError
from nnrun.spec.compose import compose
from nnrun.spec.names import nearest, shorten
from nnrun.spec.node import Node, child, find, leaves, path_text, plain

__all__ = ["Node", "child", "compose", "find", "leaves", "parse_yaml", "path_text", "plain", "read_source"]

MOST_BYTES = 1 << 20
LONGEST_PATH = 250
"""Characters of a path in a message."""


def parse_yaml(source: Source) -> Node:
    """Read one YAML document; numbers and truth values follow YAML 1.2.

    Raises:
        SpecError: All that is wrong with the text, or it holds no value.
    """
    node, problems = compose(source)
    if node is None and not problems:
        problems = [
            Problem("expected a value, found nothing but spaces and comments", place=Place(source, 1, 1, 2))
        ]
    if node is None or problems:
        raise SpecError(problems, source.name)
    return node


def read_source(path: Path) -> Source:
    """Read a file as UTF-8 text.

    Raises:
        SpecError: It is missing, unreadable, too large, or not text.
    """
    name = _printable(str(path))
    shown = shorten(name, LONGEST_PATH)
    try:
        with path.open("rb") as file:
            _check_kind(file.fileno(), name)
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _refusal(f"{shown} does not exist{_near(path)}", name) from None
    except IsADirectoryError:
        raise _refusal(f"expected a YAML file, found the folder {shown}{_contents(path)}", name) from None
    except PermissionError:
        raise _refusal(f"{shown} may not be read: permission denied; see `ls -l {shown}`", name) from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise _refusal(f"{shown} cannot be read: {reason}", name) from None
    if len(data) > MOST_BYTES:
        raise _refusal(f"{shown} is larger than {MOST_BYTES >> 20} MiB; is it a specification?", name)
    return _decode(data, name)


def is_pipe(path: Path) -> bool:
    """Whether a path is that of a pipe, which waits for somebody to write to it and can be read once."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):  # not there, a name too long, a zero byte
        return False


def is_file(path: Path) -> bool:
    """Whether a path is that of a file; False too where it can be none, which ``Path.is_file`` raises at."""
    return os.path.isfile(path)  # noqa: PTH113


def _refusal(message: str, name: str, place: Place | None = None) -> SpecError:
    return SpecError([Problem(message, place=place)], name)


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)


def _check_kind(descriptor: int, name: str) -> None:
    """Refuse devices and sockets; a pipe is welcome: ``nnrun validate <(make-config)``."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise _refusal(f"expected a YAML file, found the device {name}", name)


def _near(path: Path) -> str:
    """What may have been meant by a file that does not exist."""
    names = _names(path.parent)
    if names is None:
        return f"; there is no folder {_printable(str(path.parent))}"
    near = nearest(path.name, names) or nearest(path.name + ".yaml", names)
    return f"; did you mean {_printable(str(path.parent / near))}?" if near else ""


def _contents(path: Path) -> str:
    files = sorted(name for name in _names(path) or [] if name.endswith((".yaml", ".yml")))
    return f"; did you mean {_printable(str(path / files[0]))}?" if files else ""


def _names(folder: Path) -> list[str] | None:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return None


def _decode(data: bytes, name: str) -> Source:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        wide = "utf-32" if data[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff") else "utf-16"
        place = Place(Source(name, data.decode(wide, "replace")), 1, 1, 2)
        raise _refusal("expected UTF-8 text, found UTF-16 or UTF-32; save the file as UTF-8", name, place)
    if b"\x00" in data:
        message = "expected text, found a zero byte; is it a specification?"
        raise _refusal(message, name, _place_of_byte(data, data.index(b"\x00"), name))
    try:
        return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text, found the byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise _refusal(message, name, _place_of_byte(data, error.start, name)) from None


def _place_of_byte(data: bytes, index: int, name: str) -> Place:
    """Where a byte stands in the text that the rest of the file is."""
    readable = Source(name, data.decode("utf-8-sig", "replace"))
    before = (data[:index].decode("utf-8-sig", "replace") + "?").splitlines()
    return Place(readable, len(before), len(before[-1]), len(before[-1]) + 1)
