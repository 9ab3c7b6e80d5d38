"""Commands that keep order among runs: ``tag``, ``note``, ``rm``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_run
from nnrun.cli.trainings import RunName, RunsDir
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from nnrun.store.run import Run


@command(epilog="Example: nnrun tag latest baseline paper")
def tag(
    run: RunName,
    tags: Annotated[
        list[str] | None, typer.Argument(help="Words to find it by.", metavar="TAG", show_default=False)
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take these tags away; without any, all.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Give a run tags, take them away, or show those it has. `nnrun ls --where tags=baseline` finds it by one."""
    from nnrun.store.labels import Labels

    found = _find([run], runs_dir)[0]
    labels = Labels.read(found)
    if remove:
        _refuse_absent(found, labels.tags, tags or [])
        labels.tags = [one for one in labels.tags if tags and one not in tags]
    else:
        labels.tags = list(dict.fromkeys([*labels.tags, *(tags or [])]))
    if remove or tags:
        labels.write(found)
    _print_line(", ".join(labels.tags) or f"{found.id} has no tags")


def _refuse_absent(run: Run, known: Sequence[str], tags: Sequence[str]) -> None:
    has = f"it has {', '.join(known)}" if known else "it has none"
    problems = [
        Problem(f"{run.id} has no tag {one!r} that was given with nnrun tag; {has}")
        for one in tags
        if one not in known
    ]
    if problems:
        raise SpecError(problems)


@command(epilog='Example: nnrun note latest "the learning rate was too high"')
def note(
    run: RunName,
    text: Annotated[
        str | None,
        typer.Argument(help="The note, in place of the one before.", metavar="TEXT", show_default=False),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the note away.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Write a note on a run, or show the one it has."""
    from nnrun.store.labels import Labels

    if remove and text is not None:
        raise SpecError([Problem("--remove takes the note away; give no text with it")])
    found = _find([run], runs_dir)[0]
    labels = Labels.read(found)
    if remove or text is not None:
        labels.note = text or ""
        labels.write(found)
    elif labels.note:
        for line in labels.note.splitlines():
            _print_line(line)
    else:
        _say(f"{found.id} has no note")


@command("Nothing was removed.", epilog="Example: nnrun rm latest~3, or nnrun rm --empty-trash")
def rm(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs: paths, ids, unique prefixes, latest, latest~1.",
            metavar="RUN",
            show_default=False,
            autocompletion=complete_run,
        ),
    ] = None,
    purge: Annotated[bool, typer.Option("--purge", help="Delete for good.")] = False,
    empty_trash: Annotated[
        bool, typer.Option("--empty-trash", help="Delete for good what lies in the trash.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Move runs to the trash, runs/.trash, from where they can be moved back; a run in use is never moved."""
    from nnrun.store.runs import runs_directory

    if empty_trash == bool(runs):
        raise SpecError([Problem("expected the runs to remove, or --empty-trash and no runs")])
    if empty_trash:
        _empty_trash(runs_directory(runs_dir), yes=yes)
    else:
        _remove(_find(runs or [], runs_dir), purge=purge, yes=yes)


def _remove(runs: Sequence[Run], *, purge: bool, yes: bool) -> None:
    from nnrun.store.trash import delete, move_to_trash, refuse_to_remove

    refuse_to_remove(runs)
    names = ", ".join(run.id for run in runs)
    if purge:
        _ask(f"Delete {names} for good ({_size([run.path for run in runs])})?", yes=yes, is_final=True)
    else:
        _ask(f"Move {names} to the trash?", yes=yes, is_final=False)
    for run in runs:
        moved = move_to_trash(run)
        if purge:
            delete([moved])
        _say(f"{run.id} is deleted" if purge else f"{run.id} is in {moved}; mv takes it back")


def _empty_trash(runs: Path, *, yes: bool) -> None:
    from nnrun.store.trash import delete, in_trash

    found = in_trash(runs)
    if not found:
        _say("the trash is empty")
        return
    count = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    _ask(f"Delete {count} in the trash for good ({_size(found)})?", yes=yes, is_final=True)
    delete(found)
    _say(f"{count} deleted")


def _size(paths: Sequence[Path]) -> str:
    from nnrun.cli.figures import size
    from nnrun.store.trash import files_in

    return size(sum(count for path in paths for _, count in files_in(path)))


def _ask(question: str, *, yes: bool, is_final: bool) -> None:
    """Ask on a terminal. Where nobody can be asked, what can be taken back is done, what cannot needs ``--yes``.

    Raises:
        SpecError: It is final, and nobody can be asked.
        typer.Exit: The answer is no.
    """
    from nnrun.cli.console import printable

    if yes:
        return
    if not sys.stdin.isatty():
        if is_final:
            raise SpecError(
                [Problem("what is deleted cannot be brought back; add --yes where nobody can be asked")]
            )
        return
    if not typer.confirm(printable(question), err=True):
        _say("nothing was removed")
        raise typer.Exit(1)


def _find(names: Sequence[str], runs_dir: Path | None) -> list[Run]:
    """The runs that are named, each once."""
    from nnrun.store.runs import find_run, runs_directory

    runs = runs_directory(runs_dir)
    found = [find_run(name, runs) for name in names]
    return list({run.path.absolute(): run for run in found}.values())


def _print_line(text: str) -> None:
    from nnrun.cli.console import printable

    typer.echo(printable(text))


def _say(text: str) -> None:
    from nnrun.cli.console import messages, printable

    messages().print(printable(text), markup=False)
