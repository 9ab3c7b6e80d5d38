"""From a file to a checked, resolved specification and back to text."""

from __future__ import annotations

import random
import string
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from nnrun.errors import SpecError
from nnrun.spec.load import Loaded, dump_spec, load_spec, origins
from nnrun.spec.schema import Choice
from nnrun.spec.source import plain

HERE = Path(__file__).parent
GOOD = sorted((HERE.parent / "specs" / "good").rglob("*.yaml"))
CONFIGS = sorted((HERE.parents[1] / "configs").rglob("*.yaml"))
MINIMAL = """\
data: {source: digits}
model:
  layers: [Flatten, {Dense: {units: 10, activation: softmax}}]
training: {loss: sparse_categorical_crossentropy}
"""


def load(folder: Path, text: str = MINIMAL, *overrides: str, name: str = "spec.yaml") -> Loaded:
    path = folder / name
    path.write_text(text, "utf-8")
    return load_spec(path, overrides)


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, text, *overrides)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def reload(folder: Path, loaded: Loaded) -> Loaded:
    return load(folder, dump_spec(loaded.spec), name="reload.yaml")


def test_good_specs_are_all_here() -> None:
    assert (len(GOOD), len(CONFIGS)) >= (5, 15)


@pytest.mark.parametrize("path", [*GOOD, *CONFIGS], ids=lambda path: path.stem)
def test_good_spec_loads_and_its_dump_reads_back_equal(path: Path, tmp_path: Path) -> None:
    loaded = load_spec(path)
    assert repr(reload(tmp_path, loaded).spec) == repr(loaded.spec)
    assert dump_spec(reload(tmp_path, loaded).spec) == dump_spec(loaded.spec)


def test_good_spec_with_yaml_features_means_what_yaml_1_2_says() -> None:
    spec = load_spec(HERE.parent / "specs" / "good" / "yaml_features.yaml").spec
    assert spec.seed == 10
    assert spec.tags == ["no", "on", "1:30", "2026-11-20", "1_000", "1e-3", "tab\tand ü", "ü"]
    assert spec.model.layers[2] == Choice("Dense", {"units": 16, "activation": "relu"})
    assert spec.training.learning_rate == 0.001


def test_load_resolves_name_learning_rate_and_monitor(tmp_path: Path) -> None:
    spec = load(tmp_path, name="my spec.v2.yaml").spec
    assert (spec.name, spec.training.learning_rate, spec.training.monitor) == ("my spec.v2", 0.001, "loss")


def test_load_keeps_what_is_written(tmp_path: Path) -> None:
    spec = load(
        tmp_path, MINIMAL, "name=x", "training.learning_rate=0.5", "training.validation_split=0.5"
    ).spec
    assert (spec.name, spec.training.learning_rate, spec.training.monitor) == ("x", 0.5, "val_loss")


def test_load_takes_the_learning_rate_of_each_optimizer(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL, "training.optimizer=sgd").spec.training.learning_rate == 0.01


def test_load_leaves_a_learning_rate_in_the_optimizer_alone(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL, "training.optimizer={Adam: {learning_rate: 0.5}}")
    assert loaded.spec.training.learning_rate is None
    assert reload(tmp_path, loaded).spec.training == loaded.spec.training


@pytest.mark.parametrize("stem", ["x" * 200, "bell\x07", "half\udcff"])
def test_load_makes_a_name_of_any_file_name(stem: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, name=f"{stem}.yaml")
    assert loaded.spec.name == {"x": "x" * 100, "b": "bell_", "h": "half_"}[stem[0]]
    assert reload(tmp_path, loaded).spec.name == loaded.spec.name


def test_problems_of_text_keys_types_names_and_overrides_come_together(tmp_path: Path) -> None:
    text = (
        MINIMAL.replace("units: 10", "unitz: 10").replace("data: ", "seed: 1\nseed: 2\nsede: 3\ndata: ")
        + "tags: 3\n"
    )
    found = problems(tmp_path, text, "quux=3", "training.epochs=many", "training.optimizer=adan")
    assert [line.split("  ")[0] for line in found] == [
        "spec.yaml:2:1",
        "spec.yaml:3:1",
        "spec.yaml:6:30",
        "spec.yaml:8:7",
        "command line:1:1",
        "command line:1:17",
        "command line:1:20",
    ]


def test_good_overrides_count_beside_bad_ones(tmp_path: Path) -> None:
    assert len(problems(tmp_path, MINIMAL.replace("digits", "digist"), "data.source=digits", "quux=3")) == 1


def test_problem_that_follows_from_unreadable_text_is_not_reported(tmp_path: Path) -> None:
    assert problems(tmp_path, MINIMAL + "seed: !!str x\n") == [
        "spec.yaml:5:7  seed: the tag !!str is refused; write the value without it"
    ]


def test_error_is_named_after_the_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, "seed: 1\n")
    assert caught.value.name == str(tmp_path / "spec.yaml")


def test_place_is_that_of_the_value_or_of_what_encloses_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL, "training.epochs=3")
    places = [
        loaded.place("model", "layers", 1, "Dense", "units"),
        loaded.place("model", "layers", 1, "Dense", "use_bias"),
        loaded.place("training", "epochs"),
        loaded.place("runtime", "threads"),
        loaded.place(),
    ]
    assert [str(place).replace(f"{tmp_path}/", "") for place in places] == [
        "spec.yaml:3:37",
        "spec.yaml:3:29",
        "command line:1:17",
        "spec.yaml:1:1",
        "spec.yaml:1:1",
    ]


def merged(folder: Path, base: str, extending: str) -> Any:
    (folder / "base.yaml").write_text(base)
    return plain(load(folder, "base: base.yaml\n" + extending).tree)


@pytest.mark.parametrize(
    ("base", "extending", "path", "value"),
    [
        ("seed: 1\n", "seed: 2\n", ("seed",), 2),
        ("tags: [a, b]\n", "tags: [c]\n", ("tags",), ["c"]),
        (
            "runtime: {threads: 2, device: cpu}\n",
            "runtime: {threads: 3}\n",
            ("runtime",),
            {"threads": 3, "device": "cpu"},
        ),
        (
            "runtime: {threads: 2, device: cpu}\n",
            "runtime: {threads: null}\n",
            ("runtime",),
            {"device": "cpu"},
        ),
        ("seed: 1\n", "runtime: {threads: 2}\n", ("seed",), 1),
        ("", "runtime: {threads: 2}\n", ("runtime",), {"threads": 2}),
    ],
)
def test_base_maps_merge_lists_are_replaced_and_null_removes(
    base: str, extending: str, path: tuple[str, ...], value: Any, tmp_path: Path
) -> None:
    assert merged(tmp_path, MINIMAL + base, extending)[path[0]] == value


@pytest.mark.parametrize(
    ("base", "extending", "value"),
    [
        ("{Adam: {beta_1: 0.8}}", "{SGD: {momentum: 0.9}}", {"SGD": {"momentum": 0.9}}),
        ("{Adam: {beta_1: 0.8}}", "{Adam: {beta_2: 0.9}}", {"Adam": {"beta_1": 0.8, "beta_2": 0.9}}),
        ("{Adam: {beta_1: 0.8, beta_2: 0.9}}", "{Adam: {beta_1: null}}", {"Adam": {"beta_2": 0.9}}),
        ("{Adam: {beta_1: 0.8}}", "{Adam: null}", {"Adam": None}),
        ("{Adam: {beta_1: 0.8}}", "sgd", "sgd"),
        ("adam", "{Adam: {beta_1: 0.8}}", {"Adam": {"beta_1": 0.8}}),
        (
            "{Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 5}}}}",
            "{Adam: {learning_rate: {PolynomialDecay: {initial_learning_rate: 0.1, decay_steps: 5}}}}",
            {
                "Adam": {
                    "learning_rate": {"PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5}}
                }
            },
        ),
        (
            "{Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 5}}}}",
            "{Adam: {learning_rate: {CosineDecay: {decay_steps: 7}}}}",
            {"Adam": {"learning_rate": {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 7}}}},
        ),
    ],
)
def test_base_choice_is_replaced_unless_the_name_is_the_same(
    base: str, extending: str, value: Any, tmp_path: Path
) -> None:
    text = MINIMAL.replace("{loss:", f"{{optimizer: {base}, loss:")
    assert merged(tmp_path, text, f"training: {{optimizer: {extending}}}\n")["training"]["optimizer"] == value


def test_base_values_keep_the_places_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(MINIMAL.replace("softmax", "softmaxx"))
    found = problems(tmp_path, "base: base.yaml\nseed: x\n", "quux=3")
    assert [line.split("  ")[0] for line in found] == [
        "spec.yaml:2:7",
        "base.yaml:3:53",
        "command line:1:1",
    ]


def test_base_chain_is_read_relative_to_each_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "root.yaml").write_text(MINIMAL)
    (tmp_path / "a" / "middle.yaml").write_text("base: ../root.yaml\nseed: 3\n")
    loaded = load(tmp_path, "base: ../middle.yaml\n", name="a/b/leaf.yaml")
    assert (loaded.spec.seed, loaded.spec.name) == (3, "leaf")
    assert "base" not in plain(loaded.tree)


def test_base_chain_of_eight_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "7.yaml").write_text(MINIMAL)
    for number in range(7):
        (tmp_path / f"{number}.yaml").write_text(f"base: {number + 1}.yaml\n")
    assert load_spec(tmp_path / "0.yaml").spec.name == "0"


def test_good_extending_twice_has_the_nearest_values() -> None:
    spec = load_spec(HERE.parent / "specs" / "good" / "extends_twice.yaml").spec
    assert (spec.name, spec.tags, spec.training.epochs) == ("extends_twice", ["other"], 5)
    assert spec.training.optimizer == Choice("Adam", {"beta_2": 0.9})
    assert spec.training.callbacks == []
    assert spec.training.loss == Choice("BinaryCrossentropy", {"label_smoothing": 0.1, "from_logits": False})
    assert (spec.training.learning_rate, spec.runtime.threads) == (0.001, "auto")


def test_dump_writes_sections_in_blocks_and_arguments_in_braces(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL, "training.callbacks=[{EarlyStopping: {monitor: loss, patience: 3}}]")
    assert dump_spec(loaded.spec) == (HERE / "dumped.yaml").read_text("utf-8")


ODD_TEXTS = [
    "1e-3", "no", "No", "on", "y", "true", "null", "~", "010", "0x1F", ".5", ".inf", "1_000", "1:30",
    "2026-11-20", "", " ", " a", "a ", "a b", "a: b", "a:b", "a #b", "a#b", "#", "-", "- a", "--- a",
    "...", "?", "? a", ":", ",", "[a]", "{a}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a`", "'", '"',
    "it's", '"quoted"', "back\\slash", "a\nb", "a\n", "\n", "tab\there", "über", "日本語", "🙂", "\u2028",
    "\u00a0", "\x85", "\ufeff", "<<", "=", "x" * 3000,
]  # fmt: skip
ODD_NUMBERS = [
    0, -1, 2**63, 10**399, 0.0, -0.0, 1e-3, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e-05,
    float("inf"), float("-inf"),
]  # fmt: skip


@pytest.mark.parametrize("value", [*ODD_TEXTS, *ODD_NUMBERS, True, False, None, [], {}], ids=repr)
def test_dump_reads_back_any_argument(value: Any, tmp_path: Path) -> None:
    spec = load(tmp_path).spec
    odd = Choice("Dense", {"a": value, "b": [value, {"c": value}], "c": {"d": {"e": value}}})
    model = spec.model.model_copy(update={"layers": [odd]})
    text = dump_spec(spec.model_copy(update={"model": model}))
    assert repr(plain_layers(tmp_path, text)) == repr([odd.plain()])


@pytest.mark.parametrize("text", ODD_TEXTS, ids=repr)
def test_dump_reads_back_any_name_and_key(text: str, tmp_path: Path) -> None:
    spec = load(tmp_path).spec
    odd = Choice(text, {text: 1, "inner": {text: 2}})
    model = spec.model.model_copy(update={"layers": [odd, Choice(text)]})
    dumped = dump_spec(spec.model_copy(update={"model": model, "description": text, "tags": [text]}))
    assert plain_layers(tmp_path, dumped) == [odd.plain(), text]


def plain_layers(folder: Path, text: str) -> Any:
    from nnrun.spec.source import parse_yaml, read_source

    path = folder / "dumped.yaml"
    path.write_text(text, "utf-8", newline="")
    return plain(parse_yaml(read_source(path)))["model"]["layers"]


def test_dump_reads_back_random_values(tmp_path: Path) -> None:
    generator = random.Random(7)
    spec = load(tmp_path).spec
    for _ in range(100):
        odd = Choice("Dense", {random_text(generator): random_value(generator, 3) for _ in range(3)})
        model = spec.model.model_copy(update={"layers": [odd]})
        text = dump_spec(spec.model_copy(update={"model": model}))
        assert repr(plain_layers(tmp_path, text)) == repr([odd.plain()])


def random_text(generator: random.Random) -> str:
    alphabet = string.ascii_letters + string.digits + string.punctuation + " \n\t\xa0\x85üß€\u2028🙂"
    return "".join(generator.choices(alphabet, k=generator.randint(0, 12)))


def random_value(generator: random.Random, depth: int) -> Any:
    kind = generator.randrange(8 if depth else 5)
    if kind == 5 or kind == 6:
        return [random_value(generator, depth - 1) for _ in range(generator.randint(0, 3))]
    if kind == 7:
        return {
            random_text(generator): random_value(generator, depth - 1) for _ in range(generator.randint(0, 3))
        }
    exponent = generator.randint(-300, 300)
    return [
        random_text(generator),
        generator.randint(-(10**9), 10**9),
        generator.random() * 10.0**exponent,
        True,
        None,
    ][kind]


def test_dump_means_the_same_to_readers_of_yaml_1_1(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        MINIMAL,
        "training.learning_rate=1e-05",
        "tags=[no, on, 1:30, 2026-11-20, 010]".replace("010", "'010'"),
    )
    values = yaml.safe_load(dump_spec(loaded.spec))
    assert values["training"]["learning_rate"] == 1e-05
    assert values["tags"] == ["no", "on", "1:30", "2026-11-20", "010"]


def test_origins_name_file_override_and_default(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(MINIMAL)
    loaded = load(
        tmp_path, "base: base.yaml\nseed: 3\n", "training.epochs=3", "model.layers.0.Flatten.name=f"
    )
    found = {path: where.replace(f"{tmp_path}/", "") for path, where in origins(loaded).items()}
    assert found["seed",] == "spec.yaml:2"
    assert found["data", "source"] == "base.yaml:1"
    assert found["model", "layers", 1, "Dense", "units"] == "base.yaml:3"
    assert found["model", "layers", 0, "Flatten", "name"] == "command line: model.layers.0.Flatten.name=f"
    assert found["training", "epochs"] == "command line: training.epochs=3"
    assert found["training", "learning_rate"] == found["runtime", "threads"] == found["name",] == "default"


def test_origins_cover_every_value_of_the_resolved_specification(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    found = origins(loaded)
    for section, values in loaded.spec.plain().items():
        for key in values if isinstance(values, dict) else [None]:
            path = (section,) if key is None else (section, key)
            without_value = (values if key is None else values[key]) is None
            assert without_value or any(known[: len(path)] == path for known in found), path


MUTATED = [*GOOD, *CONFIGS]
BITS = [
    "\t", " ", "  ", ":", ": ", "- ", "[", "]", "{", "}", ",", "'", '"', "#", "&a ", "*a", "!", "|", ">",
    "%", "@",
    "\n", "\r", "\x00", "\ud7ff", "🙂", "<<: ", "? ", "---\n", "...\n", "1e999", "9" * 500, "null", ".nan",
    "-", "~", "\\", "\ufeff", "\x85", "base: minimal.yaml\n", "inputs: [input]", "Dense", "0", "true",
]  # fmt: skip


def mutate(text: str, generator: random.Random) -> str:
    for _ in range(generator.randint(1, 4)):
        start = generator.randrange(len(text) + 1)
        stop = min(len(text), start + generator.choice([0, 1, 2, 5, 30]))
        lines = text.splitlines(keepends=True)
        match generator.randrange(5):
            case 0:
                text = text[:start] + text[stop:]
            case 1:
                text = text[:start] + generator.choice(BITS) + text[start:]
            case 2:
                text = text[:start] + generator.choice(BITS) + text[stop:]
            case 3:
                generator.shuffle(lines) if generator.random() < 0.2 else lines.append(
                    generator.choice(lines or [""])
                )
                text = "".join(lines)
            case _:
                text = text[:start] + text[start:stop] * 3 + text[stop:]
    return text


def check_mutation(path: Path, text: str, generator: random.Random) -> None:
    """A specification is accepted or refused with problems, in time; nothing else can happen."""
    path.write_text(text, "utf-8", newline="")
    overrides = [mutate("training.epochs=3", generator)] if generator.random() < 0.3 else []
    start = time.process_time()
    try:
        loaded = load_spec(path, overrides)
    except SpecError as error:
        assert error.problems
        assert all(problem.message for problem in error.problems)
        assert len(str(error)) < 100_000
    else:
        again = path.with_name("again.yaml")
        again.write_text(dump_spec(loaded.spec), "utf-8", newline="")
        assert repr(load_spec(again).spec) == repr(loaded.spec)
    assert time.process_time() - start < 1.0


def test_mutated_specs_are_accepted_or_refused_and_nothing_else(tmp_path: Path) -> None:
    generator = random.Random(20261120)
    originals = [path.read_text("utf-8") for path in MUTATED]
    (tmp_path / "minimal.yaml").write_text(MINIMAL)
    for _ in range(300):
        check_mutation(tmp_path / "mutated.yaml", mutate(generator.choice(originals), generator), generator)
