"""Commands that run a model: ``train``, ``evaluate``, ``predict``."""

from __future__ import annotations

import functools
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_config, complete_override, complete_run
from nnrun.errors import ChangedError, Problem, SpecError

if TYPE_CHECKING:
    from nnrun.store.run import Run
    from nnrun.training.display import Display

Config = Annotated[
    Path,
    typer.Argument(
        help="A specification: a YAML file.",
        metavar="CONFIG",
        show_default=False,
        autocompletion=complete_config,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Changes for this time: a.b=VALUE sets, ~a.b removes.",
        metavar="a.b=VALUE",
        show_default=False,
        autocompletion=complete_override,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        help="A run: path, id, unique prefix, latest, latest~1, best:METRIC.",
        metavar="RUN",
        autocompletion=complete_run,
    ),
]
RunsDir = Annotated[
    Path | None,
    typer.Option(help="Where runs are kept; default: $NNRUN_RUNS_DIR, or runs.", show_default=False),
]
Code = Annotated[
    Path | None,
    typer.Option(
        help="A Python file whose classes and functions can be named like Keras's; it is run.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings, and the run's path at the end.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take hints for mistakes.")]
REFUSED = "--strict takes hints for mistakes."
Examples = Annotated[
    Literal["test", "validation", "train"], typer.Option("--on", "--split", help="Which examples.")
]


@command("Nothing was trained.", epilog="Example: nnrun train configs/mnist.yaml training.epochs=3 seed=1")
def train(
    config: Config,
    overrides: Overrides = None,
    code: Code = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume", help="Go on with this run, which must be of this specification.", metavar="RUN"
        ),
    ] = None,
    strict: Strict = False,
    runs_dir: RunsDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network and leave everything about it in runs/<id>.

    Ctrl-C once stops after the steps that are under way and keeps what was learned; twice stops at once.
    """
    hints = find_hints(config, overrides, code, strict=strict)
    if resume is not None:
        _resume(resume, overrides, config, code, runs_dir, json=json, quiet=quiet)
        return
    from nnrun import experiment

    stop = StopSignals()
    display = choose_display(json=json, quiet=quiet)
    for hint in hints:
        display.notify(f"hint: {hint}")
    _, ending = experiment.train(
        config,
        overrides or [],
        display=display,
        runs_dir=runs_dir,
        code=code,
        command=sys.argv,
        interrupted=stop.asked,
    )
    if ending.reason == "interrupted":
        raise typer.Exit(stop.exit_code)


@command(
    "Nothing was trained.", epilog="Example: nnrun resume latest, or nnrun resume latest training.epochs=20"
)
def resume(
    run: RunName,
    overrides: Overrides = None,
    code: Code = None,
    runs_dir: RunsDir = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a training go on from its newest checkpoint, to exactly the weights that it would have had.

    More epochs may be asked for (training.epochs=20), of a finished run too. What decides the numbers stays as it was.
    """
    _resume(run, overrides, None, code, runs_dir, json=json, quiet=quiet)


@command(
    "Nothing was verified.",
    name="verify-resume",
    epilog="Example: nnrun verify-resume configs/digits.yaml training.epochs=3",
)
def verify_resume(
    config: Config,
    overrides: Overrides = None,
    kills: Annotated[int, typer.Option(help="How often to kill it.", min=1, max=1000)] = 6,
    code: Code = None,
    json: Json = False,
) -> None:
    """Prove that a training can be killed anywhere: kill it, resume it, and compare every bit.

    Weights, optimizer, what callbacks remember, metric rows and scores are held against an uninterrupted training.
    """
    from nnrun.cli.console import messages, print_json, results
    from nnrun.verification import spread
    from nnrun.verification import verify_resume as cases

    screen = messages()
    screen.print("training without interruption, to compare with", markup=False)
    failed = done = 0
    places = functools.partial(spread, kills)
    for case in cases(config, overrides or [], kills=places, code=code):
        done += 1
        failed += bool(case.differences)
        if json:
            print_json({"killed": str(case.kill), "differences": case.differences})
            continue
        verdict = "every bit is the same"
        if case.differences:
            verdict = f"DIFFERS in {len(case.differences)} places, first in {case.differences[0]}"
        screen.print(f"killed {case.kill}, resumed: {verdict}", markup=False)
    if not json:
        results().print(
            f"{done - failed} of {done} killed and resumed trainings are bit-identical", markup=False
        )
    if failed:
        raise typer.Exit(ChangedError.exit_code)


def _resume(
    run: str,
    overrides: list[str] | None,
    config: Path | None,
    code: Path | None,
    runs_dir: Path | None,
    *,
    json: bool,
    quiet: bool,
) -> None:
    from nnrun import experiment

    stop = StopSignals()
    opened, ending = experiment.resume(
        run,
        overrides or [],
        display=choose_display(json=json, quiet=quiet),
        config=config,
        runs_dir=runs_dir,
        code=code,
        interrupted=stop.asked,
    )
    if ending.reason == "finished" and quiet:
        typer.echo(str(opened.path))
    if ending.reason == "interrupted":
        raise typer.Exit(stop.exit_code)


def find_hints(
    config: Path, overrides: list[str] | None, code: Path | None, *, strict: bool
) -> list[Problem]:
    """The hints on what is to be trained; none for a pipe, which can be read only once.

    Raises:
        typer.Exit: There are hints, and they count as mistakes.
        SpecError: The specification is wrong, or a pipe that is to have no hints.
    """
    from nnrun.spec.advice import advise
    from nnrun.spec.load import load_spec
    from nnrun.spec.source import is_pipe

    if is_pipe(config):
        if strict:
            raise SpecError([Problem("--strict reads the specification twice; give a file, not a pipe")])
        return []
    hints = advise(load_spec(config, overrides or [], code))
    if hints and strict:
        from nnrun.cli.console import print_hints

        print_hints(hints, str(config), f"{REFUSED} Nothing was trained.")
        raise typer.Exit(SpecError.exit_code)
    return hints


def choose_display(*, json: bool, quiet: bool) -> Display:
    """The display that the options and the terminal ask for; warnings of Keras are shown on it in one line."""
    chosen = _choose_display(json=json, quiet=quiet)
    warnings.showwarning = lambda message, *_: chosen.notify(f"note: {' '.join(str(message).split())}")
    return chosen


def _choose_display(*, json: bool, quiet: bool) -> Display:
    from nnrun.cli import display
    from nnrun.cli.console import is_terminal, messages, results

    if json:
        return display.Logged(display.JsonDisplay())
    if quiet:
        return display.Logged(display.QuietDisplay())
    if is_terminal():
        return display.Logged(display.RichDisplay())
    shown, result = messages(), results()
    return display.Logged(
        display.PlainDisplay(
            lambda line: shown.print(line, markup=False), lambda line: result.print(line, markup=False)
        )
    )


class StopSignals:
    """Remembers the first SIGINT or SIGTERM of a training; the second stops the process at once.

    Before the first step there is nothing to keep, so the first one stops at once as well.
    """

    def __init__(self) -> None:
        self.received = 0
        self._training = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        if hasattr(signal, "SIGHUP"):  # the terminal may go, the training stays
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    @property
    def exit_code(self) -> int:
        """That of a training that was stopped; where another worker got the signal, as for Ctrl-C."""
        return 128 + (self.received or signal.SIGINT)

    def asked(self) -> bool:
        """Whether the training should stop; who asks is training."""
        self._training = True
        return self.received != 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._training:
            raise SystemExit(128 + number)
        if self.received:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.received = number
        from nnrun.cli.console import messages

        messages().print("stopping after this step; once more stops at once", markup=False)


def run_or_config(reference: str, runs_dir: Path | None) -> Path | Run:
    """A specification by its path, or else a run."""
    from nnrun.spec.source import is_file
    from nnrun.store.runs import find_run, runs_directory

    path = Path(reference)
    if path.suffix in (".yaml", ".yml") or is_file(path):
        return path
    return find_run(reference, runs_directory(runs_dir))
