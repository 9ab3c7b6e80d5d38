"""Everything that can go wrong and is not a bug.

    NnrunError            a message for the user; never a traceback
    ├── SpecError         exit 2   the specification or the command line: a list of problems with places
    ├── DataError         exit 3   data missing, unreadable or of the wrong kind
    ├── RunError          exit 4   a run or a checkpoint is missing or damaged
    ├── ResourceError     exit 5   disk, memory, permission; a worker that is gone
    ├── DivergedError     exit 6   a loss, metric or weight is not finite
    ├── RunInUseError     exit 7   another process is writing to the run
    └── ChangedError      exit 8   something differs from what the run was trained with

Anything else that is raised is a bug in nnrun: exit 70, with a traceback in a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

BUG_EXIT_CODE = 70


@dataclass(frozen=True)
class Source:
    """A text that values were read from: a file, or one command line override.

    Args:
        name: What the user calls it: a path as they gave it, or ``command line``.
        text: The whole text, for showing the lines around a problem.
    """

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str | None:
        """The text of a line (counted from 1), or None beyond the end."""
        lines = self.text.splitlines()
        return lines[number - 1] if 1 <= number <= len(lines) else None


@dataclass(frozen=True)
class Place:
    """A stretch of one line in a source. Lines and columns count from 1; ``end_column`` is exclusive."""

    source: Source
    line: int
    column: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, and what was expected, what was found and what to do.

    Args:
        message: The whole explanation in one line.
        path: The place inside the specification, such as ``model.layers[1].Dense.units``; may be empty.
        place: The place in the text, where there is one.
    """

    message: str
    path: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        """The problem in one line: ``file:line:column  path: message``."""
        described = f"{self.path}: {self.message}" if self.path else self.message
        return f"{self.place}  {described}" if self.place else described


class NnrunError(Exception):
    """The base of all expected errors; ``exit_code`` is what the process ends with."""

    exit_code = 1


class SpecError(NnrunError):
    """All the problems found in a specification or a command line, in the order of their places.

    Args:
        problems: At least one.
        name: What the problems are in (``configs/mnist.yaml``), for the closing line.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], name: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        self.name = name


class DataError(NnrunError):
    """The data is missing, unreadable, or not of the kind that was asked for."""

    exit_code = 3


class RunError(NnrunError):
    """A run or a checkpoint is missing or damaged."""

    exit_code = 4


class ResourceError(NnrunError):
    """The disk, the memory or a permission does not allow it."""

    exit_code = 5


class LostWorkerError(ResourceError):
    """Another process that shared the training is gone."""


class DivergedError(NnrunError):
    """A loss, a metric or a weight became NaN or infinite."""

    exit_code = 6


class RunInUseError(NnrunError):
    """Another process holds the run's lock."""

    exit_code = 7


class ChangedError(NnrunError):
    """Something is not what it was when the run was trained."""

    exit_code = 8
