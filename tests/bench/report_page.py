"""How long a run takes from its last epoch to its end, and its page: ``python tests/bench/report_page.py [FILE ...]``.

Each specification is trained for two epochs, in a process of its own; MNIST is read from ``$NNRUN_DATA_DIR``. What is
timed: everything from the end of the training to the result, of it the full evaluation and the page; then the page
once more by itself.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SPECIFICATIONS = (
    "configs/mnist_cnn.yaml",
    "configs/mnist.yaml",
    "configs/digits.yaml",
    "configs/own/iris.yaml",
)
MOST_SECONDS = 1.5
"""From the last epoch of MNIST to the end of the run."""

sys.path.insert(0, str(REPOSITORY / "tests"))


def timed(function: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    """A function that notes how long it takes."""

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            name = function.__name__
            seconds[name] = seconds.get(name, 0) + time.perf_counter() - begun

    return call


def measure(specification: Path) -> None:
    """Train, and print how long each part of the end took."""
    from quiet import Quiet

    from nnrun import experiment
    from nnrun.report.html import render

    class Watch(Quiet):
        ended = 0.0

        def on_stop(self, position: Any) -> None:
            self.ended = time.perf_counter()

    seconds: dict[str, float] = {}
    for name in ("evaluate_part", "write_evaluation", "write_page"):
        setattr(experiment, name, timed(getattr(experiment, name), seconds))
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        run, _ = experiment.train(specification, ["training.epochs=2"], display=watch, runs_dir=Path(folder))
        whole = time.perf_counter() - watch.ended
        begun = time.perf_counter()
        size = len(render([run]).encode())
        alone = time.perf_counter() - begun
    parts = ", ".join(f"{name} {value:.3f}" for name, value in seconds.items())
    print(f"{specification.name}: {whole:.2f} s from the last epoch to the end ({parts}); ", end="")
    print(
        f"the page once more {alone:.3f} s, {size / 1000:.0f} kB; matplotlib: {'matplotlib' in sys.modules}"
    )
    assert "mnist" not in specification.stem or whole < MOST_SECONDS, f"more than {MOST_SECONDS} s"


if __name__ == "__main__":
    given = sys.argv[1:] or SPECIFICATIONS
    if len(given) == 1:
        measure(REPOSITORY / given[0])
    else:
        for one in given:
            subprocess.run([sys.executable, __file__, one], check=True)
