"""What is wrong with examples and targets, or may be: repeats, leaks, and classes out of balance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nnrun.data.inspect_findings import finding, percent, share
from nnrun.data.inspect_repeats import Repeats
from nnrun.data.inspect_views import Column, Finding, Target
from nnrun.spec.names import MOST_LISTED, listed, shorten

FEW_EXAMPLES = 50
FEW_OF_A_CLASS = 10
OUT_OF_BALANCE = 10
"""How many times as many examples as the smallest class the largest must have."""

LARGE_TARGET = 1_000

EXAMPLES_OF_A_ROW = 2
"""So many examples there must be for each row that the columns allow, for repeats to be natural."""

WORDS = {"train": "training", "validation": "validation", "test": "test"}


def look_at_repeats(
    repeats: Repeats, parts: Mapping[str, int], place: Callable[[int], str], *, classes: bool, possible: float
) -> Iterator[Finding]:
    """Examples that stand more than once.

    Args:
        repeats: Those.
        parts: The examples of each part.
        place: What to call an example.
        classes: Whether the targets are classes.
        possible: How many different inputs the columns allow; with few, repeats are natural.
    """
    count = sum(parts.values())
    natural = EXAMPLES_OF_A_ROW * possible <= count
    if natural and (any(repeats.within.values()) or any(repeats.leaked.values())):
        yield Finding(
            "few_different_rows",
            "note",
            f"the columns allow {possible:,.0f} different rows for {count:,} examples",
            "Rows stand more than once, in several parts too; that is natural here.",
            "Scores on held-out rows say little of rows that are new: add columns.",
        )
    elif any(repeats.within.values()):
        yield _duplicates(repeats, parts, place)
    if not natural and any(repeats.leaked.values()):
        yield _leak(repeats, parts, place)
    if repeats.contradicting and classes:
        yield Finding(
            "contradictions",
            "warning",
            f"the same inputs have different targets: {share(repeats.contradicting, count)}, such as "
            f"{_pair(repeats, 'contradicting', place)}",
            "No model can be right on all of them; the score has a ceiling.",
            "Check the labels, or add columns that tell such examples apart.",
        )


def _duplicates(repeats: Repeats, parts: Mapping[str, int], place: Callable[[int], str]) -> Finding:
    each = [f"{share(count, parts[name])} {WORDS[name]}" for name, count in repeats.within.items() if count]
    return Finding(
        "duplicates",
        "warning",
        f"examples stand twice within a part: {', '.join(each)}, such as {_pair(repeats, 'within', place)}",
        "Each of them counts as often as it stands there.",
        "Remove them, unless they are separate observations that agree by chance.",
    )


def _leak(repeats: Repeats, parts: Mapping[str, int], place: Callable[[int], str]) -> Finding:
    each = [
        f"{share(count, parts[name])} {WORDS[name]} examples"
        for name, count in repeats.leaked.items()
        if count
    ]
    return Finding(
        "leakage",
        "warning",
        f"held-out examples stand in the training part too: {', '.join(each)}, such as "
        f"{_pair(repeats, 'leaked', place)}",
        "The model has seen them, so the scores are better than on new data.",
        "Remove repeated rows from the files; or keep rows that belong together in one file: test:, validation:.",
    )


def _pair(repeats: Repeats, kind: str, place: Callable[[int], str]) -> str:
    one, other = repeats.example[kind]
    return f"{shorten(place(one), 120)} and {shorten(place(other), 120)}"


def look_at_target(target: Target, parts: Mapping[str, int], *, weighted: bool) -> Iterator[Finding]:
    """What is wrong with the targets.

    Args:
        target: Their classes or numbers.
        parts: The examples of each part, the training part first.
        weighted: Whether classes have weights already.
    """
    first = next(iter(parts))
    if parts[first] < FEW_EXAMPLES:
        yield Finding(
            "few_examples",
            "note",
            f"{parts[first]:,} training examples",
            "That is enough to try out a network, and not to judge one.",
            "Add examples, or do not read much into the scores.",
        )
    for column in target.numbers:
        yield from _numbers(column)
    if target.classes:
        yield from _classes(target.classes, target.counts, parts, weighted=weighted)


def _numbers(column: Column) -> Iterator[Finding]:
    name = f"the target '{shorten(column.name)}'"
    if column.distinct == 1 and column.rows > 1:
        yield finding(
            "constant_target",
            "error",
            f"{name} has the same value in all rows",
            "There is nothing to predict.",
            "Choose another target.",
            [column],
        )
    elif column.outliers:
        yield finding(
            "target_outliers",
            "warning",
            f"{name} has {column.outliers:,} values more than 10 interquartile ranges away from the middle half",
            "Under mse a few of them weigh more than all the rest.",
            "Correct mistakes, or use a loss such as mae or huber.",
            [column],
        )
    if max(column.deviation or 0, abs(column.mean or 0)) >= LARGE_TARGET:
        yield finding(
            "large_target",
            "warning",
            f"{name} is about {column.mean:,.4g}, give or take {column.deviation:,.4g}",
            "A network starts with answers of around 0, and takes long to get there.",
            "Give it in a larger unit, such as thousands.",
            [column],
        )


def _classes(
    classes: Sequence[str], counts: Mapping[str, list[int]], parts: Mapping[str, int], *, weighted: bool
) -> Iterator[Finding]:
    first = next(iter(parts))
    for name, found in counts.items():
        absent = [classes[index] for index, count in enumerate(found) if not count]
        if absent:
            yield Finding(
                "absent_classes",
                "warning",
                f"no example in the {WORDS[name]} part: {listed(absent)}",
                "The model never learns them." if name == first else "The scores say nothing of them.",
                "Add examples, or divide the files so that every part has all classes.",
            )
    learned = [(count, index) for index, count in enumerate(counts[first]) if count]
    few = [(classes[index], count) for count, index in sorted(learned) if count < FEW_OF_A_CLASS]
    if few and parts[first] >= FEW_EXAMPLES:
        shown = ", ".join(f"{shorten(name)} ({count})" for name, count in few[:MOST_LISTED])
        yield Finding(
            "few_of_a_class",
            "warning",
            f"fewer than {FEW_OF_A_CLASS} training examples: {shown}{', ...' if len(few) > MOST_LISTED else ''}",
            "So few are learned by heart, and their scores are chance.",
            "Add examples, or join small classes.",
        )
    (low, rare), (high, frequent) = min(learned), max(learned)
    if high >= OUT_OF_BALANCE * low and not weighted and parts[first] >= FEW_EXAMPLES:
        yield Finding(
            "imbalance",
            "warning",
            f"{high:,} training examples of '{shorten(classes[frequent])}' and {low:,} of '{shorten(classes[rare])}'",
            f"Whoever always answers '{shorten(classes[frequent])}' is right in {percent(high / parts[first])}: "
            "accuracy says little.",
            "Write class_weight: balanced under training, and look at the scores of each class.",
        )


def look_at_copies(copies: Mapping[str, str]) -> Iterator[Finding]:
    """Columns that give the target away, as :func:`~nnrun.data.inspect_copies.find_copies` tells them."""
    same = [name for name, verdict in copies.items() if verdict == "copy"]
    if same:
        yield Finding(
            "target_copies",
            "warning",
            f"the target under another name: {listed(same)}",
            "The model copies it, the scores are perfect, and on new data, where it is not known, they are not.",
            f"Write ignore: [{listed(same)}], unless it is known before the target is.",
            same,
        )
    tells = [name for name, verdict in copies.items() if verdict == "tells"]
    if tells:
        yield Finding(
            "target_told",
            "warning",
            f"each value has one target only: {listed(tells)}",
            "Such a column gives the target away; often it is written down after the target is known.",
            f"Write ignore: [{listed(tells)}], unless it is known before the target is.",
            tells,
        )
