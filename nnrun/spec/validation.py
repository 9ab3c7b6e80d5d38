"""What pydantic finds wrong with the sections, in our words and at its places.

Pydantic says *where*; *what was expected* is said from the schema itself, in one sentence for each place,
however many branches a union has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from nnrun.errors import Problem
from nnrun.spec.names import did_you_mean, nearest
from nnrun.spec.node import Node, Path, find, path_text, plain
from nnrun.spec.positions import below, key_paths, members, origin, position_of, section_of, takes_list
from nnrun.spec.scalars import read_scalar
from nnrun.spec.schema import Choice, Section, Spec, describe, shorten


def validate(tree: Node) -> tuple[Spec | None, list[Problem]]:
    """Hold a tree, which is a map, against the schema.

    Returns:
        The specification, or None and all that is wrong with its keys, types and ranges.
    """
    try:
        return Spec.model_validate(section_values(tree)), []
    except ValidationError as error:
        return None, _problems(error, tree)


def section_values(tree: Node) -> dict[str, Any]:
    """The plain values; a section under which nothing stands is an empty one."""
    values: dict[str, Any] = plain(tree)
    for key, value in values.items():
        field = Spec.model_fields.get(key)
        if value is None and field and section_of(field.annotation):
            values[key] = {}
    return values


def _problems(error: ValidationError, tree: Node) -> list[Problem]:
    """One problem for each place, whatever the number of union branches that failed there."""
    by_path: dict[Path, list[Any]] = {}
    for detail in error.errors(include_url=False):
        by_path.setdefault(_schema_path(detail), []).append(detail)
    misspelt = {_meant(path) for path, details in by_path.items() if details[0]["type"] == "extra_forbidden"}
    return [
        _problem(path, details, tree)
        for path, details in by_path.items()
        if (details[0]["type"] != "missing" or path not in misspelt) and not _is_other_branch(path, by_path)
    ]


def _is_other_branch(path: Path, by_path: Iterable[Path]) -> bool:
    """Whether what failed at a path is a branch of a union whose right branch failed further down."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in by_path)


def _meant(path: Path) -> Path:
    """The key that an unknown one was probably meant to be."""
    *above, key = path
    return (*above, nearest(str(key), _section_at(tuple(above)).model_fields) or key)


BRANCH = re.compile(r"(?:dict|list|literal|function-before)\[")
"""How pydantic names the branches of a union with several shapes."""


def _schema_path(detail: Any) -> Path:
    """Pydantic's location without the names of union branches."""
    path: Path = ()
    position: Any = Spec
    for step in detail["loc"]:
        if not section_of(position) and BRANCH.match(str(step)):
            continue
        named = section_of(position) or any(origin(member) is dict for member in members(position))
        further = below(position, step) if named or isinstance(step, int) else None
        if further is None:
            return (*path, step) if section_of(position) else path
        path, position = (*path, step), further
    return path


def _problem(path: Path, details: list[Any], tree: Node) -> Problem:
    *above, key = path
    if details[0]["type"] == "missing":
        section = find(tree, above) or tree
        place = section.key_place or section.place
        return Problem(_missing(tuple(above), str(key)), path_text(above), place)
    node = find(tree, path) or tree
    if details[0]["type"] == "extra_forbidden":
        return Problem(unknown_key(tuple(above), str(key)), path_text(path), node.key_place)
    return Problem(_wrong_value(path, details, plain(node)), path_text(path), node.place)


def _missing(section: Path, key: str) -> str:
    field = _section_at(section).model_fields[key]
    example = field.examples[0] if field.examples else "..."
    kind = "section" if section_of(field.annotation) else "key"
    return f"the {kind} '{key}' is missing; for example `{key}: {example}`"


def _section_at(path: Path) -> type[Section]:
    return section_of(position_of(path)) or Spec


def unknown_key(section: Path, key: str) -> str:
    """What to say of a key that a section does not have."""
    keys = list(_section_at(section).model_fields)
    elsewhere = [path_text(path) for path in key_paths() if path[-1] == key]
    if elsewhere:
        return f"unknown key here; this key exists at {' and '.join(elsewhere)}"
    near = did_you_mean(key, keys)
    return f"unknown key{near or '; expected one of ' + ', '.join(keys)}"


def _wrong_value(path: Path, details: list[Any], value: Any) -> str:
    annotation = _annotation(path)
    said = [detail["ctx"]["error"] for detail in details if detail["type"] == "value_error"]
    if said and (len(details) == 1 or isinstance(value, dict)):
        return str(said[0])  # by Choice.parse, in our words already
    wanted = expected(annotation)
    pause = ";" if "," in wanted else ","
    return f"expected {wanted}{pause} found {describe(value)}{_advice(annotation, value)}"


def _annotation(path: Path) -> Any:
    """The type at a path with what annotates it: ranges and lengths."""
    *above, key = path
    section = section_of(position_of(tuple(above)))
    if section is None:
        return below(position_of(tuple(above)), key)
    field = section.model_fields[str(key)]
    return Annotated[(field.annotation, field)] if field.metadata else field.annotation


def expected(annotation: Any, limits: dict[str, Any] | None = None) -> str:
    """A type of the schema in words: ``auto or a whole number from 1 to 1,024``."""
    *others, last = _alternatives(annotation, limits or {})
    return f"{', '.join(others)} or {last}" if others else last


def _alternatives(annotation: Any, limits: dict[str, Any]) -> list[str]:
    """What may stand at a position, one by one."""
    if origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return _alternatives(inner, _limits(metadata))
    if origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    if origin(annotation) is list:
        return [_list_words(get_args(annotation)[0], limits)]
    if origin(annotation) is dict:
        return [_map_words(get_args(annotation)[1])]
    if len(members(annotation)) > 1:
        parts = [part for part in get_args(annotation) if part is not type(None)]
        parts = [
            part for part in parts if origin(part) is not dict or get_args(part)[1] not in parts
        ]  # by output
        return [words for part in parts for words in _alternatives(part, limits)]
    section = section_of(annotation)
    if section:
        return [f"a map with the keys {', '.join(section.model_fields)}"]
    words: dict[Any, list[str]] = {
        int: ["a whole number" + _range(limits, 1)],
        float: ["a number" + _range(limits, 0)],
        bool: ["true", "false"],
        str: [f"text of at most {limits['max_length']} characters" if "max_length" in limits else "text"],
        Choice: ["a name with or without arguments"],
    }
    return words[annotation]


def _list_words(item: Any, limits: dict[str, Any]) -> str:
    if members(item) != [Choice]:
        return f"a list of {expected(item)}"
    return (
        f"a list of {'at least one name' if limits.get('min_length') else 'names'} with or without arguments"
    )


def _map_words(item: Any) -> str:
    if item is Any:
        return "a map of names to values"
    if section := section_of(item):
        return "a map of names to maps with the keys " + ", ".join(section.model_fields)
    return f"a map of names to {expected(item)}"


def _limits(metadata: list[Any]) -> dict[str, Any]:
    """The bounds in pydantic's annotations by their names: gt, ge, lt, le, min_length, max_length."""
    found: dict[str, Any] = {}
    for item in metadata:
        for part in item.metadata if isinstance(item, FieldInfo) else [item]:
            for name in ("gt", "ge", "lt", "le", "min_length", "max_length"):
                if getattr(part, name, None) is not None:
                    found[name] = getattr(part, name)
    return found


def _range(limits: dict[str, Any], step: int) -> str:
    """Bounds in words; whole numbers (``step`` 1) below a bound end one before it."""
    low, high = limits.get("ge"), limits.get("le")
    if step and "lt" in limits:
        high = limits["lt"] - step
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    if low is not None:
        return f" from {low:,} to below {limits['lt']:,}" if "lt" in limits else f", at least {low:,}"
    return f" above {limits['gt']:,}" if "gt" in limits else ""


TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _advice(annotation: Any, value: Any) -> str:
    """What to write instead, where that is plain."""
    kinds = members(annotation)
    words = [str(word) for kind in kinds if origin(kind) is Literal for word in get_args(kind)]
    if takes_list(annotation) and isinstance(value, (str, dict)) and value:
        return "; begin each item with '- '" if isinstance(value, dict) else f"; write [{shorten(value)}]"
    if isinstance(value, str):
        return _advice_for_text(kinds, words, value)
    if kinds == [str] and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if int in kinds and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"; write {int(value)}"
    return ""


def _advice_for_text(kinds: list[Any], words: list[str], text: str) -> str:
    if bool in kinds and text.lower() in TRUTH:
        return f"; write {TRUTH[text.lower()]}"
    if (int in kinds or float in kinds) and len(text) < 40:
        for meant, advice in (
            (text, "remove the quotes"),
            (text.replace("_", ""), f"write {text.replace('_', '')}"),
        ):
            try:
                number = read_scalar(meant)
            except ValueError:
                continue
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                return f"; {advice}"
    return did_you_mean(text, words)
