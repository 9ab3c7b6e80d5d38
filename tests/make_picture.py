"""Draw the README's picture of a run: ``python tests/make_picture.py OUT.svg``.

It trains ``configs/digits.yaml`` for real and exports what appears on the screen.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from nnrun import experiment
from nnrun.cli import display

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "digits.yaml"


def main() -> None:
    target = Path(sys.argv[1]).resolve()
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=124, highlight=False)
    display.messages = display.results = lambda: console
    display.REDRAW_SECONDS = 1e9  # the moving line would be recorded too
    console.print("[bold green]$[/] nnrun train configs/digits.yaml training.epochs=12")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        experiment.train(CONFIG, ["training.epochs=12"], display=display.RichDisplay(), runs_dir=Path("runs"))
    target.write_text(console.export_svg(title="nnrun"), "utf-8")


if __name__ == "__main__":
    main()
