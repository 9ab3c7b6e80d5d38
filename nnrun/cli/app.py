"""The ``nnrun`` command: its subcommands, and the one place where expected errors become exit codes.

0 done · 2 usage or specification · 3 data · 4 run or checkpoint damaged · 5 disk, memory, permission ·
6 diverged · 7 run in use · 8 changed since training · 70 a bug in nnrun · 130/143 interrupted
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from nnrun import __version__
from nnrun.errors import BUG_EXIT_CODE, NnrunError

app = typer.Typer(
    name="nnrun",
    help="Train neural networks that are described in a YAML file.",
    epilog="Begin with: nnrun train configs/digits.yaml",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def command(closing: str = "", **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose expected errors are shown and become its exit code.

    Args:
        closing: What is said after the problems of a specification, such as ``Nothing was trained.``
        settings: For ``typer.Typer.command``.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except NnrunError as error:
                from nnrun.cli.console import print_error

                print_error(error, closing)
                raise typer.Exit(error.exit_code) from None
            except (typer.Exit, typer.Abort, BrokenPipeError):
                raise
            except Exception as bug:
                raise typer.Exit(report_exception(bug, closing)) from None

        return app.command(**settings)(guarded)

    return register


def report_exception(error: Exception, closing: str) -> int:
    """Show an exception of the user's Python file at its line, any other one as a bug; the exit code."""
    from nnrun.model.reasons import blame_code

    blamed = blame_code(error)
    if blamed is None:
        report_bug(error)
        return BUG_EXIT_CODE
    from nnrun.cli.console import print_error

    print_error(blamed, closing)
    return blamed.exit_code


def report_bug(bug: Exception) -> None:
    """Write the traceback to a file and say where it is."""
    import tempfile
    import traceback

    from nnrun.cli.console import messages, printable

    with tempfile.NamedTemporaryFile(
        "w", prefix="nnrun-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(bug, file=file)
    messages().print(
        f"This is a bug in nnrun {__version__}: {printable(f'{type(bug).__name__}: {bug}')}\n"
        f"The traceback is in {file.name}; please report it with the specification.",
        markup=False,
    )


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nnrun {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Train neural networks that are described in a YAML file."""


def main() -> None:
    """Run the command line."""
    app()


from nnrun.cli import (  # noqa: E402  (they register their commands)
    answers,  # noqa: F401
    benching,  # noqa: F401
    comparing,  # noqa: F401
    data,  # noqa: F401
    doctoring,  # noqa: F401
    explain,  # noqa: F401
    keeping,  # noqa: F401
    launching,  # noqa: F401
    report,  # noqa: F401
    runs,  # noqa: F401
    showing,  # noqa: F401
    specifications,  # noqa: F401
    starting,  # noqa: F401
    trainings,  # noqa: F401
    watching,  # noqa: F401
)
