"""Commands that read a specification without training it: ``validate``, ``config``, ``summary``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnrun.cli.app import command
from nnrun.cli.completion import complete_config, complete_config_or_run
from nnrun.cli.trainings import REFUSED, Code, Config, Json, Overrides, RunsDir, Strict, run_or_config
from nnrun.errors import Problem, SpecError


@command(epilog="Example: nnrun validate configs/*.yaml")
def validate(
    configs: Annotated[
        list[Path],
        typer.Argument(
            help="Specifications: YAML files.", metavar="CONFIG...", autocompletion=complete_config
        ),
    ],
    build: Annotated[
        bool, typer.Option("--build", help="Also build the model, to check the shapes.")
    ] = False,
    strict: Strict = False,
    code: Code = None,
    json: Json = False,
) -> None:
    """Find all mistakes in specifications, and what could be better, without TensorFlow and in a moment."""
    from nnrun.cli.console import print_error, print_hints, print_json
    from nnrun.spec.advice import advise
    from nnrun.spec.load import load_spec

    failed = False
    for config in configs:
        problems: list[str] = []
        hints: list[Problem] = []
        try:
            loaded = load_spec(config, (), code)
            if build:
                from nnrun.model.summary import check_on_paper

                check_on_paper(loaded)
            hints = advise(loaded)
        except SpecError as error:
            failed = True
            problems = [str(problem) for problem in error.problems]
            if not json:
                print_error(error, "")
        refused = strict and bool(hints)
        failed = failed or refused
        if json:
            found = {"problems": problems, "hints": [str(hint) for hint in hints]}
            print_json({"config": str(config), "valid": not problems and not refused, **found})
            continue
        if not problems and not refused:
            typer.echo(f"{config}: valid")
        print_hints(hints, str(config), REFUSED if strict else "")
    if failed:
        raise typer.Exit(SpecError.exit_code)


@command(epilog="Example: nnrun config configs/mnist.yaml training.epochs=3 --origin")
def config(
    config: Config,
    overrides: Overrides = None,
    origin: Annotated[bool, typer.Option("--origin", help="Show where each value comes from.")] = False,
    code: Code = None,
    json: Json = False,
) -> None:
    """Show the resolved specification, every default written."""
    from nnrun.cli.console import print_json
    from nnrun.spec.load import dump_spec, load_spec, origins
    from nnrun.spec.source import path_text

    loaded = load_spec(config, overrides or [], code)
    if origin:
        found = {path_text(path): where for path, where in origins(loaded).items()}
        if json:
            print_json(found)
            return
        width = max(map(len, found), default=0)
        for path, where in found.items():
            typer.echo(f"{path:{width}}  {where}")
    elif json:
        print_json(loaded.spec.plain())
    else:
        typer.echo(dump_spec(loaded.spec), nl=False)


@command(epilog="Example: nnrun summary configs/mnist.yaml")
def summary(
    config: Annotated[
        str,
        typer.Argument(
            help="A specification or a run.", metavar="CONFIG|RUN", autocompletion=complete_config_or_run
        ),
    ],
    overrides: Overrides = None,
    code: Code = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """Show the layers with their shapes and parameters, and the memory they take."""
    from nnrun.cli.console import print_json, results
    from nnrun.model.summary import build_from_facts, describe_model, summary_lines
    from nnrun.spec.load import load_spec

    found = run_or_config(config, runs_dir)
    loaded = load_spec(found if isinstance(found, Path) else found.config_path, overrides or [], code)
    model = build_from_facts(loaded)
    if json:
        print_json(describe_model(model, loaded.spec.training))
        return
    for line in summary_lines(model, loaded.spec.training):
        results().print(line, markup=False)
