"""``nnrun data``: a look at the data of a specification before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Code, Config, Json, Overrides
from nnrun.errors import DataError

if TYPE_CHECKING:
    from nnrun.data.inspect_open import Opened
    from nnrun.data.inspect_views import Inspection


@command("", epilog="Example: nnrun data configs/digits.yaml --plots digits.png")
def data(
    config: Config,
    overrides: Overrides = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            "--plots",
            "--samples",
            help="Draw examples, or a histogram of each column, into this file (.png or .svg).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are warnings.")] = False,
    code: Code = None,
    json: Json = False,
) -> None:
    """Look at the data: what is in it, what becomes of it, and what is wrong with it.

    Nothing is learned from it. A table needs no TensorFlow and takes seconds.
    """
    from nnrun.cli.console import messages, print_json, printable
    from nnrun.data.inspect import inspect_data
    from nnrun.data.inspect_open import open_source
    from nnrun.spec.load import load_spec

    loaded = load_spec(config, overrides or [], code)
    opened = open_source(loaded, lambda line: messages().print(printable(line), markup=False))
    inspection = inspect_data(opened, loaded)
    if plots is not None:
        _draw(opened, inspection, plots)
    if json:
        from dataclasses import asdict

        print_json(asdict(inspection) | {"warning": opened.warning, "notes": list(opened.notes)})
    else:
        from nnrun.cli.data_display import print_inspection

        print_inspection(inspection, opened.warning, opened.notes)
        if plots is not None:
            messages().print(f"drawn: {printable(str(plots))}", markup=False)
    levels = {finding.level for finding in inspection.findings}
    if "error" in levels or (strict and "warning" in levels):
        raise typer.Exit(DataError.exit_code)


def _draw(opened: Opened, inspection: Inspection, path: Path) -> None:
    from nnrun.report.pictures import save
    from nnrun.report.samples import draw_data

    save(draw_data(opened, inspection), path)
