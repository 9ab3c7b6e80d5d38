"""Commands that stand at the beginning: ``init`` copies a template or looks at data, ``schema`` helps an editor."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_template
from nnrun.cli.text_tables import WIDE
from nnrun.cli.trainings import Code, Json
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from nnrun.data.draft import Found

MOST_SHOWN = 40
"""Columns in the table on the screen; all of them stand in the specification, or in ``--json``."""

LONGEST_CELL = 70


@command(
    "Nothing was written.",
    epilog="Example: nnrun init mnist_cnn my_first.yaml; nnrun init --from houses.csv --target price",
)
def init(
    template: Annotated[
        str | None,
        typer.Argument(
            help="What to begin with; without it all templates are listed. With --from: the new file.",
            metavar="TEMPLATE",
            show_default=False,
            autocompletion=complete_template,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The new file, or a folder for it; default: TEMPLATE.yaml here.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Look at your data instead: a CSV or Parquet file or 'data/*.csv', a folder with a folder of "
            "pictures or texts for each class, or an .npz file.",
            metavar="DATA",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", help="The column of the table to predict.", metavar="COLUMN", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    json: Json = False,
) -> None:
    """Begin with a copy of a configuration that works, or with one that is made for your data."""
    if data is not None:
        _look_at(data, target, [text for text in (template, file) if text is not None], force, json)
        return
    if target is not None:
        raise SpecError([Problem("--target names a column of your data; say where that is: --from FILE")])
    if template is None:
        _list(json)
        return
    _copy(template, file or Path(), force, json)


def _copy(template: str, target: Path, force: bool, json: bool) -> None:
    from nnrun.cli.console import print_json, printable
    from nnrun.spec.templates import SCHEMA, copy_of, find_template

    found = find_template(template)
    if target.is_dir():
        target = target / f"{found.path.stem}.yaml"
    files = copy_of(found.path, target)
    _check_free(list(files), force)
    schema = target.parent / SCHEMA
    files |= _schema_beside(target)
    _write(files)
    if json:
        print_json({"template": found.name, "config": str(target), "files": [str(path) for path in files]})
        return
    typer.echo(f"{printable(str(target))}: a copy of {found.name}; {found.summary}")
    for path in [one for one in list(files)[1:] if one.parent == target.parent]:
        about = "lets editors complete and check specifications" if path == schema else "goes with it"
        typer.echo(f"{printable(str(path))}: {about}")
    inside = [path for path in files if path.parent != target.parent]
    if inside:
        folder = target.parent / inside[0].relative_to(target.parent).parts[0]
        typer.echo(f"{printable(str(folder))}: {len(inside)} files go with it")
    typer.echo(f"next: nnrun train {printable(quote(str(target)))}")


def _schema_beside(target: Path) -> dict[Path, bytes]:
    """The schema for a new specification, unless there is one beside it."""
    from nnrun.spec.json_schema import schema_text
    from nnrun.spec.templates import SCHEMA

    schema = target.parent / SCHEMA
    return {} if schema.exists() else {schema: schema_text().encode()}


def _look_at(data: str, column: str | None, named: Sequence[str | Path], force: bool, json: bool) -> None:
    """Write a specification for data."""
    from nnrun.cli.console import messages, print_json, printable
    from nnrun.data.draft import NoTarget, draft

    target = _file_for(data, named)
    try:
        made = draft(data, column, target)
    except NoTarget as error:
        _show_found(error.found)
        raise
    _check_free([target], force)
    files = {target: made.text.encode()} | _schema_beside(target)
    _write(files)
    if json:
        found = [dataclasses.asdict(one) for one in made.found]
        print_json({"config": str(target), "files": [str(path) for path in files], "found": found})
        return
    _show_found(made.found)
    messages().print(
        f"{printable(str(target))}: made for {printable(data)} ({made.about}); every choice is explained in it",
        markup=False,
    )
    typer.echo(f"next: nnrun train {printable(quote(str(target)))}")


def _file_for(data: str, named: Sequence[str | Path]) -> Path:
    """The file to write: the one that was named, or one that is called as the data is."""
    if len(named) > 1 or any(Path(one).suffix not in ("", ".yaml", ".yml") for one in named):
        shown = " ".join(map(str, named))
        message = (
            f"expected one .yaml file to write, found {shown}; put patterns in quotes: --from 'data/*.csv'"
        )
        raise SpecError([Problem(message)])
    path = Path(data)
    stem = path.name if path.is_dir() else Path(path.name.removesuffix(".gz")).stem
    stem = (
        re.sub(r"[^\w.-]+", "_", stem).strip("_.") or path.resolve().parent.name
    )  # a pattern such as data/*.csv
    target = Path(named[0]) if named else Path()
    return target / f"{stem}.yaml" if target.is_dir() else target


def _show_found(found: Sequence[Found]) -> None:
    """What there is, as a table on standard error."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nnrun.cli.console import messages, printable
    from nnrun.spec.names import shorten

    becomes = any(one.becomes for one in found)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("column", "taken for", "values", "missing", "what becomes of it")[: 5 if becomes else 4]:
        shown.add_column(name, overflow="fold", justify="right" if name == "missing" else "left")
    for one in found[:MOST_SHOWN]:
        cells = [one.name, one.kind, one.values, f"{one.missing:,}" if one.missing else "", one.becomes]
        shown.add_row(*(Text(printable(shorten(cell, LONGEST_CELL))) for cell in cells[: len(shown.columns)]))
    console = messages()
    if not console.is_terminal:
        console.width = WIDE
    console.print(shown, soft_wrap=False)
    if len(found) > MOST_SHOWN:
        console.print(f"and {len(found) - MOST_SHOWN:,} more", markup=False)


def _list(json: bool) -> None:
    """The templates with what they reach."""
    from nnrun.cli.console import messages, print_json
    from nnrun.spec.templates import list_templates

    found = list_templates()
    if json:
        print_json([{"template": one.name, "summary": one.summary, "path": str(one.path)} for one in found])
        return
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        typer.echo(f"{one.name:{width}}  {one.summary}".rstrip())
    messages().print("Copy one of them: nnrun init TEMPLATE [FILE]", markup=False)


def _check_free(files: list[Path], force: bool) -> None:
    """Refuse to write over what is there, and where there is no folder."""
    folder = files[0].parent
    if not folder.is_dir():
        raise SpecError([Problem(f"there is no folder {folder}; make it with: mkdir -p {folder}")])
    taken = [file for file in files if file.is_dir() or (file.exists() and not force)]
    if taken:
        raise SpecError(
            [
                Problem(f"{file} is there already; give another name, or --force to overwrite it")
                for file in taken
            ]
        )


def _write(files: dict[Path, bytes]) -> None:
    from nnrun.store.durable import explained, make_folders, write_bytes

    for path, content in files.items():
        with explained(path):
            make_folders(path.parent)
            write_bytes(path, content)


@command("Nothing was written.", epilog="Example: nnrun schema --output nnrun.schema.json")
def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file.", show_default=False),
    ] = None,
    code: Code = None,
) -> None:
    """Print the JSON Schema of specifications, by which editors complete, explain and check them."""
    from nnrun.spec.code import use_code
    from nnrun.spec.json_schema import schema_text

    use_code(code)
    text = schema_text()
    if output is None:
        typer.echo(text, nl=False)
        return
    from nnrun.spec.templates import MODELINE
    from nnrun.store.durable import explained

    with explained(output):
        output.write_text(text, "utf-8")
    typer.echo(f"{output}: written; a specification beside it finds it by the line {MODELINE}{output.name}")
