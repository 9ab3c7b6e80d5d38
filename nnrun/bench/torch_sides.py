"""The sides of PyTorch and Lightning: the same network and weights, trained as their own programs train."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import time
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nnrun.bench.description import Network, NoCounterpartError
from nnrun.bench.torch_network import Program, make_program
from nnrun.bench.work import Turn, Work
from nnrun.machine.speed import peak_memory
from nnrun.spec.names import shorten


def missing_package(program: str) -> str | None:
    """What is not installed of what a program needs."""
    names = ("torch", "lightning") if program == "lightning" else ("torch",)
    return next((name for name in names if importlib.util.find_spec(name) is None), None)


def package_versions(program: str) -> dict[str, str]:
    """The versions of what a program trains with."""
    names = ("torch", "lightning") if program == "lightning" else ("torch",)
    return {name: str(importlib.import_module(name).__version__) for name in names}


@dataclass(frozen=True)
class Task:
    """What a turn trains.

    Args:
        program: The translated network.
        x: Inputs, a tensor on the device.
        y: Targets, the same.
        batch_size: Examples in a step.
        work: How long.
        device: ``cpu`` or ``cuda``.
    """

    program: Program
    x: Any
    y: Any
    batch_size: int
    work: Work
    device: str


class TorchWorker:
    """A side of PyTorch, in a process without TensorFlow: the two cannot always live together.

    Args:
        program: ``torch`` or ``lightning``.
        network: What is trained, see :meth:`Network.facts`.
        arrays: An archive with its examples and weights.
        device: The specification's.
    """

    def __init__(self, program: str, network: dict[str, Any], arrays: str, device: str) -> None:
        self._program = program
        self._network = Network.of(network)
        with np.load(arrays, allow_pickle=False) as found:
            self._arrays = dict(found)
        self._device = device

    def begin(self) -> dict[str, Any]:
        """The versions of what trains here, or why it does not."""
        try:
            program = make_program(self._network, self._arrays)
            self._try(program)
        except NoCounterpartError as error:
            return {"absent": str(error)}
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # The other sides go on: what PyTorch says of a network that it should have known is all there is.
            return {"absent": f"{type(error).__name__}: {shorten(str(error), 200)}"}
        return {"versions": package_versions(self._program)}

    def _try(self, program: Program) -> None:
        """Hold the outputs for two examples against the shape that Keras's have.

        Raises:
            NoCounterpartError: They are others.
        """
        torch = importlib.import_module("torch")
        x, _ = self._tensors(torch, program, 2)
        with torch.no_grad():
            found, wanted = tuple(program.module(x).shape[1:]), self._network.layers[-1].output_shape
        if found != wanted:
            raise NoCounterpartError(f"its outputs have the shape {found} instead of {wanted}")

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked for."""
        return asdict(self._train(Work(**asked["turn"]))) if "turn" in asked else {"memory": peak_memory()}

    def _train(self, work: Work) -> Turn:
        """Train once, from the loaded data on."""
        torch = importlib.import_module("torch")
        torch.manual_seed(self._network.seed)
        marks = [time.perf_counter()]
        program = make_program(self._network, self._arrays)
        device = "cuda" if torch.cuda.is_available() and self._device != "cpu" else "cpu"
        x, y = self._tensors(torch, program, work.examples)
        task = Task(program, x.to(device), y.to(device), self._network.batch_size, work, device)
        run = _lightning_loop if self._program == "lightning" else _plain_loop
        logs = run(torch, task, marks)
        first_step = marks[-1] - marks[0] if work.only_first_step else None
        return Turn(
            first_step, np.diff(marks).tolist(), logs, weights="", jit_compile=False, steps_per_execution=1
        )

    def _tensors(self, torch: Any, program: Program, examples: int) -> tuple[Any, Any]:
        """The first examples as tensors."""
        x, y = self._arrays["x"][:examples], self._arrays["y"][:examples]
        if self._network.divisor is not None:
            x = x.astype(np.float32) / np.float32(self._network.divisor)
        targets = program.targets(y, self._network.layers[-1].output_shape[-1])
        return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(targets)


def _plain_loop(torch: Any, task: Task, marks: list[float]) -> list[dict[str, float]]:
    """The fastest plain program: all examples are one tensor, of which a step takes its rows."""
    program, work = task.program, task.work
    module = program.module.to(task.device).train()
    optimizer = program.optimizer([one for one in module.parameters() if one.requires_grad])
    count, logs = len(task.x), []
    for _ in range(work.epochs):
        order = torch.randperm(count) if work.shuffle else torch.arange(count)
        total, correct = torch.zeros((), device=task.device), torch.zeros((), device=task.device)
        for rows in order.to(task.device).split(task.batch_size):
            x, y = task.x[rows], task.y[rows]
            optimizer.zero_grad()
            outputs = module(x)
            loss = program.loss(outputs, y)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
            if program.with_accuracy:
                correct += program.correct(outputs, y)
            if work.only_first_step:
                break
        logs.append({"loss": float(total) / count})
        if program.with_accuracy:
            logs[-1]["accuracy"] = float(correct) / count
        marks.append(time.perf_counter())
    return logs


def _lightning_loop(torch: Any, task: Task, marks: list[float]) -> list[dict[str, float]]:
    """A LightningModule and its Trainer, without logger, checkpoints and progress bar."""
    lightning: Any = importlib.import_module("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    program, work = task.program, task.work

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = program.module

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            outputs = self.module(x)
            loss = program.loss(outputs, y)
            self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
            if program.with_accuracy:
                right = program.correct(outputs, y) / len(y)
                self.log("accuracy", right, on_step=False, on_epoch=True, batch_size=len(y))
            return loss

        def configure_optimizers(self) -> Any:
            return program.optimizer([one for one in self.parameters() if one.requires_grad])

    logs: list[dict[str, float]] = []

    class Clock(lightning.Callback):  # type: ignore[misc]
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            logs.append({name: float(value) for name, value in trainer.callback_metrics.items()})
            marks.append(time.perf_counter())

    trainer = lightning.Trainer(
        max_epochs=work.epochs,
        max_steps=1 if work.only_first_step else -1,
        accelerator="gpu" if task.device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Clock()],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of workers that would be slower than these tensors
        trainer.fit(Module(), _batches(torch, task))
    return logs


def _batches(torch: Any, task: Task) -> Any:
    """A loader that takes a whole batch of rows at a time, faster than example by example."""
    tools = torch.utils.data
    dataset = tools.TensorDataset(task.x, task.y)
    order = (tools.RandomSampler if task.work.shuffle else tools.SequentialSampler)(dataset)
    rows = tools.BatchSampler(order, task.batch_size, drop_last=False)
    return tools.DataLoader(dataset, sampler=rows, batch_size=None)
