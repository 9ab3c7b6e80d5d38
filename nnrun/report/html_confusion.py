"""Which classes were taken for which, as a coloured table."""

from __future__ import annotations

from itertools import chain

from nnrun.errors import RunError
from nnrun.report.html_reading import Map
from nnrun.report.page import Markup, element, framed_table, table
from nnrun.spec.names import shorten

MOST_CLASSES = 40
"""Of more classes than these the most frequent confusions are shown instead of the matrix."""

MOST_CONFUSIONS = 20
RIGHT_SHADES = (0.25, 0.5, 0.75)
WRONG_SHADES = (0.01, 0.05, 0.2)
"""Shares of a true class from which a cell is darker."""

LONGEST_NAME = 40
FEW, SHORT = 3, 3
"""Classes whose names have room over their columns; characters of one that always has."""


def draw_confusion(confusion: Map) -> list[Markup]:
    """The matrix, or of many classes the most frequent confusions.

    Args:
        confusion: ``confusion.json``; an empty map where there is none.

    Raises:
        RunError: It is damaged.
    """
    if not confusion:
        return []
    names, counts = _read_confusion(confusion)
    if not names:
        return []
    return [_matrix(names, counts) if len(names) <= MOST_CLASSES else _most_frequent(names, counts)]


def _read_confusion(confusion: Map) -> tuple[list[str], list[list[int]]]:
    """The names of the classes and the square of counts.

    Raises:
        RunError: They are something else.
    """
    names, counts = confusion.get("class_names"), confusion.get("counts")
    if isinstance(names, list) and isinstance(counts, list) and len(counts) == len(names):
        rows = [row for row in counts if isinstance(row, list) and len(row) == len(names)]
        if len(rows) == len(names) and all(type(count) is int and count >= 0 for count in chain(*rows)):
            return [shorten(str(name), LONGEST_NAME) for name in names], rows
    raise RunError("confusion.json is damaged: expected class_names, and a square of counts of as many rows")


def _matrix(names: list[str], counts: list[list[int]]) -> Markup:
    is_long = len(names) > FEW and any(len(name) > SHORT for name in names)
    heads = [
        element("th", element("span", name, class_="long" if is_long else None), scope="col")
        for name in names
    ]
    corner = element("td", "true ↓ said →", class_="quiet corner")
    rows = [
        element("tr", element("th", name, scope="row"), *_cells(name, index, names, counts[index]))
        for index, name in enumerate(names)
    ]
    caption = "Confusion matrix, shaded by the share of the true class"
    made = framed_table(caption, element("thead", element("tr", corner, *heads)), element("tbody", *rows),
                        class_="confusion")  # fmt: skip
    return element("div", _switch(), made, class_="switched")


def _switch() -> Markup:
    """What shows the shares instead of the counts; the stylesheet does it."""
    box = element("input", type="checkbox", class_="rates")
    return element("label", box, " shares of the true class instead of counts", class_="switch")


def _cells(name: str, true: int, names: list[str], counts: list[int]) -> list[Markup]:
    support = sum(counts) or 1
    return [_cell(count, support, f"{name} taken for {names[said]}", is_right=said == true)
            for said, count in enumerate(counts)]  # fmt: skip


def _cell(count: int, support: int, words: str, *, is_right: bool) -> Markup:
    if not count:
        return element("td", "0", class_="zero")
    shade = f"{'r' if is_right else 'w'}{_shade(count / support, is_right=is_right)}"
    rate = f"{count / support:.1%}" if count < support else "100%"
    title = f"{words}: {count:,} of {support:,} ({rate})"
    return element(
        "td", element("span", f"{count:,}"), element("span", rate, class_="rate"), class_=shade, title=title
    )


def _shade(share: float, *, is_right: bool) -> int:
    """From 1 to 4: one wrong of a thousand is shaded too, and small shares of mistakes are told apart."""
    return 1 + sum(share >= bound for bound in (RIGHT_SHADES if is_right else WRONG_SHADES))


def _most_frequent(names: list[str], counts: list[list[int]]) -> Markup:
    wrong = [
        (count, true, said)
        for true, row in enumerate(counts)
        for said, count in enumerate(row)
        if count and said != true
    ]
    rows = [
        [names[true], names[said], count, count / sum(counts[true])]
        for count, true, said in sorted(wrong, key=lambda one: (-one[0], *one[1:]))[:MOST_CONFUSIONS]
    ]
    head = ["true class", "taken for", "examples", "share of the true class"]
    return table(f"The most frequent confusions of {len(names):,} classes", head, rows, sortable=True)
