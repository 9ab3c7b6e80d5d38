"""Elements of a web page. What is not one already is text, and is escaped: that is the one way into a page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from nnrun.spec.dump import flow
from nnrun.spec.names import shorten

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""

LONGEST_TEXT = 200
NUMBER = '<td class="number"'
"""The beginning of a cell that holds a number."""

VOID = ("meta", "input", "link", "img", "br", "wbr")
"""Elements that have no content and no end."""


class Markup(str):
    """Text of a page that is finished: it goes in as it is."""

    __slots__ = ()


def element(tag: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element of a page.

    Args:
        tag: Its name.
        children: Elements, and texts, which are escaped. What is None is left out.
        attributes: Their values are escaped. A ``_`` at the end of a name falls away (``class_``), one inside is a
            hyphen. True is an attribute without a value; False and None leave it out.
    """
    written = "".join(
        f" {_attribute_name(key)}" + ("" if value is True else f'="{escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def join(parts: Iterable[Any]) -> Markup:
    """Elements and texts behind each other."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escaped(part) for part in parts if part is not None)
    )


def _attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def escaped(text: Any) -> str:
    """A text as it may stand between tags and in quotes."""
    return html.escape(visible(str(text)))


def visible(text: str) -> str:
    """The text with control and direction-changing characters written out, so that no name can disguise itself."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def figure(value: Any) -> str:
    """A value in a few characters: ``0.0719``, ``1.2e-05``, ``9,610``; the rest as a specification has it."""
    match value:
        case None:
            return NOTHING
        case bool() | dict() | list():
            return shorten(flow(value), LONGEST_TEXT)
        case int():
            return shorten(f"{value:,}", LONGEST_TEXT)
        case float():
            if value == 0 or 1e-3 <= abs(value) < 1e4:
                return f"{value:.4f}" if abs(value) < 100 else f"{value:.2f}"
            return f"{value:.3g}"
    return shorten(str(value), LONGEST_TEXT)


def measured(value: float) -> Markup:
    """A value of the data in a cell, with no digits that are not its own: ``5.1``, ``1,297``."""
    return element("td", f"{value:,.6g}", class_="number", data_value=repr(value))


def duration(seconds: float) -> str:
    """``4.2 s``, ``2 min 5 s``, ``1 h 2 min``."""
    if not 60 <= seconds < 1e12:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def breakable(name: str) -> Markup:
    """A name that may go on in the next line behind each of its underscores."""
    first, *others = name.split("_")
    return join([first, *(part for other in others for part in ("_", element("wbr"), other))])


def section(title: str, *content: Any, name: str) -> Markup:
    """A part of a page with a heading.

    Args:
        title: The heading.
        content: What follows it.
        name: By which a link finds it.
    """
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def table(
    caption: str,
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    foot: Sequence[Sequence[Any]] = (),
    sortable: bool = False,
    class_: str = "",
) -> Markup:
    """A table; the first cell of each row is its heading, numbers stand to the right.

    Args:
        caption: What it shows.
        head: The headings of the columns.
        rows: Plain values, or whole cells.
        foot: Rows that stay at the end when it is sorted.
        sortable: Whether the page's script lets the reader sort it.
        class_: More classes for the stylesheet.
    """
    lines = [list(row) for row in rows]
    numeric = [_is_numeric(row[index] for row in [*lines, *foot]) for index in range(len(head))]
    columns = [
        element("th", name, scope="col", class_="number" if is_number else None) if name else element("td")
        for name, is_number in zip(head, numeric, strict=True)
    ]
    content = [element("thead", element("tr", *columns)), _body("tbody", lines, numeric)]
    if foot:
        content.append(_body("tfoot", foot, numeric))
    classes = f"{class_} sortable" if sortable else class_
    return framed_table(caption, *content, class_=classes.strip())


def _is_numeric(values: Iterable[Any]) -> bool:
    """Whether a column holds numbers, and nothing else where it holds something."""
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in known
    )


def _body(tag: str, rows: Iterable[Sequence[Any]], numeric: Sequence[bool]) -> Markup:
    lines = [
        element(
            "tr",
            *(
                element("td", NOTHING, class_="number")
                if value is None and index and numeric[index]
                else cell(value, is_heading=index == 0)
                for index, value in enumerate(row)
            ),
        )
        for row in rows
    ]
    return element(tag, *lines)


def framed_table(caption: str, *content: Markup, class_: str = "") -> Markup:
    """A table in a frame of its own, in which it can be scrolled where the screen is narrow."""
    made = element("table", element("caption", element("span", caption)), *content, class_=class_ or None)
    return element("div", made, class_="frame", tabindex="0", role="region", aria_label=caption)


def cell(value: Any, *, is_heading: bool = False) -> Markup:
    """A cell of a table; a number keeps its digits for sorting."""
    if isinstance(value, Markup) and value.startswith(("<td", "<th")):
        return value
    tag, scope = ("th", "row") if is_heading else ("td", None)
    if isinstance(value, Markup):
        return element(tag, value, scope=scope)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    kept = {"class_": "number", "data_value": repr(value)} if is_number else {}
    return element(tag, figure(value), scope=scope, **kept)


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """Names and what is to be said of each; those without a value are left out."""
    known = [(name, value) for name, value in pairs if value not in (None, "", [], {})]
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", value if isinstance(value, Markup) else figure(value)),
            )
            for name, value in known
        ),
        class_="facts",
    )
