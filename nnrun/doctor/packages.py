"""Findings on Python and its packages, without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator

from nnrun import __version__
from nnrun.doctor.finding import Finding, ok, problem

NEEDED = (
    "tensorflow",
    "keras",
    "numpy",
    "polars",
    "matplotlib",
    "pillow",
    "pydantic",
    "pyyaml",
    "typer",
    "rich",
    "filelock",
)
"""Distributions; what nnrun's own metadata asks of their versions is looked up there."""

SLOWING = {"sklearn": "scikit-learn", "pandas": "pandas"}
"""What Keras imports at its start when it is there, and nnrun keeps it from importing."""


def package_findings() -> Iterator[Finding]:
    """Python, nnrun, the packages that it needs, and those that would make its start slow."""
    yield ok("nnrun", f"{__version__}, Python {platform.python_version()} at {sys.executable}")
    asked = requirements()
    versions = {}
    for name in NEEDED:
        found = version(name)
        wanted = asked.get(name, "")
        if found is None:
            yield problem(name, "it is not installed", f"pip install '{name}{wanted}'")
        elif not fits(found, wanted):
            yield problem(
                name, f"{found} is installed, nnrun needs {wanted}", f"pip install --upgrade '{name}{wanted}'"
            )
        else:
            versions[name] = found
    yield ok("packages", ", ".join(f"{name} {found}" for name, found in versions.items()))
    slowing = [title for module, title in SLOWING.items() if importlib.util.find_spec(module)]
    if slowing:
        yield ok(
            "start", f"Keras would import {' and '.join(slowing)}; nnrun keeps it from that, which saves time"
        )


def version(name: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements() -> dict[str, str]:
    """The versions that nnrun asks for, as ``>=3.15.1``, by the distribution's name; empty where they are not known."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement

        listed = importlib.metadata.requires("nnrun") or []
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return {}
    found = {}
    for text in listed:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            found[one.name.lower()] = str(one.specifier)
    return found


def fits(found: str, wanted: str) -> bool:
    """Whether a version is one of those asked for; one that nobody can compare is."""
    if not wanted:
        return True
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(wanted).contains(Version(found), prereleases=True)
    except InvalidVersion:
        return True
