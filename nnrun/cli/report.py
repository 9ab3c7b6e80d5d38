"""The command that makes a web page of runs: ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.comparing import RunNames
from nnrun.cli.trainings import RunsDir

COMPARISON = "comparison.html"


@command("", epilog="Example: nnrun report latest, or nnrun report latest~1 latest --output both.html")
def report(
    runs: RunNames,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file; default: report.html in the run, of several comparison.html where runs are kept.",
            show_default=False,
        ),
    ] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Make one web page of a run, to be read offline and sent to others; of several runs, a comparison."""
    from nnrun.report.html import FILE, write_report
    from nnrun.store.runs import find_run, runs_directory

    where = runs_directory(runs_dir)
    found = list({run.path.absolute(): run for run in (find_run(name, where) for name in runs)}.values())
    path = output or (found[0].path / FILE if len(found) == 1 else where / COMPARISON)
    write_report(found, path)
    _print_path(path)


def _print_path(path: Path) -> None:
    from nnrun.cli.console import printable, results

    results().print(printable(str(path)), markup=False)
