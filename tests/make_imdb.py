"""Make a pickle-free ``imdb.npz`` from raw film reviews, with the vocabulary rule of ``keras.datasets.imdb``.

    python tests/make_imdb.py FOLDER/imdb_train.parquet FOLDER/imdb_test.parquet OUT/imdb.npz
    NNRUN_DATA_DIR=OUT nnrun train configs/imdb.yaml

The tables have the columns ``text`` and ``label`` (``pos`` or ``neg``). The text is made lower case and cut
at blanks and punctuation, the apostrophe excepted. A word's number is its rank by frequency in the training
reviews plus 3: 0 pads, 1 starts a review, 2 is left for words outside a smaller vocabulary, the most frequent
word is 4. Words that no training review has are skipped. The order of the examples is random, as Keras's.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnrun.data.words import pad_words

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
TO_BLANKS = str.maketrans(dict.fromkeys(PUNCTUATION, " "))
START, FIRST = 1, 4
SHUFFLE_SEED = 113


def split_words(text: str) -> list[str]:
    """Cut a text into words."""
    return [word for word in text.lower().translate(TO_BLANKS).split(" ") if word]


def number_words(texts: Iterable[list[str]]) -> dict[str, int]:
    """The number of each word: the more frequent, the smaller; of equals the one seen first."""
    counts = Counter(word for text in texts for word in text)
    return {word: FIRST + rank for rank, (word, _) in enumerate(counts.most_common())}


def encode(text: list[str], numbers: Mapping[str, int]) -> list[int]:
    """The word numbers of a text, after the start mark."""
    return [START, *(numbers[word] for word in text if word in numbers)]


def read_reviews(path: Path) -> tuple[list[list[str]], NDArray[np.uint8]]:
    """The reviews' words and their labels, 1 for ``pos``, in Keras's kind of random order."""
    import polars

    table = polars.read_parquet(path)
    labels = (table["label"] == "pos").to_numpy().astype(np.uint8)
    order = np.arange(len(labels))
    np.random.RandomState(SHUFFLE_SEED).shuffle(order)
    texts = [split_words(text) for text in table["text"]]
    return [texts[row] for row in order], labels[order]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a pickle-free imdb.npz from raw film reviews.")
    parser.add_argument("train", type=Path, help="table of the training reviews")
    parser.add_argument("test", type=Path, help="table of the test reviews")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--length", type=int, default=500, help="keep the last words of a review (500)")
    arguments = parser.parse_args()
    train, y_train = read_reviews(arguments.train)
    test, y_test = read_reviews(arguments.test)
    numbers = number_words(train)
    rows = {
        name: pad_words((encode(text, numbers) for text in texts), arguments.length)
        for name, texts in (("x_train", train), ("x_test", test))
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.out, **rows, y_train=y_train, y_test=y_test)
    print(f"{arguments.out}: {len(train):,} + {len(test):,} reviews, {len(numbers):,} words")


if __name__ == "__main__":
    main()
