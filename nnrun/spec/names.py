"""Names in messages: the nearest right one for a wrong one, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_LISTED = 16
LONGEST = 100
"""Characters; what is longer is no name, and comparing it would take long."""

ALIKE = 0.65
"""How much of two names must agree, as ``difflib`` measures it."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a word was most likely meant to be, or None.

    Case and underscores count little: ``relU`` is ``relu``, ``earlystopping`` is ``EarlyStopping``.
    """
    from difflib import SequenceMatcher, get_close_matches

    spellings: dict[str, list[str]] = {}
    if len(word) > LONGEST:
        return None
    for candidate in candidates:
        if len(candidate) <= LONGEST:
            spellings.setdefault(fold(candidate), []).append(candidate)
    folded = fold(word)
    matches = get_close_matches(folded, spellings, 5, ALIKE) or _completions(folded, spellings)
    if not matches:
        return None
    # Two letters that changed places are one slip: adma is nearer to adam than to adamax.
    best = next((match for match in matches if sorted(match) == sorted(folded)), matches[0])

    def likeness(candidate: str) -> tuple[bool, float]:
        return candidate.islower() == word.islower(), SequenceMatcher(None, word, candidate).ratio()

    return max(spellings[best], key=likeness)


def _completions(word: str, candidates: Iterable[str]) -> list[str]:
    """What begins with a word of at least two letters: ``max`` for ``max_value``; the shortest first."""
    return sorted((name for name in candidates if len(word) > 1 and name.startswith(word)), key=len)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``; did you mean 'relu'?``, or nothing."""
    near = nearest(word, candidates)
    return f"; did you mean '{shorten(near, LONGEST)}'?" if near else ""


def shorten(text: str, longest: int = 40) -> str:
    """The text on one line: what cannot be printed is escaped, and a long one ends in three dots."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def listed(names: Sequence[str]) -> str:
    """The names with commas between them; three dots stand for those beyond the first few."""
    shown = [shorten(name) for name in names[:MOST_LISTED]]
    return ", ".join([*shown, "..."] if len(names) > MOST_LISTED else shown)


def fold(name: str) -> str:
    """A name without case and underscores."""
    return name.lower().replace("_", "").replace("-", "")
