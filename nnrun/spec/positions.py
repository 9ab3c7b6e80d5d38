"""What the schema says of a place in a specification: walked by type, without any values."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from nnrun.spec.node import Path
from nnrun.spec.schema import Choice, Section, Spec

Position = Any
"""A type of the schema, or one of the two markers below."""


class Arguments:
    """Marks the arguments of a choice: any key may stand here."""


class Argument:
    """Marks what stands inside arguments: anything, a choice too."""


def below(position: Position, step: str | int) -> Position | None:
    """The position one step further, or None where the schema has nothing."""
    for member in members(position):
        found = _below_member(member, step)
        if found is not None:
            return found
    return None


def _below_member(member: Position, step: str | int) -> Position | None:
    if isinstance(step, int):
        if origin(member) is list:
            return get_args(member)[0]
        return Argument if member is Argument else None
    if member is Choice or member is Argument:
        return Arguments
    if member is Arguments or member is Any:
        return Argument
    if origin(member) is dict:
        return get_args(member)[1]
    section = section_of(member)
    return section.model_fields[step].annotation if section and step in section.model_fields else None


def position_of(path: Path) -> Position | None:
    """The position that a path leads to from the whole specification."""
    position: Position | None = Spec
    for step in path:
        position = None if position is None else below(position, step)
    return position


def members(annotation: Position) -> list[Position]:
    """The types of a union, without what annotates them."""
    if origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in members(part)]
    return [annotation]


def origin(annotation: Position) -> Any:
    """``list`` for ``list[str]``, and the like."""
    return get_origin(annotation)


def section_of(position: Position) -> type[Section] | None:
    """The section that stands at a position, or None."""
    return position if isinstance(position, type) and issubclass(position, Section) else None


def takes_choice(position: Position) -> bool:
    """Whether a name with arguments may stand at a position."""
    return any(member is Choice or member is Argument for member in members(position))


def takes_list(position: Position) -> bool:
    """Whether a list must stand at a position."""
    return any(origin(member) is list for member in members(position))


def key_paths(section: type[Section] = Spec, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys of all sections."""
    for key, field in section.model_fields.items():
        yield (*path, key)
        inner = section_of(field.annotation)
        if inner:
            yield from key_paths(inner, (*path, key))
