"""The built-in data sets as far as they are known without loading them: shapes, counts, arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnrun.spec.file_checks import check_file_source
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.inline import check_inline, class_labels, value_shape
from nnrun.spec.names import did_you_mean, shorten
from nnrun.spec.schema import Choice, describe

MOST_VALUES = 500_000_000
"""A generated data set holds at most this many numbers: 2 GB of float32."""


@dataclass(frozen=True)
class InputFacts:
    """What is known of one input.

    Args:
        shape: Of one example, without the batch dimension.
        dtype: As it is stored.
        divisor: ``x / divisor`` is what the model sees; None: ``x`` itself.
    """

    shape: tuple[int, ...]
    dtype: str
    divisor: float | None = None


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set.

    Args:
        name: Its name in a specification.
        shape: Of one example, without the batch dimension.
        dtype: Of x as stored: ``uint8``, ``int32`` or ``float32``.
        classes: The number of classes; None where the target is a number (regression).
        train: Number of training examples, before a validation part is taken from them.
        test: Number of test examples; may be 0.
        divisor: ``x / divisor`` lies in [0, 1]; None where x is not scaled.
        vocabulary: For word indices: values lie in [0, vocabulary).
        downloaded: Whether it comes over the network the first time.
        inputs: The inputs by name, where a source of files has several or has named them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    classes: int | None
    train: int
    test: int
    divisor: float | None
    vocabulary: int | None = None
    downloaded: bool = False
    inputs: Mapping[str, InputFacts] = field(default_factory=dict)


Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class _Option:
    """An argument: its default, whose type is the argument's, and the range it must lie in."""

    default: int | float | str
    low: float = 0
    high: float = 1
    below: bool = False  # the upper bound itself is excluded
    words: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """Why a value does not do, or None."""
        if value in self.words:
            return None
        if self.words:
            return f"expected {' or '.join(self.words)}, found {describe(value)}"
        kinds = (int,) if isinstance(self.default, int) else (int, float)
        right_kind = isinstance(value, kinds) and not isinstance(value, bool)
        if right_kind and self.low <= value <= self.high and not (self.below and value == self.high):
            return None
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        limit = f"below {self.high:,}" if self.below else f"at most {self.high:,}"
        return f"expected {kind}, at least {self.low:,} and {limit}; found {describe(value)}"

    def range(self) -> dict[str, Any]:
        """What it may be, in the words of JSON Schema."""
        if self.words:
            return {"enum": list(self.words), "default": self.default}
        kind = "integer" if isinstance(self.default, int) else "number"
        top = "exclusiveMaximum" if self.below else "maximum"
        return {"type": kind, "minimum": self.low, top: self.high, "default": self.default}


@dataclass(frozen=True)
class _Source:
    """A built-in source: its facts as a function of its arguments, and what the arguments may be.

    ``check`` looks at the arguments ``given``, which have no default.
    """

    facts: Callable[[Arguments], DatasetFacts]
    options: Mapping[str, _Option]
    given: tuple[str, ...] = ()
    check: Callable[[Arguments], list[tuple[str, str]]] = lambda _: []


def dataset_names() -> list[str]:
    """The built-in sources, in the order in which to list them."""
    return list(_SOURCES)


def dataset_arguments(name: str) -> dict[str, int | float | str]:
    """The arguments of a source with their defaults.

    Raises:
        KeyError: There is no such source.
    """
    return {argument: option.default for argument, option in _SOURCES[name].options.items()}


def dataset_ranges(name: str) -> dict[str, dict[str, Any]]:
    """The ranges of a source's arguments in the words of JSON Schema; ``{}`` where the source checks it itself.

    Raises:
        KeyError: There is no such source.
    """
    source = _SOURCES[name]
    given: dict[str, dict[str, Any]] = {argument: {} for argument in source.given}
    return given | {argument: option.range() for argument, option in source.options.items()}


def complete_arguments(choice: Choice) -> dict[str, Any]:
    """The arguments of a choice with the defaults of those that it leaves out.

    Raises:
        KeyError: There is no such source.
    """
    return dataset_arguments(choice.name) | choice.arguments


def dataset_facts(choice: Choice) -> DatasetFacts:
    """What is known of a source with these arguments, which :func:`check_dataset` accepts.

    Raises:
        KeyError: There is no such source.
    """
    return _SOURCES[choice.name].facts(complete_arguments(choice))


def check_dataset(choice: Choice) -> list[tuple[str, str]]:
    """What is wrong with a choice of a source.

    Returns:
        Pairs of an argument (empty where the source itself is meant) and a message.
    """
    if choice.name in FILE_SOURCES:
        return check_file_source(choice)
    source = _SOURCES.get(choice.name)
    if source is None:
        known = [*dataset_names(), *FILE_SOURCES]
        return [("", f"no data source '{shorten(choice.name)}'{_suggest(choice.name, known)}")]
    problems = []
    for argument, value in choice.arguments.items():
        if argument in source.given:
            continue
        if argument not in source.options:
            known = [*source.given, *source.options]
            problems.append((argument, f"unknown argument{_suggest(argument, known)}"))
        elif problem := source.options[argument].problem(value):
            problems.append((argument, problem))
    return problems + source.check(choice.arguments) or _check_sizes(choice)


def fallback_fits(name: str) -> bool:
    """Whether ``fallback: digits`` can stand in: the source is downloaded, 28 x 28 and has ten classes."""
    known = name in _SOURCES and not _SOURCES[name].given
    facts = dataset_facts(Choice(name)) if known else None
    return facts is not None and facts.downloaded and facts.shape == (28, 28) and facts.classes == 10


def held_out(count: int, fraction: float) -> int:
    """How many of ``count`` examples a fraction of them is, halves rounded up."""
    return int(count * fraction + 0.5)


def _check_sizes(choice: Choice) -> list[tuple[str, str]]:
    """Arguments that are each right and do not go together."""
    facts = dataset_facts(choice)
    values = (facts.train + facts.test) * facts.shape[0]
    if choice.name in _GENERATED and values > MOST_VALUES:
        return [
            ("examples", f"too large: {values:,} values; a generated data set holds at most {MOST_VALUES:,}")
        ]
    if facts.train < (facts.classes or 1):
        argument = "examples" if choice.name in _GENERATED else "test_split"
        return [
            (argument, f"leaves {facts.train} training examples for {facts.classes} classes; each needs one")
        ]
    if complete_arguments(choice).get("test_split") and not facts.test:
        return [("test_split", f"leaves no test example of {facts.train}; write 0 for none")]
    return []


def _suggest(word: str, candidates: list[str]) -> str:
    listed = f"; there are {', '.join(candidates)}" if candidates else "; it takes none"
    return did_you_mean(word, candidates) or listed


def _fixed(facts: DatasetFacts) -> _Source:
    return _Source(lambda _: facts, {})


def _downloaded_images(name: str, shape: tuple[int, ...], classes: int, train: int) -> _Source:
    return _fixed(DatasetFacts(name, shape, "uint8", classes, train, 10_000, 255.0, downloaded=True))


def _word_numbers(name: str, classes: int, train: int, test: int) -> _Source:
    def facts(arguments: Arguments) -> DatasetFacts:
        shape, vocabulary = (arguments["maxlen"],), arguments["num_words"]
        return DatasetFacts(name, shape, "int32", classes, train, test, None, vocabulary, downloaded=True)

    return _Source(facts, {"num_words": _Option(10_000, 4, 1_000_000), "maxlen": _Option(200, 1, 10_000)})


def _points(name: str, options: Mapping[str, _Option]) -> _Source:
    """Points that are made from the seed: two classes in the plane, unless the options say otherwise."""

    def facts(arguments: Arguments) -> DatasetFacts:
        total = arguments["examples"]
        test = held_out(total, arguments["test_split"])
        shape, classes = (arguments.get("features", 2),), arguments.get("classes", 2)
        return DatasetFacts(name, shape, "float32", classes, total - test, test, None)

    return _Source(facts, {"examples": _Option(600, 4, 10_000_000), **options, "test_split": _TEST_SPLIT})


def _inline(arguments: Arguments) -> DatasetFacts:
    total = len(arguments["y"])
    test = held_out(total, arguments["test_split"])
    labels = class_labels(arguments["y"])
    shape = value_shape(arguments["x"][0]) or (1,)
    return DatasetFacts("inline", shape, "float32", len(labels) if labels else None, total - test, test, None)


def _digits(arguments: Arguments) -> DatasetFacts:
    test = held_out(1797, arguments["test_split"])
    return DatasetFacts("digits", (8, 8), "uint8", 10, 1797 - test, test, 16.0)


def _california_housing(arguments: Arguments) -> DatasetFacts:
    train, test = (16_512, 4_128) if arguments["version"] == "large" else (480, 120)
    return DatasetFacts("california_housing", (8,), "float32", None, train, test, None, downloaded=True)


_TEST_SPLIT = _Option(0.2, 0, 1, below=True)
_GENERATED = ("blobs", "moons", "circles", "spirals")
_SOURCES: Mapping[str, _Source] = {
    "digits": _Source(_digits, {"test_split": _TEST_SPLIT}),
    "xor": _fixed(DatasetFacts("xor", (2,), "float32", 2, 4, 0, None)),
    "inline": _Source(
        _inline, {"test_split": _Option(0.0, 0, 1, below=True)}, given=("x", "y"), check=check_inline
    ),
    "celsius": _fixed(DatasetFacts("celsius", (1,), "float32", None, 7, 0, None)),
    "blobs": _points(
        "blobs",
        {
            "classes": _Option(3, 2, 1_000),
            "features": _Option(2, 1, 10_000),
            "noise": _Option(0.15, 0, 1_000),
        },
    ),
    "moons": _points("moons", {"noise": _Option(0.1, 0, 1_000)}),
    "circles": _points(
        "circles", {"noise": _Option(0.05, 0, 1_000), "factor": _Option(0.5, 0, 1, below=True)}
    ),
    "spirals": _points(
        "spirals",
        {"classes": _Option(2, 2, 100), "turns": _Option(1.0, 0, 10), "noise": _Option(0.05, 0, 1_000)},
    ),
    "mnist": _downloaded_images("mnist", (28, 28), 10, 60_000),
    "fashion_mnist": _downloaded_images("fashion_mnist", (28, 28), 10, 60_000),
    "cifar10": _downloaded_images("cifar10", (32, 32, 3), 10, 50_000),
    "cifar100": _downloaded_images("cifar100", (32, 32, 3), 100, 50_000),
    "imdb": _word_numbers("imdb", 2, 25_000, 25_000),
    "reuters": _word_numbers("reuters", 46, 8_982, 2_246),
    "california_housing": _Source(
        _california_housing, {"version": _Option("large", words=("large", "small"))}
    ),
}
