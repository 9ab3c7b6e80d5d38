"""The command that looks whether nnrun works here: ``doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Json, RunsDir
from nnrun.errors import ResourceError

if TYPE_CHECKING:
    from nnrun.doctor.finding import Finding

STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


@command("", epilog="Example: nnrun doctor --runs-dir /data/runs")
def doctor(runs_dir: RunsDir = None, json: Json = False) -> None:
    """Look whether nnrun can train here, how fast, and what to do where something is amiss.

    The exit code is 0 where training works and 5 where it does not.
    """
    from nnrun.cli.console import print_json
    from nnrun.doctor.examination import Examination
    from nnrun.store.runs import runs_directory

    examination = Examination(runs_directory(runs_dir))
    findings = []
    for finding in examination.findings():
        findings.append(finding)
        if not json:
            _show(finding)
    problems = [one for one in findings if one.state == "problem"]
    if json:
        found: dict[str, Any] = {"usable": not problems, "findings": [asdict(one) for one in findings]}
        print_json(found | examination.facts)
    else:
        _conclude(findings)
    if problems:
        raise typer.Exit(ResourceError.exit_code)


def _show(finding: Finding) -> None:
    """One finding: its state, what was looked at, what was found, what to do."""
    from rich.table import Table
    from rich.text import Text

    from nnrun.cli.console import printable, results

    console = results()
    state, subject = Text(finding.state, STYLES[finding.state]), Text(printable(finding.subject))
    lines = [printable(finding.text), *([f"-> {printable(finding.remedy)}"] if finding.remedy else [])]
    if not console.is_terminal:
        for line in lines:
            console.print(f"{finding.state:8} {subject.plain:10} {line}", markup=False)
        return
    row = Table.grid(padding=(0, 1))
    row.add_column(width=8)
    row.add_column(width=10)
    row.add_column()
    row.add_row(state, subject, Text("\n".join(lines)))
    console.print(row, soft_wrap=False)


def _conclude(findings: list[Finding]) -> None:
    from nnrun.cli.console import results

    counts = {state: sum(one.state == state for one in findings) for state in ("problem", "note")}
    words = [f"{count} {state}{'s' if count > 1 else ''}" for state, count in counts.items() if count]
    start = "nnrun cannot train here" if counts["problem"] else "nnrun can train here"
    results().print(": ".join([start, *([", ".join(words)] if words else [])]), markup=False)
