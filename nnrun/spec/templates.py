"""The shipped configurations as templates: what there is, and what a copy of one consists of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import nnrun
from nnrun.errors import Problem, SpecError
from nnrun.spec.names import nearest
from nnrun.spec.node import leaves
from nnrun.spec.source import parse_yaml, read_source

SCHEMA = "nnrun.schema.json"
"""The file that describes specifications to editors; it stands beside them."""

MODELINE = "# yaml-language-server: $schema="
"""By this comment an editor finds the schema."""

HEADING = re.compile(r"# nnrun train (\S+) *(.*)")
"""The first line of every template: its command and what it reaches."""

FILE = re.compile(r"\.\./[\w./-]+|[\w./-]+\.\w+")
"""What may be the path of a file, or of a folder of data."""


@dataclass(frozen=True)
class Template:
    """A shipped configuration.

    Args:
        name: What to call it by: its path in the folder of configurations, without suffix.
        path: Where it is.
        summary: What it reaches, and in which time.
    """

    name: str
    path: Path
    summary: str


def templates_folder() -> Path:
    """Where the shipped configurations are: in the package of a wheel, beside the package in a checkout."""
    package = Path(nnrun.__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def list_templates() -> list[Template]:
    """All templates, those of the folder itself first."""
    folder = templates_folder()
    paths = sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return [_read(path, folder) for path in paths]


def _read(path: Path, folder: Path) -> Template:
    with path.open(encoding="utf-8") as file:
        heading = HEADING.match(file.readline())
    name = path.relative_to(folder).with_suffix("").as_posix()
    return Template(name, path, heading[2].strip() if heading else "")


def find_template(name: str) -> Template:
    """The template of a name; the folder and the suffix may be left out where that leaves one.

    Raises:
        SpecError: There is none, or there are several.
    """
    known = {template.name: template for template in list_templates()}
    wanted = name.removesuffix(".yaml").removeprefix("configs/")
    if wanted in known:
        return known[wanted]
    found = [template for template in known.values() if template.name.rpartition("/")[2] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        advice = f"; there are {' and '.join(template.name for template in found)}"
    else:
        near = nearest(wanted, known)
        advice = f"; did you mean '{near}'?" if near else "; `nnrun init` lists all"
    raise SpecError([Problem(f"no template '{name}'{advice}")])


def copy_of(template: Path, target: Path) -> dict[Path, bytes]:
    """What to write for a copy: the text under its new name, and beside it the files that it names.

    Args:
        template: A shipped specification.
        target: Where the copy will be.

    Returns:
        The content of each file.
    """
    source = read_source(template)
    lines = source.text.splitlines()
    files: dict[Path, bytes] = {}
    places = {leaf.place: leaf.value for _, leaf in leaves(parse_yaml(source))}
    for place, value in sorted(places.items(), key=lambda item: -item[0].column):
        if not isinstance(value, str) or not FILE.fullmatch(value):
            continue
        named = template.parent / value
        if not named.exists():
            continue
        line = lines[place.line - 1]
        lines[place.line - 1] = line[: place.column - 1] + named.name + line[place.end_column - 1 :]
        beside = target.parent / named.name
        if named.is_dir():
            files |= _copy_of_folder(named, beside)
        else:
            files |= copy_of(named, beside) if named.suffix == ".yaml" else {beside: named.read_bytes()}
    return {target: "\n".join([*_heading(lines, target), ""]).encode(), **files}


def _copy_of_folder(folder: Path, target: Path) -> dict[Path, bytes]:
    """The files of a folder of data, in their new places."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {target / path.relative_to(folder): path.read_bytes() for path in paths}


def _heading(lines: list[str], target: Path) -> list[str]:
    """The lines with the new command and the schema that stands beside the copy."""
    command = HEADING.match(lines[0])
    if command:
        lines = [f"# nnrun train {quote(str(target))}   {command[2]}".rstrip(), *lines[1:]]
    kept = [line for line in lines if not line.startswith(MODELINE)]
    return [*kept[:1], MODELINE + SCHEMA, *kept[1:]]
