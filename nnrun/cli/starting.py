"""Commands that stand at the beginning: ``init`` copies a template, ``schema`` helps an editor to write one."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_template
from nnrun.cli.trainings import Code, Json
from nnrun.errors import Problem, SpecError


@command("Nothing was written.", epilog="Example: nnrun init mnist_cnn my_first.yaml")
def init(
    template: Annotated[
        str | None,
        typer.Argument(
            help="What to begin with; without it all templates are listed.",
            metavar="TEMPLATE",
            show_default=False,
            autocompletion=complete_template,
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Argument(
            help="The new file, or a folder for it; default: TEMPLATE.yaml here.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    json: Json = False,
) -> None:
    """Begin with a copy of a configuration that works."""
    from nnrun.cli.console import print_json, printable
    from nnrun.spec.templates import SCHEMA, copy_of, find_template

    if template is None:
        _list(json)
        return
    found = find_template(template)
    target = target or Path()
    if target.is_dir():
        target = target / f"{found.path.stem}.yaml"
    files = copy_of(found.path, target)
    _check_free(list(files), force)
    schema = target.parent / SCHEMA
    if not schema.exists():
        from nnrun.spec.json_schema import schema_text

        files[schema] = schema_text().encode()
    _write(files)
    if json:
        print_json({"template": found.name, "config": str(target), "files": [str(path) for path in files]})
        return
    typer.echo(f"{printable(str(target))}: a copy of {found.name}; {found.summary}")
    for path in list(files)[1:]:
        about = "lets editors complete and check specifications" if path == schema else "goes with it"
        typer.echo(f"{printable(str(path))}: {about}")
    typer.echo(f"next: nnrun train {printable(quote(str(target)))}")


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
    from nnrun.store.durable import explained, write_bytes

    for path, content in files.items():
        with explained(path):
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
