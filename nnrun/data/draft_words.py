"""How much room texts need: words of a text, words of the vocabulary, numbers for a word."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nnrun.data.inspect_words import MOST_TEXTS, split_texts
from nnrun.spec.file_sources import TextSettings

if TYPE_CHECKING:
    import polars

SHORTEST_TEXT, LONGEST_TEXT = 4, 500
"""Words of a text that are read."""

LONGEST_EMBEDDING, LONGEST_WORD_VECTOR = 50, 16


@dataclass(frozen=True)
class TextSizes:
    """How much room texts need.

    Args:
        length: Words in a row; one text out of twenty is longer.
        tokens: The vocabulary, with the places for padding and for unknown words.
        usual: The median of the words in a text.
    """

    length: int
    tokens: int
    usual: int

    @property
    def arguments(self) -> dict[str, int]:
        """As they are written."""
        return {"max_tokens": self.tokens, "sequence_length": self.length}


def measure_texts(texts: polars.Series, most_words: int) -> TextSizes:
    """Find out how long texts are, and how many words occur more than once.

    Args:
        texts: All, of which the first ones are looked at.
        most_words: The largest vocabulary.
    """
    import polars as pl

    words = split_texts(texts.head(MOST_TEXTS), TextSettings())
    lengths = words.list.len().cast(pl.Float64).to_numpy()
    length = min(LONGEST_TEXT, max(SHORTEST_TEXT, math.ceil(np.quantile(lengths, 0.95))))
    counts = count_texts(words.explode().drop_nulls())["count"]
    tokens = min(most_words, int((counts > 1).sum())) + 2
    return TextSizes(length, tokens, max(1, int(np.median(lengths))))


def count_texts(values: polars.Series) -> polars.DataFrame:
    """The columns ``text`` and ``count``: how often each value occurs."""
    import polars as pl

    return values.cast(pl.String).alias("text").value_counts(name="count")


def embedding_size(indices: int, longest: int) -> int:
    """How long the vectors of categories or words should be: by the root of their number."""
    return min(longest, math.isqrt(indices - 1) + 2)
