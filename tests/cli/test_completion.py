"""Shell completion by the shells' own mechanism: what Tab offers, in a process of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nnrun.cli.completion import complete_names, complete_template
from nnrun.cli.override_words import override_words
from nnrun.errors import Source
from nnrun.spec import catalog
from nnrun.spec.schema import TrainingSection
from nnrun.spec.source import compose
from nnrun.spec.templates import list_templates

SPEC = """data: {source: {moons: {noise: 0.2}}}
model:
  blocks:
    wide: {layers: [{Dense: {units: 9}}]}
  layers:
    - Dense: {units: 8, activation: relu}
    - wide
    - Bidirectional: {layer: {LSTM: {units: 3}}}
training:
  loss: mse
  optimizer: {SGD: {momentum: 0.9}}
  metrics: [mae]
  epochs: 3
"""
PROGRAM = "from nnrun.cli.app import app; app(prog_name='nnrun')"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A working directory with a specification, a folder of them, and two runs."""
    (tmp_path / "my.yaml").write_text(SPEC)
    (tmp_path / "tries").mkdir()
    (tmp_path / "tries" / "one.yaml").write_text("base: ../my.yaml\ntraining: {batch_size: 4}\n")
    (tmp_path / "tries" / "two.yml").write_text("")
    (tmp_path / "tries" / "notes.txt").write_text("")
    for name in ("my-20261120-193012", "my-20261121-080000"):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        (run / "config.yaml").write_text(SPEC)
    return tmp_path


def process(here: Path, **variables: str) -> str:
    """What the command prints when a shell asks it for completions."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, **variables},
    )
    assert done.stderr == ""
    return done.stdout


def bash(here: Path, *words: str) -> list[str]:
    """What bash offers for the last word; an ``=`` is a word of its own, as bash splits them."""
    line = "\n".join(shlex.quote(word) if word else "" for word in ("nnrun", *words))
    shown = process(here, _NNRUN_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    return shown.split()


def zsh(here: Path, line: str) -> str:
    return process(here, _NNRUN_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)


def fish(here: Path, line: str) -> dict[str, str]:
    shown = process(
        here,
        _NNRUN_COMPLETE="complete_fish",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
        _TYPER_COMPLETE_ARGS=line,
    )
    rows = [row.partition("\t") for row in shown.splitlines()]
    return {word: meaning for word, _, meaning in rows}


LSTM = "model.layers.2.Bidirectional.layer.LSTM"
WIDE = "model.blocks.wide.layers.0.Dense"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("va", "validate"),
        ("train m", "my.yaml"),
        ("train t", "tries/one.yaml tries/two.yml"),
        ("validate tries/o", "tries/one.yaml"),
        ("evaluate ", "latest my-20261121-080000 my-20261120-193012"),
        ("predict my-20261121", "my-20261121-080000"),
        ("summary m", "my.yaml my-20261121-080000 my-20261120-193012"),
        ("summary la", "latest"),
        ("train my.yaml training.ep", "training.epochs= training.epochs=3"),
        ("train my.yaml train", "training.loss= training.loss_weights= training.optimizer= ..."),
        ("train my.yaml model.la", "model.layers. model.layers="),
        ("train my.yaml model.layers.", "model.layers.0. model.layers.1= model.layers.2."),
        ("train my.yaml model.layers.0.Dense.un", "model.layers.0.Dense.units= model.layers.0.Dense.units=8"),
        (f"train my.yaml {LSTM}.recurrent_d", f"{LSTM}.recurrent_dropout= {LSTM}.recurrent_dropout=0.0"),
        (f"train my.yaml {WIDE}.un", f"{WIDE}.units= {WIDE}.units=9"),
        (
            "train my.yaml data.source.moons.n",
            "data.source.moons.noise= data.source.moons.noise=0.2 data.source.moons.noise=0.1",
        ),
        ("train my.yaml training.optimizer.SGD.momentum=0.", "training.optimizer.SGD.momentum=0.9 ..."),
        ("train my.yaml ~training.op", "~training.optimizer ~training.optimizer."),
        ("train my.yaml ~training.ba", ""),
        ("train tries/one.yaml training.ba", "training.batch_size= training.batch_size=4"),
        ("train tries/one.yaml ~training.epo", "~training.epochs"),
        ("resume latest training.ep", "training.epochs= training.epochs=3"),
        ("train missing.yaml training.val", "training.validation_split="),
        ("train my.yaml nothing.here", ""),
        ("train my.yaml training.optimizer = ad", "adam adadelta adamw adagrad adamax adafactor"),
        ("train my.yaml runtime.device =", "auto cpu gpu"),
        ("train my.yaml runtime.deterministic = ", "true false"),
        ("train my.yaml seed = 3 runtime.device = g", "gpu"),
        ("train my.yaml seed = 3 training.mon", "training.monitor="),
        ("train my.yaml ~data training.mon", "training.monitor="),
        ("train my.yaml nothing = a", ""),
    ],
)
def test_bash_offers(words: str, offered: str, here: Path) -> None:
    shown = bash(here, *words.split(" "))

    expected = offered.removesuffix(" ...").split()
    assert (shown[: len(expected)] if offered.endswith("...") else shown) == expected


def test_bash_offers_the_keys_of_a_section(here: Path) -> None:
    offered = bash(here, "train", "my.yaml", "training.")

    assert [word.removeprefix("training.")[:-1] for word in offered] == list(TrainingSection.model_fields)
    assert {"training.epochs=", "training.metrics.", "training.callbacks="} <= set(offered)


def test_bash_offers_every_template_for_init(here: Path) -> None:
    assert bash(here, "init", "") == [one.name for one in list_templates()]


@pytest.mark.parametrize(
    ("path", "some"),
    [
        ("model.layers.0", {"Dense", "Conv2D", "MobileNetV2"}),
        ("model.layers.0.Dense.activation", {"relu", "step"}),
        ("model.layers.0.Dense.kernel_initializer", {"glorot_uniform", "HeNormal"}),
        ("training.loss", {"mse", "sparse_categorical_crossentropy"}),
        ("training.metrics.0", {"mae", "accuracy"}),
        ("data.source", {"digits", "mnist"}),
        ("data.target", {"labels", "inputs"}),
    ],
)
def test_values_are_those_that_the_place_takes(path: str, some: set[str], here: Path) -> None:
    offered = bash(here, "train", "my.yaml", path, "=")

    assert some <= set(offered)
    assert "Sequential" not in offered


@pytest.mark.parametrize(("path", "value"), [("model.layers.0", "Lambda"), ("training.loss", "relu")])
def test_values_that_the_place_refuses_are_not_offered(path: str, value: str, here: Path) -> None:
    assert value not in bash(here, "train", "my.yaml", path, "=")


def test_zsh_and_fish_take_an_override_for_one_word(here: Path) -> None:
    line = "nnrun train my.yaml runtime.device=g"

    assert zsh(here, line) == "_arguments '*: :((\"runtime.device=gpu\"))'\n"
    assert fish(here, line) == {"runtime.device=gpu": ""}


def test_zsh_shows_meanings_in_one_line_each(here: Path) -> None:
    shown = zsh(here, "nnrun train my.yaml training.")

    lines = shown.splitlines()
    assert lines[0] == (
        '_arguments \'*: :(("training.loss=":"A Keras loss; for several outputs one for each by its name."'
    )
    assert len(lines) == len(TrainingSection.model_fields)
    assert shown.count("'") == 2


def test_fish_shows_meanings_in_one_line_each(here: Path) -> None:
    shown = fish(here, "nnrun train my.yaml model.layers.0.Dense.")

    part = catalog.find("layer", "Dense")
    assert part is not None
    assert list(shown) == [f"model.layers.0.Dense.{argument.name}=" for argument in part.arguments]
    assert shown["model.layers.0.Dense.units="] == "Positive integer, dimensionality of the output space."


@pytest.mark.parametrize(
    "text", ["", "3", "training: 3", "model: {layers: {Dense: 3}}", "training: {loss: [1, {}, null]}"]
)
@pytest.mark.parametrize(
    "word", ["", "training.", "training.loss.", "model.layers.0.Dense.x", "a..b", "~", "=", "training.loss="]
)
def test_override_of_a_strange_specification_does_not_raise(text: str, word: str) -> None:
    tree, _ = compose(Source("my.yaml", text))

    assert all(offered.startswith(word) for offered, _ in override_words(tree, word))


def test_completion_of_a_damaged_specification_knows_the_schema(here: Path) -> None:
    (here / "my.yaml").write_text("training: {epochs: 3")

    assert bash(here, "train", "my.yaml", "training.mon") == ["training.monitor="]


def test_completion_that_fails_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.spec.templates.list_templates", lambda: 1 / 0)

    assert complete_template("") == []


def test_completion_outside_of_any_project_is_empty(tmp_path: Path) -> None:
    assert bash(tmp_path, "evaluate", "") == []
    assert bash(tmp_path, "train", "nowhere/x") == []


def test_names_are_those_of_the_catalogue() -> None:
    offered = dict(complete_names(""))

    assert set().union(*(catalog.names(kind) for kind in catalog.KINDS)) <= set(offered)
    assert offered["Dense"] == "layer"
    assert offered["mse"] == "loss, metric"
    assert offered["mnist"] == "data source"
    assert complete_names("Conv2DT") == [("Conv2DTranspose", "layer")]
    assert "Lambda" not in offered


def test_names_include_specifications(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)

    assert complete_names("my") == [("my.yaml", "")]


def test_completion_is_quick_and_light(here: Path) -> None:
    program = (
        "import sys\ntry:\n    " + PROGRAM.replace("; ", "\n    ") + "\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *sorted({'tensorflow', 'keras', 'numpy', 'polars', 'matplotlib'} & sys.modules.keys()))"
    )
    variables = {
        "_NNRUN_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "nnrun train my.yaml model.layers.0=",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, **variables},
    )
    seconds = time.perf_counter() - start

    assert '"model.layers.0=Conv2D"' in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert seconds < 1.5  # about 0.2 on an idle machine


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_script_for_bash_completes_in_a_real_bash(here: Path) -> None:
    (here / "nnrun").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{PROGRAM}" "$@"\n')
    (here / "nnrun").chmod(0o755)
    script = (
        'eval "$(_NNRUN_COMPLETE=source_bash nnrun)"\n'
        "COMP_WORDS=(nnrun train my.yaml training.optimizer = ada)\n"
        "COMP_CWORD=5\n_nnrun_completion nnrun\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\ncomplete -p nnrun\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"},
    )

    *offered, registered = done.stdout.splitlines()
    assert offered == ["adam", "adadelta", "adamw", "adagrad", "adamax", "adafactor"]
    assert registered == "complete -o default -F _nnrun_completion nnrun"
