"""The built-in sources: embedded, generated, or found on the disk or the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnrun.data.archive import Expected, read_arrays
from nnrun.data.class_names import class_names
from nnrun.data.download import Unavailable
from nnrun.data.examples import Dataset, Examples
from nnrun.data.generated import make_examples
from nnrun.data.lookup import DATA_DIR, describe_file, look_up
from nnrun.data.split import split_indices
from nnrun.errors import DataError
from nnrun.spec.datasets import complete_arguments, dataset_facts, fallback_fits
from nnrun.spec.inline import class_labels
from nnrun.spec.schema import Choice, DataSection

DIGITS = Path(__file__).parent / "embedded" / "digits.npz"

DIGITS_TEST_SEED = 1797
"""The test part of the embedded digits is the same for every seed, so that scores can be compared."""


@dataclass(frozen=True)
class Found:
    """What was found for a data section.

    Args:
        dataset: The examples.
        name: What to show.
        warning: What nobody must miss.
    """

    dataset: Dataset
    name: str
    warning: str | None = None


def find_dataset(section: DataSection, *, seed: int, notify: Callable[[str], None]) -> Found:
    """Load a built-in source, or what stands in for it.

    Args:
        section: Names the source and its fallback.
        seed: Of what is generated.
        notify: Is told what takes long.

    Raises:
        DataError: The source cannot be had and has no fallback, or its file is not what it should be.
    """
    source = section.source
    if source.name == "digits":
        return Found(_load_digits(complete_arguments(source)["test_split"]), "digits")
    if not dataset_facts(source).downloaded:
        return Found(_generate(source, seed), source.name)
    try:
        return Found(look_up(source, notify), source.name)
    except Unavailable as error:
        if section.fallback is None or not fallback_fits(source.name):
            raise DataError(_advice(source, str(error), section.fallback)) from error
        return _fall_back(source.name, str(error))


def _load_digits(test_split: float) -> Dataset:
    arrays = read_arrays(DIGITS, {"x": Expected("uint8", (8, 8)), "y": Expected("uint8", ())})
    examples = Examples(arrays["x"], arrays["y"].astype(np.int32))
    facts = dataset_facts(Choice("digits", {"test_split": test_split}))
    train, test = _hold_out(examples, test_split, DIGITS_TEST_SEED)
    return Dataset(facts, train, test, class_names("digits", facts.classes))


def _generate(source: Choice, seed: int) -> Dataset:
    arguments, facts = complete_arguments(source), dataset_facts(source)
    examples = make_examples(source.name, arguments, seed)
    train, test = _hold_out(examples, arguments.get("test_split", 0), seed)
    labels = class_labels(arguments["y"]) if source.name == "inline" else None
    names = tuple(map(str, labels)) if labels else class_names(source.name, facts.classes)
    return Dataset(facts, train, test, names)


def _hold_out(examples: Examples, test_split: float, seed: int) -> tuple[Examples, Examples | None]:
    if not test_split:
        return examples, None
    train, test = split_indices(examples.y, test_split, seed=seed, setting="test_split")
    return examples.take(train), examples.take(test)


def _advice(source: Choice, reason: str, fallback: str | None) -> str:
    folder = f"a folder that the environment variable {DATA_DIR} names"
    advice = f"{source.name} cannot be had: {reason}. Put {describe_file(source)} into {folder}"
    if fallback:
        return f"{advice}. data.fallback: {fallback} cannot stand in for it: the shape or the classes differ"
    if fallback_fits(source.name):
        return f"{advice}; or write data.fallback: digits, to train on nnrun's own small digits instead"
    return advice


def _fall_back(name: str, reason: str) -> Found:
    """The embedded digits in the form of MNIST: 28 x 28 pixels from 0 to 255."""
    digits = _load_digits(complete_arguments(Choice("digits"))["test_split"])
    facts = replace(digits.facts, shape=(28, 28), divisor=255.0)
    test = _enlarge(digits.test) if digits.test else None
    warning = (
        f"{name} cannot be had ({reason}). Training on {facts.train + facts.test:,} embedded digits of 8 x 8 "
        f"pixels instead, enlarged to 28 x 28: the scores are not {name}'s."
    )
    found = Dataset(facts, _enlarge(digits.train), test, digits.class_names)
    return Found(found, f"digits (fallback for {name}: {reason})", warning)


def _enlarge(examples: Examples) -> Examples:
    """From 8 x 8 pixels of 0 to 16 to 28 x 28 pixels of 0 to 255: each becomes 3 x 3, with a margin of 2."""
    x = np.asarray(examples.x)
    scaled = np.rint(x * (255 / 16)).astype(np.uint8)
    large = scaled.repeat(3, axis=1).repeat(3, axis=2)  # (n, 24, 24)
    return Examples(np.pad(large, ((0, 0), (2, 2), (2, 2))), examples.y)
