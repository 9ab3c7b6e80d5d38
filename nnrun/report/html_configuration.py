"""The settings of a run on its page, and which of them somebody decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.report.html_reading import Map, Told
from nnrun.report.page import NOTHING, Markup, element, framed_table, section
from nnrun.spec.catalog import find
from nnrun.spec.dump import flow
from nnrun.spec.names import shorten
from nnrun.spec.positions import key_paths, position_of, section_of
from nnrun.spec.schema import Choice, Spec
from nnrun.store.values import brief, map_at

RATE = "training.learning_rate"
CHOSEN = "chosen by nnrun"
LONGEST_VALUE = 400


def configuration(told: Told) -> Markup | None:
    """Every setting beside its default, and what differs marked."""
    config = told.record.config
    defaults = default_settings() | own_defaults(config)
    rows = [row for path in key_paths() for row in _setting_rows(".".join(map(str, path)), config, defaults)]
    if not rows:
        return None
    head = element(
        "thead",
        element("tr", *(element("th", name, scope="col") for name in ("setting", "value", "default"))),
    )
    frame = framed_table("Marked rows differ from the default or have none.", head, element("tbody", *rows))
    return section("Configuration", frame, name="configuration")


def default_settings() -> dict[str, Any]:
    """The defaults of the schema by their dotted paths, as a specification has them."""
    found = {}
    for path in key_paths():
        owner = section_of(position_of(path[:-1])) if len(path) > 1 else Spec
        field = owner.model_fields[str(path[-1])] if owner else None
        if field is not None and not field.is_required():
            default = field.get_default()
            found[".".join(map(str, path))] = default.plain() if isinstance(default, Choice) else default
    return found


def _setting_rows(path: str, config: Map, defaults: dict[str, Any]) -> Iterator[Markup]:
    """The row of a setting; none for a section, and for what has no value."""
    if section_of(position_of(tuple(path.split(".")))):
        return
    value: Any = config
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None or (value in ({}, [], "") and path in defaults):
        return
    is_changed = is_changed_setting(path, value, defaults)
    default = CHOSEN if path == "name" else flow(defaults[path]) if path in defaults else NOTHING
    name = element("th", element("code", path), element("span", " (differs)", class_="quiet") if is_changed else None,
                   scope="row")  # fmt: skip
    yield element(
        "tr", name, element("td", *_lines(value), class_="value"), element("td", element("code", default)),
        class_="changed" if is_changed else None,
    )  # fmt: skip


def own_defaults(config: Map) -> dict[str, Any]:
    """The defaults that follow from other settings: the optimizer has a learning rate of its own."""
    optimizer = map_at(config, "training").get("optimizer")
    names = list(optimizer) if isinstance(optimizer, dict) else [optimizer]
    part = find("optimizer", names[0]) if names and isinstance(names[0], str) else None
    rate = part.argument("learning_rate") if part else None
    return {RATE: rate.default} if rate is not None and isinstance(rate.default, float) else {}


def is_changed_setting(path: str, value: Any, defaults: dict[str, Any]) -> bool:
    """Whether somebody decided it: it is not the default, nor what ``auto`` or no value became."""
    if path not in defaults:
        return True
    return path != "name" and defaults[path] not in ("auto", None, value)


def _lines(value: Any) -> Iterator[Markup]:
    """A value as a specification has it; a list of parts gets a line for each."""
    items = value if isinstance(value, list) and any(isinstance(item, dict) for item in value) else [value]
    for index, item in enumerate(items):
        text = shorten(flow(brief(item)), LONGEST_VALUE)
        yield element("code", f"{index + 1}. {text}" if len(items) > 1 else text)
        if index < len(items) - 1:
            yield element("br")
