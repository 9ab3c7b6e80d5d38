"""``nnrun launch``: one training by several workers on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_config
from nnrun.cli.trainings import Code, Json, Overrides, Quiet, RunsDir
from nnrun.errors import Problem, SpecError

SHARED = ("auto", "multi_worker")


@command(
    "Nothing was trained.",
    epilog="Example: nnrun launch configs/mnist.yaml --workers 2, or nnrun launch latest --workers 4",
)
def launch(
    what: Annotated[
        str,
        typer.Argument(
            help="A specification to train, or a run to resume.",
            metavar="CONFIG|RUN",
            autocompletion=complete_config,
        ),
    ],
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option(help="How many processes.", min=1, max=1024)] = 2,
    code: Code = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train with several processes on this machine, which share every step.

    Each takes its part of every batch, and the sum of their gradients is that of the whole batch: the numbers are
    those of one process, but for the order of additions. On several machines start nnrun train on each, with TF_CONFIG
    or by Slurm's srun. A training goes on with any number of workers.
    """
    from nnrun.cli.console import messages
    from nnrun.launching import launch as start

    name = _check(what, overrides or [], code, runs_dir)
    arguments = [name, what, *(overrides or [])]
    arguments += ["--code", str(code)] if code else []
    arguments += ["--runs-dir", str(runs_dir)] if runs_dir else []
    arguments += ["--json"] if json else []
    arguments += ["--quiet"] if quiet else []
    ended = start(arguments, workers, lambda text: messages().print(text, markup=False))
    if ended:
        raise typer.Exit(ended)


def _check(what: str, overrides: list[str], code: Path | None, runs_dir: Path | None) -> str:
    """What every worker would refuse is refused once; the command that they run.

    Raises:
        SpecError: The specification is wrong, or is not to be shared.
        RunError: There is no such run.
    """
    from nnrun.cli.trainings import run_or_config
    from nnrun.spec.load import load_spec

    found = run_or_config(what, runs_dir)
    if not isinstance(found, Path):
        return "resume"
    loaded = load_spec(found, overrides, code)
    strategy = loaded.spec.runtime.strategy
    if strategy not in SHARED:
        message = f"{strategy} shares no step among workers; leave it out to launch several"
        raise SpecError([Problem(message, "runtime.strategy", loaded.place("runtime", "strategy"))])
    return "train"
