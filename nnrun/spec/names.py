"""The nearest right name for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a word was most likely meant to be, or None.

    Case and underscores count little: ``relU`` is ``relu``, ``earlystopping`` is ``EarlyStopping``.
    """
    from difflib import get_close_matches

    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(fold(candidate), candidate)
    matches = get_close_matches(fold(word), folded, 1, 0.65)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``; did you mean 'relu'?``, or nothing."""
    near = nearest(word, candidates)
    return f"; did you mean '{near}'?" if near else ""


def fold(name: str) -> str:
    """A name without case and underscores."""
    return name.lower().replace("_", "").replace("-", "")
