"""What a comparison came to: medians, ratios, agreement; and what changed since an earlier one."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nnrun.bench.arithmetic import TRAINING
from nnrun.bench.turns import Measured, Wish
from nnrun.bench.work import FIT, LIGHTNING, NNRUN, TORCH
from nnrun.errors import RunError
from nnrun.machine.system import System, machine_facts
from nnrun.spec.load import Loaded, dump_spec
from nnrun.store.reading import read_map
from nnrun.store.values import map_at

FORMAT = 1


def result_of(wish: Wish, loaded: Loaded, measured: Measured) -> dict[str, Any]:
    """All that was measured and what follows from it, in plain values.

    Args:
        wish: What was to be compared.
        loaded: Its specification.
        measured: By all sides.

    Returns:
        ``sides`` by their labels, each with ``epoch_seconds``, ``ratio`` (of the seconds of ``fit`` to these, the
        median of the rounds'), ``lowest``, ``highest``, ``examples_per_second``, ``first_step_seconds``,
        ``first_epoch_seconds``, ``memory`` in bytes, ``flops_per_second`` and ``peak_share``; ``agreement``;
        ``others``: of PyTorch and Lightning, where they are installed, the largest difference of a loss to nnrun's
        without shuffling, relative to it (``loss_difference``), or why they do not take part (``absent``);
        ``peak`` in floating point operations a second; ``rounds`` with the seconds of every epoch; ``machine``,
        ``versions``, ``work`` and the ``digest`` of the resolved specification.
    """
    facts = dict(measured.facts)
    versions = facts.pop("versions")
    peak = max(measured.peaks)
    flops = TRAINING * facts["arithmetic"]["forward_flops_per_example"] * facts["trained_examples"]
    return {
        "format": FORMAT,
        "name": loaded.spec.name,
        "config": str(wish.config),
        "overrides": list(wish.overrides),
        "digest": f"sha256:{hashlib.sha256(dump_spec(loaded.spec).encode()).hexdigest()}",
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": machine_facts(System()),
        "versions": versions,
        "work": facts,
        "peak": peak,
        "sides": {label: _side(label, measured, flops, peak) for label in measured.first_steps},
        "agreement": _agreement(measured),
        "others": _others(measured),
        "rounds": [{label: turn["seconds"] for label, turn in one.items()} for one in measured.rounds],
    }


def _side(label: str, measured: Measured, flops: int, peak: float) -> dict[str, Any]:
    seconds = [_steady(one[label]) for one in measured.rounds]
    ratios = [_steady(one[FIT.label]) / _steady(one[label]) for one in measured.rounds]
    epoch = statistics.median(seconds)
    return {
        "epoch_seconds": epoch,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "examples_per_second": measured.facts["trained_examples"] / epoch,
        "first_step_seconds": measured.first_steps[label],
        "first_epoch_seconds": statistics.median(one[label]["seconds"][0] for one in measured.rounds),
        "memory": measured.memory[label],
        "flops_per_second": flops / epoch,
        "peak_share": flops / epoch / peak,
    }


def _steady(turn: Mapping[str, Any]) -> float:
    """The median of a turn's epochs without the first, which compiles."""
    return float(statistics.median(turn["seconds"][1:] or turn["seconds"]))


def _agreement(measured: Measured) -> dict[str, Any]:
    """Whether nnrun and the ``fit`` that is compiled as it is have the same bits, without shuffling."""
    ours = measured.agreement[NNRUN.label]
    strangers = (NNRUN.label, TORCH.label, LIGHTNING.label)
    others = {label: turn for label, turn in measured.agreement.items() if label not in strangers}
    label = next(
        name
        for name, turn in others.items()
        if turn["jit_compile"] == ours["jit_compile"] and turn["steps_per_execution"] == 1
    )
    theirs = others[label]
    pairs = [
        (value, other[name])
        for row, other in zip(ours["logs"], theirs["logs"], strict=True)
        for name, value in row.items()
    ]
    return {
        "with": label,
        "epochs": len(ours["logs"]),
        "same_figures": all(one == other for one, other in pairs),
        "same_weights": ours["weights"] == theirs["weights"],
        "largest_difference": max(abs(one - other) for one, other in pairs),
    }


def _others(measured: Measured) -> dict[str, dict[str, Any]]:
    """How far the losses of PyTorch and Lightning are from nnrun's, or why there are none."""
    found: dict[str, dict[str, Any]] = {label: {"absent": why} for label, why in measured.absent.items()}
    ours = [row["loss"] for row in measured.agreement[NNRUN.label]["logs"]]
    for side in (TORCH, LIGHTNING):
        if side.label in measured.agreement:
            theirs = [row["loss"] for row in measured.agreement[side.label]["logs"]]
            apart = [abs(one - other) / abs(other) for one, other in zip(theirs, ours, strict=True) if other]
            found[side.label] = {"loss_difference": max(apart, default=0.0)}
    return found


@dataclass(frozen=True)
class Change:
    """How one side's ratio to ``fit`` differs from an earlier one.

    Args:
        label: The side.
        before: Its ratio then.
        now: Its ratio now.
        is_noise: Whether the rounds of the two overlap: then nothing is known.
    """

    label: str
    before: float
    now: float
    is_noise: bool

    @property
    def percent(self) -> float:
        """By how much it became faster, in hundredths; negative where it became slower."""
        return 100 * (self.now / self.before - 1)


def read_result(path: Path) -> dict[str, Any]:
    """An earlier result.

    Raises:
        RunError: The file is missing, or is no result of a comparison.
    """
    if not path.exists():
        raise RunError(f"{path} is not there; --against takes what nnrun bench --output has written")
    found = read_map(path)
    sides = map_at(found, "sides")
    figures = [map_at(sides, label) for label in sides]
    is_whole = all(_is_number(one.get(name)) for one in figures for name in ("ratio", "lowest", "highest"))
    if found.get("format") != FORMAT or not figures or not is_whole:
        raise RunError(f"{path} is no result of nnrun bench of this version; measure it again with --output")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12


def changes_since(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """How each side but ``fit`` changed, by the ratio to ``fit`` of the same rounds: absolute times are noise."""
    found = []
    for label, side in now["sides"].items():
        before = earlier["sides"].get(label)
        if before is None or label == FIT.label:
            continue
        apart = side["lowest"] > before["highest"] or side["highest"] < before["lowest"]
        found.append(Change(label, before["ratio"], side["ratio"], is_noise=not apart))
    return found


OTHER: Sequence[tuple[str, tuple[str, ...]]] = (
    ("specification", ("digest",)),
    ("examples", ("work", "trained_examples")),
    ("XLA", ("work", "jit_compile")),
    ("processor", ("machine", "processor")),
    ("cores", ("machine", "usable_cores")),
    ("nnrun", ("versions", "nnrun")),
    ("TensorFlow", ("versions", "tensorflow")),
    ("Keras", ("versions", "keras")),
    ("Python", ("versions", "python")),
)


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What else is not as it was, in words: ``TensorFlow 2.20.0, now 2.21.0``."""
    found = []
    for name, path in OTHER:
        before, after = _at(earlier, path), _at(now, path)
        if before != after:
            shown = (str(value)[:60] for value in (before, after))
            found.append(
                f"{name} {', now '.join(shown)}" if name != "specification" else "another specification"
            )
    return found


def _at(values: Any, path: Sequence[str]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values
