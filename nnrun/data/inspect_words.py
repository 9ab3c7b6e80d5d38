"""Texts as the words that a model will see: how long, how many different ones, and what is lost."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.inspect_views import Histogram, Words
from nnrun.data.words import UNKNOWN
from nnrun.spec.file_sources import TextSettings

if TYPE_CHECKING:
    import polars

MOST_TEXTS = 100_000
"""Of more, as many at equal distances are looked at."""

MOST_FREQUENT = 5
PUNCTUATION = r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']"
TOKENS = {"whitespace": r"[^ \t\n\r\x0b\x0c]+", "character": r"(?s)."}


def describe_texts(texts: polars.Series, settings: TextSettings) -> Words:
    """Split texts as Keras's TextVectorization does, and count.

    Args:
        texts: Those of the training part; a missing one has no words.
        settings: How they are split, and for how many there is room.
    """
    is_row = settings.output_mode == "int"
    if is_row and texts.len() > MOST_TEXTS:  # a bag's width is its vocabulary: then all texts count
        texts = texts.gather_every(-(-texts.len() // MOST_TEXTS))
    tokens = split_texts(texts, settings)
    lengths = tokens.list.len().to_numpy()
    words = tokens.explode().drop_nulls().alias("word")
    counts = words.value_counts(sort=True)
    sizes = counts["count"].to_numpy()
    # The first numbers stand for padding (in rows only) and for unknown words.
    places = settings.max_tokens - (2 if is_row else 1)
    return Words(
        texts=len(lengths),
        shortest=int(lengths.min()),
        mean=float(lengths.mean()),
        longest=int(lengths.max()),
        room=settings.sequence_length if is_row else None,
        cut=int((lengths > settings.sequence_length).sum()) if is_row else 0,
        distinct=len(sizes),
        places=places,
        unknown=float(sizes[places:].sum() / max(1, sizes.sum())),
        frequent=[(str(word), int(count)) for word, count in counts.head(MOST_FREQUENT).iter_rows()],
        lengths=Histogram.of(lengths),
    )


def split_texts(texts: polars.Series, settings: TextSettings) -> polars.Series:
    """The words of each text, a list of strings; like TensorFlow only the letters A to Z are made small."""
    import polars as pl

    texts = texts.fill_null("")
    if settings.standardize in ("lower", "lower_and_strip_punctuation"):
        texts = texts.str.replace_many(list(string.ascii_uppercase), list(string.ascii_lowercase))
    if settings.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
        texts = texts.str.replace_all(PUNCTUATION, "")
    tokens = texts.str.extract_all(TOKENS[settings.split])
    if settings.ngrams is None:
        return tokens
    sizes = range(1, settings.ngrams + 1)
    return pl.Series(
        [
            [" ".join(row[at : at + size]) for size in sizes for at in range(len(row) - size + 1)]
            for row in tokens.to_list()
        ],
        dtype=pl.List(pl.String),
    )


def describe_word_numbers(rows: NDArray[Any], vocabulary: int) -> Words:
    """Count in rows of word numbers, which are padded with 0; texts longer than a row are cut already.

    Args:
        rows: Whole numbers of shape (n, length).
        vocabulary: Numbers lie in [0, vocabulary).
    """
    lengths = np.count_nonzero(rows, axis=1)
    counts = np.bincount(rows.ravel(), minlength=vocabulary)
    counts[0] = 0
    top = np.argsort(-counts, kind="stable")[:MOST_FREQUENT]
    return Words(
        texts=len(rows),
        shortest=int(lengths.min()),
        mean=float(lengths.mean()),
        longest=int(lengths.max()),
        room=rows.shape[1],
        cut=int((lengths == rows.shape[1]).sum()),
        distinct=int(np.count_nonzero(counts)),
        places=vocabulary,
        unknown=float(counts[UNKNOWN] / max(1, counts.sum())) if vocabulary > UNKNOWN else 0.0,
        frequent=[(str(word), int(counts[word])) for word in top if counts[word]],
        lengths=Histogram.of(lengths),
    )
