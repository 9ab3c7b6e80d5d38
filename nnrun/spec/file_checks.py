"""What is wrong with the arguments of a source of files, in sentences."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ValidationError

from nnrun.spec.file_sources import (
    COLUMN_KINDS,
    FILE_SOURCES,
    CsvSource,
    FileSource,
    ImagesSource,
    TableSource,
    TextSource,
)
from nnrun.spec.names import did_you_mean, shorten
from nnrun.spec.schema import Choice, Section, describe


def check_file_source(choice: Choice) -> list[tuple[str, str]]:
    """What is wrong with a source of files: pairs of an argument (empty for the source itself) and a message."""
    section = FILE_SOURCES[choice.name]
    try:
        source = section.model_validate(choice.arguments)
    except ValidationError as error:
        return list(_explain(error, section, choice.arguments))
    return list(_check_together(choice.name, source))


def _explain(
    error: ValidationError, section: type[Section], arguments: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    from nnrun.spec.validation import expected

    seen = set()
    for detail in error.errors(include_url=False):
        argument = str(detail["loc"][0])
        if argument in seen:
            continue
        seen.add(argument)
        kind = detail["type"] if len(detail["loc"]) == 1 else "of what is inside"
        if kind == "extra_forbidden":
            near = (
                did_you_mean(argument, section.model_fields)
                or f"; there are {', '.join(section.model_fields)}"
            )
            yield argument, f"unknown argument{near}"
        elif kind == "missing":
            about = section.model_fields[argument].description or ""
            yield "", f"missing argument '{argument}': {about[:1].lower()}{about[1:].rstrip('.')}"
        elif detail["type"] == "value_error":
            yield argument, str(detail["ctx"]["error"])
        else:
            field = section.model_fields[argument]
            wanted = expected(Annotated[(field.annotation, field)] if field.metadata else field.annotation)
            yield argument, f"expected {wanted}; found {describe(arguments[argument])}"


def _check_together(name: str, source: FileSource) -> Iterator[tuple[str, str]]:
    """Arguments that are each right and do not go together."""
    if isinstance(source, CsvSource):
        yield from _check_marks(source)
    if source.test and source.test_split:
        yield "test_split", "the test examples have files of their own (test); leave test_split out"
    if isinstance(source, TableSource):
        yield from _check_columns(source)
    if isinstance(source, ImagesSource | TextSource):
        column = "image" if isinstance(source, ImagesSource) else "column"
        given = [argument for argument in (column, "target") if getattr(source, argument) is not None]
        if len(given) == 1:
            other = "target" if given == [column] else column
            yield given[0], f"a table needs {column} and target, the names of two columns; {other} is missing"


def _check_marks(source: CsvSource) -> Iterator[tuple[str, str]]:
    """The characters between values and within numbers."""
    if not source.separator.isascii() or source.separator in '"\r\n':
        yield "separator", "expected one character such as ',', ';' or '\\t' (ASCII, no quote, no line end)"
    if source.separator == source.decimal:
        yield "decimal", f"'{source.decimal}' stands between values already (separator)"
    try:
        codecs.lookup(source.encoding)
    except (LookupError, ValueError):
        yield "encoding", f"there is no encoding '{shorten(source.encoding)}'; try utf8, latin1 or cp1252"


def _check_columns(source: TableSource) -> Iterator[tuple[str, str]]:
    for column, choice in source.columns.items():
        if choice.name not in COLUMN_KINDS:
            near = did_you_mean(choice.name, COLUMN_KINDS) or f"; there are {', '.join(COLUMN_KINDS)}"
            yield "columns", f"{shorten(column)}: no kind of column '{shorten(choice.name)}'{near}"
            continue
        section = COLUMN_KINDS[choice.name]
        try:
            section.model_validate(choice.arguments)
        except ValidationError as error:
            for argument, message in _explain(error, section, choice.arguments):
                yield "columns", f"{shorten(column)}.{choice.name}.{argument}: {message}"
    yield from _check_uses(source)


def _check_uses(source: TableSource) -> Iterator[tuple[str, str]]:
    """Each column is a target, or in one input, or left out."""
    targets = [source.target] if isinstance(source.target, str) else source.target
    grouped = [column for columns in (source.inputs or {}).values() for column in columns]
    for column in dict.fromkeys(targets):
        shown = shorten(column)
        if targets.count(column) > 1:
            yield "target", f"'{shown}' stands twice; keep one"
        for argument, columns in (
            ("features", source.features or []),
            ("ignore", source.ignore),
            ("inputs", grouped),
        ):
            if column in columns:
                yield argument, f"'{shown}' is the target; take it out of {argument}"
        if column in source.columns and source.columns[column].name in ("date", "text"):
            kind = source.columns[column].name
            yield "columns", f"{shown}: a {kind} cannot be predicted; expected number or category"
    for column in dict.fromkeys([*(source.features or []), *grouped]):
        if column in source.ignore:
            yield (
                "ignore",
                f"'{shorten(column)}' is to be predicted from (features or inputs); keep one of the two",
            )
        if grouped.count(column) > 1:
            yield "inputs", f"'{shorten(column)}' stands in two inputs; keep one"
    for name in source.inputs or {}:
        if not name or "/" in name or "#" in name:
            yield "inputs", f"'{shorten(name)}': expected a name without / and #"
    if source.inputs is not None and source.features is not None:
        yield "features", "inputs names the columns already; leave features out"
