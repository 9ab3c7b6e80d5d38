"""One side of the comparison in a process of its own: it does what lines of JSON on its standard input ask for.

``{"config": ..., "overrides": [...], "code": ..., "program": ...}`` comes first: it loads the data, and nnrun's side
tells what it chooses. A side of PyTorch begins with ``{"program": ..., "network": {...}, "arrays": FILE, "device":
...}`` instead, which nnrun's side gives to ``{"describe": FILE}``; it tells its versions, or why it does not take part.
Then ``{"side": {...}, "turn": {...}}`` trains once, ``{"peak": true}`` measures the matrix product, and
``{"memory": true}`` tells the most memory that was held. Each is answered by one line of JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.bench.arithmetic import count_arithmetic
from nnrun.bench.description import NoCounterpartError, arrays_of, describe
from nnrun.bench.sides import train
from nnrun.bench.torch_sides import TorchWorker
from nnrun.bench.work import Side, Work
from nnrun.data.load import Data, Examples, load_data
from nnrun.errors import BUG_EXIT_CODE, DataError, NnrunError
from nnrun.keras_backend import divert_native_noise
from nnrun.machine.interpreter import take_output
from nnrun.machine.speed import matrix_product_rate, peak_memory
from nnrun.spec.load import Loaded, load_spec
from nnrun.training.devices import has_small_steps, set_threads
from nnrun.training.prepared import assemble
from nnrun.training.record import versions


class Worker:
    """One side, with its data.

    Args:
        config: The specification.
        overrides: ``a.b=VALUE`` and ``~a.b``.
        code: A Python file whose parts it names.
        program: Who trains here.
    """

    def __init__(self, config: str, overrides: list[str], code: str | None, program: str) -> None:
        self._loaded: Loaded = load_spec(Path(config), overrides, Path(code) if code else None)
        self._is_nnrun = program == "nnrun"
        # nnrun chooses the threads of small steps; Keras takes its own.
        set_threads(self._loaded.spec.runtime, is_small=self._is_nnrun and has_small_steps(self._loaded))
        self._data = _load(self._loaded)
        self._dtype = "float32"

    def begin(self) -> dict[str, Any]:
        """The answer to the first line."""
        return self.facts() if self._is_nnrun else {}

    def describe(self, path: Path) -> dict[str, Any]:
        """The network in plain values, with its weights and examples in a file; or why PyTorch does not take part."""
        prepared = assemble(self._loaded, self._data)
        try:
            network = describe(prepared)
        except NoCounterpartError as error:
            return {"absent": str(error)}
        try:
            np.savez(path, **arrays_of(prepared))  # type: ignore[arg-type]
        except OSError as error:
            return {"absent": f"its examples cannot be written for it: {error.strerror or error}"}
        return {"network": network.facts(), "device": prepared.spec.runtime.device}

    def facts(self) -> dict[str, Any]:
        """What is trained, and what nnrun chooses for it."""
        training, count = self._loaded.spec.training, len(self._data.train)
        prepared = assemble(self._loaded, self._data)
        self._dtype = prepared.model.dtype_policy.compute_dtype
        chosen = bool(prepared.model.jit_compile)
        prepared.model.jit_compile = None  # Keras decides
        return {
            "data": self._data.name,
            "examples": count,
            "batch_size": training.batch_size,
            "shuffle": training.shuffle,
            "jit_compile": chosen,
            "jit_compile_of_keras": bool(prepared.model.jit_compile),
            "precision": prepared.model.dtype_policy.name,
            "devices": prepared.devices.facts(),
            "parameters": prepared.model.count_params(),
            "arithmetic": count_arithmetic(prepared.model).facts(),
            "versions": versions(),
        }

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked for."""
        if "turn" in asked:
            return asdict(train(Side(**asked["side"]), self._loaded, self._data, Work(**asked["turn"])))
        if "describe" in asked:
            return self.describe(Path(asked["describe"]))
        if "peak" in asked:
            return {"peak": matrix_product_rate(self._dtype)}
        return {"memory": peak_memory()}


def _load(loaded: Loaded) -> Data:
    """The data of a specification, in memory.

    Raises:
        DataError: It cannot be had, or it is streamed from files.
    """
    spec = loaded.spec
    data = load_data(
        spec.data,
        losses=spec.training.loss,
        seed=spec.seed,
        validation_split=spec.training.validation_split,
        notify=lambda _: None,
    )
    if isinstance(data.train, Examples):
        return data
    raise DataError(
        f"{data.name} is streamed from files, and Keras's fit takes arrays; compare with data.cache=memory, "
        "or on a part of the files"
    )


def main() -> None:
    """Answer line after line, until there are no more."""
    answers = take_output()  # what a user's Python file prints is no answer
    divert_native_noise(None)
    worker: Worker | TorchWorker | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if worker is None:
                worker = TorchWorker(**asked) if "network" in asked else Worker(**asked)
                answer = worker.begin()
            else:
                answer = worker.answer(asked)
        except NnrunError as error:
            answer = {"failed": str(error), "exit_code": error.exit_code}
        except Exception:
            answer = {"failed": traceback.format_exc(), "exit_code": BUG_EXIT_CODE}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
