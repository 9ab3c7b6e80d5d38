"""The sections of a run's page, besides curves and evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nnrun.report.html_curves import epoch_of
from nnrun.report.html_diagram import draw_diagram
from nnrun.report.html_reading import Map, Told
from nnrun.report.page import (
    NOTHING,
    Markup,
    breakable,
    duration,
    element,
    facts,
    figure,
    section,
    table,
)
from nnrun.spec.dump import flow
from nnrun.store.runs import FIGURES
from nnrun.store.values import count_of, map_at, number_of

MOST_EPOCHS_IN_TABLE = 300
MOST_RESUMES = 100
MOST_LAYERS = 1_000

PACKAGES = ("tensorflow", "keras", "numpy")
"""Whose versions decide the bits."""

SHOWN_OF_FINGERPRINT = 19


def summary(told: Told) -> Markup:
    """What came out, in a few figures."""
    record, result = told.record, told.record.result
    watched = record.monitor
    seconds = number_of(result.get("seconds"))
    best = f"{told.best_epoch:,}" if told.best_epoch is not None else None
    cards = [
        *((f"test {name}", value, _kept(record.result)) for name, value in _test_scores(told)[:3]),
        (f"best {watched}", record.best, "at the best epoch"),
        ("best epoch", best, f"of {record.epochs or 0:,}" + (f", by {watched}" if watched else "")),
        ("training time", duration(seconds) if seconds is not None else None, _speed(told)),
        ("parameters", count_of(map_at(record.facts, "model").get("parameters")), _layers(record.facts)),
    ]
    shown = [
        element("div", element("dt", breakable(name)), element("dd", figure(value), element("small", small)))
        for name, value, small in cards
        if value not in (None, "")
    ]
    return section(
        "Summary", *_lost(told), element("dl", *shown, class_="cards"), *_scores(told), name="summary"
    )


def _kept(result: Map) -> str:
    """Which weights were tested."""
    kept = map_at(result, "model")
    epoch = count_of(kept.get("epoch"))
    is_known = kept.get("weights") == "best" and epoch is not None  # callbacks may replace the last ones
    return f"weights of epoch {epoch:,}" if is_known else "with the kept weights"


def _lost(told: Told) -> Iterator[Markup]:
    """What a reader must know first: that it was lost, or is not at its end."""
    state = told.record.state
    if told.divergence:
        at = [f"{key.replace('_', ' ')} {figure(value)}" for key, value in told.divergence.items()]
        yield element("p", element("strong", "The training was lost: "), ", ".join(at), ".")
    elif state == "interrupted":
        yield element("p", "The training was interrupted; ", element("code", f"nnrun resume {told.record.run.id}"),
                      " goes on with it.")  # fmt: skip
    elif state == "running":
        yield element("p", "The training is under way: these are its epochs so far.")


def _test_scores(told: Told) -> list[tuple[str, float]]:
    """The test scores, what says most before the loss."""
    scores = map_at(told.record.result, "test")
    if not scores:
        evaluated = told.evaluations.get("test")
        scores = map_at(evaluated.scores, "scores") if evaluated else {}
    known = [(name, value) for name, value in scores.items() if number_of(value) is not None]
    return sorted(known, key=lambda pair: pair[0].endswith("loss"))


def _speed(told: Told) -> str:
    speeds = [value for row in told.rows if (value := number_of(row.get("examples_per_second"))) is not None]
    return f"{sorted(speeds)[len(speeds) // 2]:,.0f} examples a second" if speeds else ""


def _layers(known: Map) -> str:
    layers = count_of(map_at(known, "model").get("layers"))
    return "" if layers is None else f"{layers:,} layer{'s' if layers != 1 else ''}"


def examples_of(data: Map) -> str:
    parts = (("train", "training"), ("validation", "validation"), ("test", "test"))
    counts = [f"{count:,} {word}" for part, word in parts if (count := count_of(data.get(part)))]
    return f"{' / '.join(counts)} examples" if counts else ""


def _scores(told: Told) -> Iterator[Markup]:
    """Losses and metrics of the best and the last epoch, and of the test examples."""
    best, final = map_at(told.record.result, "best"), map_at(told.record.result, "final")
    test = dict(_test_scores(told))
    names = dict.fromkeys(
        name.removeprefix("val_") for row in (best, final, test) for name in row if name not in FIGURES
    )
    columns: dict[str, tuple[Map, str]] = {
        "training, best epoch": (best, ""),
        "validation, best epoch": (best, "val_"),
        "training, last epoch": (final, ""),
        "validation, last epoch": (final, "val_"),
        "test": (test, ""),
    }
    known = {title: at for title, at in columns.items() if any(at[1] + name in at[0] for name in names)}
    rows = [[name, *(row.get(prefix + name) for row, prefix in known.values())] for name in names]
    if rows:
        yield table("Losses and metrics", ["", *known], rows)


def epochs_table(told: Told) -> Markup | None:
    """All epochs as a table, for those who would rather read than look; None where they are too many."""
    if not 0 < len(told.rows) <= MOST_EPOCHS_IN_TABLE:
        return None
    names = [name for name in dict.fromkeys(name for row in told.rows for name in row) if name != "epoch"]
    rows = [
        [epoch_of(row, index), *(row.get(name) for name in names)] for index, row in enumerate(told.rows, 1)
    ]
    made = table("All epochs", ["epoch", *names], rows, sortable=True)
    return element("details", element("summary", "All epochs as a table"), made)


def model(told: Told) -> Markup | None:
    """The layers with their shapes and parameters; None where the run does not have them."""
    layers = told.layers
    if not layers:
        return None
    rows = [
        [
            str(layer.get("name", "")),
            layer.get("type"),
            _shape(layer.get("output_shape")),
            layer.get("parameters"),
        ]
        for layer in layers[:MOST_LAYERS]
    ]
    more = f" (the first {MOST_LAYERS:,} of {len(layers):,})" if len(layers) > MOST_LAYERS else ""
    caption = f"{len(layers):,} layers{more}"
    listed = table(caption, ["layer", "type", "output shape", "parameters"], rows)
    drawn = draw_diagram(layers)
    if drawn is None:
        return section("Model", listed, name="model")
    frame = element("div", drawn, class_="frame", tabindex="0", role="region", aria_label="Diagram")
    legend = element("p", "In each box: type and name of a layer, its output shape, its parameters if it has any.",
                     class_="quiet")  # fmt: skip
    return section("Model", legend, element("div", frame, listed, class_="model"), name="model")


def _shape(value: Any) -> str | None:
    """``(None, 28, 28)``, however it was kept."""
    if isinstance(value, list):
        return "(" + ", ".join("None" if size is None else figure(size) for size in value) + ")"
    return None if value is None else str(value)


def environment(told: Told) -> Markup:
    """What it was made with, and how to make it again."""
    known = told.record.facts
    data = map_at(known, "data")
    command = known.get("command")
    pairs = [
        ("started", known.get("started")),
        ("command", element("code", " ".join(map(str, command)) if isinstance(command, list) else "")),
        ("overrides", flow(known["overrides"]) if known.get("overrides") else None),
        ("seed", element("code", str(told.record.config.get("seed", known.get("seed", NOTHING))))),
        ("data", f"{figure(data.get('name'))}, {figure(data.get('fingerprint'))}" if data else None),
        ("git commit", known.get("git")),
        ("code", map_at(known, "code").get("file")),
        ("device", _device(map_at(known, "devices"))),
        (
            "versions",
            ", ".join(f"{name} {figure(value)}" for name, value in map_at(known, "versions").items()),
        ),
    ]
    return section("Environment", facts(pairs), *_reproduction(told), *_resumes(told), name="environment")


def _device(devices: Map) -> str:
    """``cpu; threads 2, strategy none``."""
    more = ", ".join(f"{name} {figure(value)}" for name, value in devices.items() if name != "device")
    return "; ".join(part for part in (str(devices.get("device", "")), more) if part)


def _reproduction(told: Told) -> Iterator[Markup]:
    """The commands that give the same numbers."""
    known = told.record.facts
    code, data = map_at(known, "code").get("file"), map_at(known, "data")
    versions = map_at(known, "versions")
    same = [f"{name}=={figure(versions[name])}" for name in PACKAGES if name in versions]
    lines = [f"pip install {' '.join(same)}"] if same else []
    lines.append("nnrun train config.yaml" + (f" --code code/{code}" if code else ""))
    yield element("h3", "How to reproduce it")
    fingerprint = str(data.get("fingerprint", ""))
    of_data = f" on the same data ({fingerprint[:SHOWN_OF_FINGERPRINT]})" if fingerprint else ""
    yield element("p", "In the run's directory, whose ", element("code", "config.yaml"),
                  f" has every setting, these give the same numbers{of_data}:")  # fmt: skip
    yield element("pre", "\n".join(lines))


def _resumes(told: Told) -> Iterable[Markup]:
    if not told.resumes:
        return []
    names = list(
        dict.fromkeys(name for facts in told.resumes for name in facts if name not in ("versions", "devices"))
    )
    rows = [[number, *(facts.get(name) for name in names)] for number, facts in enumerate(told.resumes, 1)]
    return [table("When the training went on after an interruption", ["", *names], rows[:MOST_RESUMES])]
