"""The command that teaches: ``explain``, for a name of the vocabulary or for a specification."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_names
from nnrun.cli.trainings import Code, Json, Overrides
from nnrun.errors import Problem, SpecError

if TYPE_CHECKING:
    from nnrun.explain.curves import Curve
    from nnrun.explain.parts import PartInWords
    from nnrun.spec.catalog import Kind

WIDEST = 100
"""Columns of text that are read with ease."""


@command(
    epilog="Example: nnrun explain Dense, nnrun explain gelu --plot gelu.png, nnrun explain configs/mnist.yaml"
)
def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="A name such as Dense, relu, adam or mse, a name with arguments, or a specification.",
            metavar="NAME|CONFIG",
            autocompletion=complete_names,
        ),
    ],
    overrides: Overrides = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Only as this: layer, activation, loss, metric ...", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the curve of an activation or a schedule into this picture.", show_default=False
        ),
    ] = None,
    code: Code = None,
    json: Json = False,
) -> None:
    """Explain a part of the vocabulary, or a specification layer by layer with advice."""
    from nnrun.spec.source import is_file

    path = Path(what)
    if path.suffix in (".yaml", ".yml") or is_file(path):
        _explain_config(path, overrides or [], code, json=json)
        return
    if overrides:
        raise SpecError(
            [Problem(f"changes belong to a specification, and {what} is none; leave {overrides[0]} out")]
        )
    _explain_name(what, _kind(kind), plot, code, json=json)


def _explain_config(path: Path, overrides: list[str], code: Path | None, *, json: bool) -> None:
    from nnrun.cli.console import print_json, results
    from nnrun.explain.config import explain_config
    from nnrun.spec.load import load_spec

    sections = explain_config(load_spec(path, overrides, code))
    if json:
        print_json({section.title.lower(): section.lines for section in sections})
        return
    screen = results()
    for section in sections:
        screen.print(section.title, style="bold", markup=False)
        for line in section.lines:
            _print_lines(_wrapped(line, "  "))


def _explain_name(what: str, kind: Kind | None, plot: Path | None, code: Path | None, *, json: bool) -> None:
    from nnrun.cli.console import messages, print_json
    from nnrun.explain import curves
    from nnrun.explain.parts import explain_name
    from nnrun.spec.code import use_code

    use_code(code)
    name, arguments = _read(what)
    parts = explain_name(name, kind)
    drawn = [(part, curves.find_curve(part.kind, name, arguments)) for part in parts]
    if plot:
        found = next((curve for _, curve in drawn if curve), None)
        if found is None:
            raise SpecError([Problem(f"{name} has no curve; activations and schedules have one")])
        curves.plot(found, plot)
        messages().print(f"the curve of {found.title} is in {plot}", markup=False)
    if json:
        print_json([part.plain() for part in parts])
        return
    for part, curve in drawn:
        _print_part(part, curve)


def _kind(text: str | None) -> Kind | None:
    from nnrun.spec.catalog import KINDS
    from nnrun.spec.names import did_you_mean

    for known in KINDS:
        if text == known:
            return known
    if text is None:
        return None
    near = did_you_mean(text, KINDS) or f"; there are {', '.join(KINDS)}"
    raise SpecError([Problem(f"--kind: no kind '{text}'{near}")])


def _read(what: str) -> tuple[str, dict[str, Any]]:
    """A name, or a name with arguments as it stands in a specification."""
    from nnrun.errors import Source
    from nnrun.spec.compose import compose
    from nnrun.spec.node import plain
    from nnrun.spec.schema import Choice

    node, problems = compose(Source("command line", what))
    if problems or node is None:
        raise SpecError(problems or [Problem("expected a name such as Dense, or a specification")])
    try:
        choice = Choice.parse(plain(node))
    except ValueError as error:
        raise SpecError([Problem(str(error), place=node.place)]) from None
    return choice.name, choice.arguments


def _print_part(part: PartInWords, curve: Curve | None) -> None:
    from nnrun.cli.console import results

    screen = results()
    screen.print(f"{part.name}, {_article(part.kind)}", style="bold", markup=False)
    for paragraph in part.meaning.split("\n\n"):
        _print_lines(_wrapped(paragraph, "  "))
    if part.formula:
        _print_lines(["", *_wrapped(part.formula, "    ")])
    if part.aliases:
        _print_lines(["", *_wrapped(f"also written {', '.join(part.aliases)}", "  ")])
    _print_lines(["", *_wrapped(f"It stands {part.stands}:", "  "), f"    {part.line}"])
    if part.arguments:
        _print_lines(["", "  Arguments"])
    for argument in part.arguments:
        facts = ", ".join(filter(None, (argument.takes, _default(argument.default))))
        screen.print(f"    {argument.name}", style="cyan", end="", markup=False)
        screen.print(f"  {facts}", style="dim", markup=False)
        if argument.meaning:
            _print_lines(_wrapped(argument.meaning, "        "))
    if curve:
        utf = (getattr(sys.stdout, "encoding", "") or "").lower().startswith("utf")
        _print_lines(["", f"  {curve.title}", *(f"  {line}" for line in _drawn(curve, utf=utf))])
    _print_lines([""])


def _drawn(curve: Curve, *, utf: bool) -> list[str]:
    from nnrun.explain.curves import draw

    return draw(curve) if utf else draw(curve, "*")


def _article(kind: str) -> str:
    return (
        f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" if kind != "schedule" else "a learning rate schedule"
    )


def _default(text: str) -> str:
    return text if text == "required" else f"default {text}"


def _wrapped(text: str, indent: str) -> Iterator[str]:
    """A sentence on several lines, its own indent kept."""
    from nnrun.cli.console import printable, results

    own = indent + " " * (len(text) - len(text.lstrip()))
    width = min(WIDEST, results().width)
    yield from textwrap.wrap(
        printable(text.strip()), width, initial_indent=own, subsequent_indent=own, break_on_hyphens=False
    ) or [""]


def _print_lines(lines: Iterable[str]) -> None:
    from nnrun.cli.console import results

    for line in lines:
        results().print(line, markup=False)
