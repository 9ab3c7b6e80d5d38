"""Python processes of their own, with the same packages as this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

import nnrun


def module_command(module: str) -> list[str]:
    """The command that runs a module of nnrun; nothing in the working directory is imported by it."""
    return [sys.executable, "-P", "-m", module]


def module_environment() -> dict[str, str]:
    """Its environment: this one, and nnrun is found in it however this process found it."""
    home = str(Path(nnrun.__file__).parents[1])
    paths = [path for path in (os.environ.get("PYTHONPATH"), home) if path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def take_output() -> TextIO:
    """Keep standard output for answers alone: whatever else writes to it, native code too, is discarded.

    Returns:
        Where the answers go, line by line.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers
