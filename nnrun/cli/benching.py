"""The command that compares speeds: ``bench``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli.app import command
from nnrun.cli.trainings import Code, Config, Json, Overrides

if TYPE_CHECKING:
    from nnrun.bench.result import Change

COLUMNS = (
    "",
    "seconds\nan epoch",
    "ratio\nto fit",
    "examples\na second",
    "first\nstep",
    "first\nepoch",
    "memory",
    "share\nof peak",
)


@command(
    "Nothing was compared.",
    epilog="Example: nnrun bench configs/mnist.yaml --output before.json, and later --against before.json",
)
def bench(
    config: Config,
    overrides: Overrides = None,
    code: Code = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Turns of each side.")] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=2, help="Of a turn; default: some seconds' worth.", show_default=False)
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="Of an epoch; default: all, or some seconds' worth.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="A file of JSON for the result.", metavar="FILE.json", show_default=False),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="An earlier result to compare with.", metavar="OLD.json", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Train the same network with Keras's fit and with nnrun, in turns, and compare their speeds and numbers.

    Every side is a process of its own and trains the same examples from the same seed, without validation and
    callbacks. Look at the ratios: they are of the same round, and a busy machine changes them little. PyTorch and
    Lightning take part where they are installed and have the network's layers.
    """
    from nnrun.bench.result import changes_since, differences, read_result, result_of
    from nnrun.bench.turns import Wish, compare
    from nnrun.cli.console import print_json
    from nnrun.spec.load import load_spec
    from nnrun.store.durable import write_json

    loaded = load_spec(config, overrides or [], code)
    earlier = read_result(against) if against else None
    wish = Wish(config, overrides or [], code, rounds, epochs, examples)
    with _progress() as notify:
        measured = compare(wish, notify)
    result = result_of(wish, loaded, measured)
    if output:
        write_json(output, result)
    changes = changes_since(earlier, result) if earlier else []
    others = differences(earlier, result) if earlier else []
    if json:
        print_json(result | {"changes": [asdict(one) for one in changes], "not_as_then": others})
        return
    _show(result)
    _show_changes(changes, others)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what goes on: a moving line on a terminal, else lines."""
    from nnrun.cli.console import is_terminal, messages, printable

    console = messages()
    if not is_terminal():
        yield lambda text: console.print(printable(text), markup=False)
        return
    from rich.text import Text

    with console.status(Text("starting")) as status:
        yield lambda text: status.update(Text(printable(text)))


def _show(result: Mapping[str, Any]) -> None:
    """The table and the lines under it, on standard output."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nnrun.cli.console import printable, results

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(COLUMNS):
        made.add_column(Text(column), justify="right" if index else "left", no_wrap=index > 0)
    sides = result["sides"]
    for label, side in sides.items():
        made.add_row(*map(Text, [label, *_cells(side)]), style="bold" if label == "nnrun" else "")
    console = results()
    if not console.is_terminal:
        console.width = 120
    console.print(made, soft_wrap=False)
    for line in _lines(result):
        console.print(printable(line), markup=False, soft_wrap=not console.is_terminal)


def _cells(side: Mapping[str, Any]) -> list[str]:
    return [
        f"{side['epoch_seconds']:.4f}",
        f"{side['ratio']:.2f}",
        f"{side['examples_per_second']:,.0f}",
        f"{side['first_step_seconds']:.2f}",
        f"{side['first_epoch_seconds']:.2f}",
        f"{side['memory'] / 1e6:,.0f} MB" if side["memory"] else "?",
        _percent(side["peak_share"]),
    ]


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    """What was done, whether the numbers agree, what the share of the peak means."""
    work, arithmetic = result["work"], result["work"]["arithmetic"]
    xla = "XLA" if work["jit_compile"] else "no XLA"
    yield (
        f"work: {work['data']}, {work['trained_examples']:,} of {work['examples']:,} examples, batches of "
        f"{work['batch_size']:,}, {work['parameters']:,} parameters, {work['precision']}; nnrun chose {xla}"
    )
    ours = result["sides"]["nnrun"]
    yield (
        f"rounds: {len(result['rounds'])} of {work['epochs']} epochs, the first not counted; "
        f"nnrun's ratio from {ours['lowest']:.2f} to {ours['highest']:.2f}"
    )
    yield f"numbers: {_agreement(result['agreement'])}"
    for label, found in result["others"].items():
        yield f"{label}: {_other(found)}"
    yield (
        f"peak: {result['peak'] / 1e9:,.0f} GFLOP/s, a matrix product in {work['precision']}; a training step counts "
        f"as three forward passes of {arithmetic['forward_flops_per_example']:,} operations an example, known for "
        f"{arithmetic['known_share']:.0%} of the parameters"
    )


def _agreement(found: Mapping[str, Any]) -> str:
    start = f"without shuffling nnrun and '{found['with']}' have"
    if found["same_figures"] and found["same_weights"]:
        return f"{start} the same losses, metrics and weights after {found['epochs']} epochs, to the last bit"
    if found["same_figures"]:
        return f"{start} the same losses and metrics in {found['epochs']} epochs, and OTHER WEIGHTS"
    return f"{start} OTHER NUMBERS: losses and metrics differ by up to {found['largest_difference']:.2g}"


def _other(found: Mapping[str, Any]) -> str:
    """What is known of PyTorch's side, or Lightning's."""
    if "absent" in found:
        return f"does not take part: {found['absent']}"
    return (
        f"the same network from the same weights; without shuffling its losses differ from nnrun's by up to "
        f"{found['loss_difference']:.1g} of them (its Dropout draws other numbers, its Adam adds epsilon elsewhere)"
    )


def _show_changes(changes: list[Change], others: list[str]) -> None:
    from nnrun.cli.console import printable, results

    console = results()
    lines = [f"since then: {_change(one)}" for one in changes]
    if others:
        lines.append(f"not as then: {'; '.join(others)}")
    for line in lines:
        console.print(printable(line), markup=False)


def _change(change: Change) -> str:
    figures = f"ratio to fit {change.before:.2f}, now {change.now:.2f}"
    if change.is_noise:
        return f"{change.label}: {figures}; the rounds overlap, so this is noise"
    direction = "faster" if change.percent > 0 else "slower"
    return f"{change.label}: {figures}, {abs(change.percent):.0f} % {direction}"
