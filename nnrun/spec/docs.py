"""Keras's own words on a part and its arguments, cut to what an editor or a shell can show."""

from __future__ import annotations

import re

from nnrun.spec.argument_types import ENTRY
from nnrun.spec.catalog import Part
from nnrun.spec.catalog_source import all_arguments

LONGEST_DESCRIPTION = 600
"""Characters; an editor shows a description in a small window."""


def summary(doc: str) -> str:
    """The first sentence of a docstring."""
    return sentence(" ".join(doc.partition("\n\n")[0].split()))


def description(doc: str) -> str:
    """The opening paragraphs of a docstring, as far as they fit into an editor's window."""
    text = re.split(
        r"^(?:Args|Arguments|Example|Examples|Usage|Formula|Reference|References|Returns):?.*$|^>>>|^```",
        doc,
        maxsplit=1,
        flags=re.MULTILINE,
    )[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    kept = paragraphs[0]
    for paragraph in paragraphs[1:]:
        if len(kept) + len(paragraph) > LONGEST_DESCRIPTION:
            break
        kept += f"\n\n{paragraph}"
    return kept


def argument_docs(part: Part) -> dict[str, str]:
    """What Keras says of each argument of a part, on one line."""
    taken, _ = all_arguments(part.module, part.name)
    docs = {part.doc: None, **{found.doc: None for found in taken.values()}}
    texts: dict[str, str] = {}
    for doc in docs:
        section = re.search(r"^Args:\n((?:(?:    .*)?\n)*)", doc + "\n", re.MULTILINE)
        for name, text in ENTRY.findall(section[1]) if section else ():
            texts.setdefault(name, " ".join(text.split()))
    return texts


def quoted_words(doc: str) -> list[str]:
    """The texts that a description names: ``"valid"`` and ``"same"``."""
    return list(dict.fromkeys(re.findall(r'`?"([a-z][a-z0-9_]*)"`?', doc)))


def sentence(text: str) -> str:
    """The first sentence; ``e.g.`` and ``a.k.a.`` do not end one."""
    return re.split(r"(?<=[.!?])(?<!\w\.\w\.)\s", text, maxsplit=1)[0]
