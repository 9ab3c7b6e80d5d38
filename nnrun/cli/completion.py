"""What the shell completes: templates, configurations, runs, names, and overrides by the file they change.

Typer asks these functions while somebody presses Tab: they are quick, load neither TensorFlow nor Keras, and never
raise. A word that is the only one gets a space behind it from the shell; where more must follow (``training.``,
``training.epochs=``), what may follow is offered at once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nnrun.spec.node import Node

LONGEST_MEANING = 70
"""Characters; Typer breaks longer lines, and fish takes the rest for another word."""

Word = tuple[str, str]
"""A completion and what it means."""


def _quietly(complete: Callable[..., list[Word]]) -> Callable[..., list[Word]]:
    """A completion that fails offers nothing: a traceback would be typed into the user's command line."""

    @functools.wraps(complete)
    def quiet(*args: Any, **kwargs: Any) -> list[Word]:
        try:
            return [(word, _plain(meaning)) for word, meaning in complete(*args, **kwargs)]
        except Exception:
            return []

    return quiet


def _plain(meaning: str) -> str:
    """A meaning on one line, without what shells or Typer's markup would read into it."""
    from nnrun.spec.schema import shorten

    return shorten(re.sub(r"[\"'`$\\\[\]]", "", meaning), LONGEST_MEANING)


@_quietly
def complete_template(incomplete: str) -> list[Word]:
    """Names of templates, for ``init``."""
    from nnrun.spec.templates import list_templates

    return [
        (template.name, template.summary)
        for template in list_templates()
        if template.name.startswith(incomplete)
    ]


@_quietly
def complete_config(incomplete: str) -> list[Word]:
    """YAML files, and folders to look for them in."""
    found = list(_config_files(incomplete))
    while len(found) == 1 and found[0][0].endswith("/"):
        inner = list(_config_files(found[0][0]))
        if not inner:
            break
        found = inner
    return found


def _config_files(incomplete: str) -> Iterator[Word]:
    start, slash, last = incomplete.rpartition("/")
    folder = Path(start + slash).expanduser()
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith(last) or (entry.name.startswith(".") and not last):
            continue
        if entry.is_dir():
            yield f"{start}{slash}{entry.name}/", ""
        elif entry.suffix in (".yaml", ".yml"):
            yield f"{start}{slash}{entry.name}", ""


@_quietly
def complete_run(ctx: typer.Context, incomplete: str) -> list[Word]:
    """Runs by their ids, newest first, after ``latest``."""
    from nnrun.store.runs import list_runs, runs_directory

    option = ctx.params.get("runs_dir")
    ids = [run.id for run in reversed(list_runs(runs_directory(Path(option) if option else None)))]
    words = [("latest", ids[0]) if ids else ("", ""), *((run, "") for run in ids)]
    return [word for word in words if word[0] and word[0].startswith(incomplete)]


@_quietly
def complete_config_or_run(ctx: typer.Context, incomplete: str) -> list[Word]:
    """YAML files, then runs."""
    return [*complete_config(incomplete), *complete_run(ctx, incomplete)]


@_quietly
def complete_names(incomplete: str) -> list[Word]:
    """Everything that a specification can choose: Keras's names, nnrun's own, data sources; then YAML files."""
    from nnrun.spec import catalog
    from nnrun.spec.datasets import dataset_names

    kinds: dict[str, str] = {}
    for kind in catalog.KINDS:
        for name in catalog.names(kind):
            kinds[name] = f"{kinds[name]}, {kind}" if name in kinds else kind
    kinds |= dict.fromkeys(dataset_names(), "data source")
    names = [(name, kind) for name, kind in kinds.items() if name.startswith(incomplete)]
    return [*names, *complete_config(incomplete)]


@_quietly
def complete_override(ctx: typer.Context, incomplete: str) -> list[Word]:
    """Changes of the configuration that stands before: ``training.epochs=``, ``training.optimizer=adam``.

    Shells differ: bash takes ``training.optimizer=ad`` for three words and wants what follows the ``=`` alone, the
    others take it for one.
    """
    from nnrun.cli.override_words import override_words, value_words
    from nnrun.spec.code import use_code

    code = ctx.params.get("code")
    use_code(Path(code) if code else None)
    tree = _tree(ctx)
    path = _path_before(list(ctx.params.get("overrides") or ()))
    return value_words(tree, path, incomplete) if path else override_words(tree, incomplete)


def _path_before(words: Sequence[str]) -> str | None:
    """The path whose value is completed, where the shell has taken it for a word of its own."""
    if words[-1:] == ["="]:
        return words[-2] if len(words) > 1 else None
    if not words or "=" in words[-1] or words[-1].startswith("~") or words[-2:-1] == ["="]:
        return None
    return words[-1]  # the word that is completed is the `=` itself


def _tree(ctx: typer.Context) -> Node | None:
    """What the configuration, or that of the run, says with its bases; None where it cannot be read."""
    from nnrun.cli.trainings import run_or_config
    from nnrun.errors import NnrunError
    from nnrun.spec.base import read_with_base

    reference, runs = ctx.params.get("config") or ctx.params.get("run"), ctx.params.get("runs_dir")
    try:
        found = run_or_config(str(reference), Path(runs) if runs else None)
        return read_with_base(found if isinstance(found, Path) else found.config_path)[0]
    except NnrunError:
        return None
