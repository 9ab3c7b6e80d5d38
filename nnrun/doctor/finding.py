"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        state: ``ok``; ``note``: good to know, training works; ``problem``: training does not work.
        subject: What was looked at.
        text: What was found.
        remedy: What to do, where there is something to do.
    """

    state: Literal["ok", "note", "problem"]
    subject: str
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding("ok", subject, text)


def note(subject: str, text: str, remedy: str = "") -> Finding:
    """Good to know."""
    return Finding("note", subject, text, remedy)


def problem(subject: str, text: str, remedy: str) -> Finding:
    """Training does not work."""
    return Finding("problem", subject, text, remedy)
