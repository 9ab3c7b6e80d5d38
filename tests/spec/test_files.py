"""Paths in a specification are relative to the file that names them, and hold from anywhere afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec.load import dump_spec, load_spec

TEXT = (
    "data: {source: cifar10, sample_weight: weights.npy}\n"
    "model:\n"
    "  blocks: {net: {layers: [{MobileNetV2: {weights: one.h5}}]}}\n"
    "  layers:\n"
    "    - net\n"
    "    - MobileNetV2: {weights: sub/two.h5}\n"
    "    - MobileNetV2: {weights: null}\n"
    "    - Dense: {units: 10, activation: softmax}\n"
    "training: {loss: sparse_categorical_crossentropy}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A specification with the files that it names."""
    (tmp_path / "sub").mkdir()
    for name in ("weights.npy", "one.h5", "sub/two.h5"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "spec.yaml").write_text(TEXT)
    return tmp_path


def paths_in(path: Path) -> list[object]:
    loaded = load_spec(path)
    weights = [layer.arguments["weights"] for layer in loaded.model.layers if "weights" in layer.arguments]
    return [loaded.spec.data.sample_weight, *weights]


def refusal(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_paths_become_absolute_and_stay_so_in_the_dumped_specification(folder: Path, tmp_path: Path) -> None:
    expected = [str(folder / name) for name in ("weights.npy", "one.h5", "sub/two.h5")]
    elsewhere = tmp_path / "runs"
    elsewhere.mkdir()
    (elsewhere / "config.yaml").write_text(dump_spec(load_spec(folder / "spec.yaml").spec))

    assert paths_in(folder / "spec.yaml") == [*expected, None]
    assert paths_in(elsewhere / "config.yaml") == [*expected, None]


def test_paths_do_not_depend_on_the_working_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = paths_in(folder / "spec.yaml")
    monkeypatch.chdir(folder)
    here = paths_in(Path("spec.yaml"))
    monkeypatch.chdir(folder / "sub")

    assert here == paths_in(Path("../spec.yaml")) == expected


def test_path_in_a_base_is_relative_to_the_base(folder: Path) -> None:
    path = folder / "sub" / "more.yaml"
    path.write_text("base: ../spec.yaml\nseed: 1\n")

    assert paths_in(path) == paths_in(folder / "spec.yaml")


def test_path_of_an_override_is_relative_to_the_specification(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    loaded = load_spec(folder / "spec.yaml", ["data.sample_weight=sub/two.h5"])

    assert loaded.spec.data.sample_weight == str(folder / "sub" / "two.h5")


def test_missing_files_are_all_reported_with_where_they_are_looked_for(folder: Path) -> None:
    for name in ("weights.npy", "one.h5", "sub/two.h5"):
        (folder / name).unlink()

    assert refusal(folder / "spec.yaml") == [
        f"spec.yaml:1:40  data.sample_weight: there is no file weights.npy; paths are relative to {folder}",
        "spec.yaml:3:51  model.blocks.net.layers[0].MobileNetV2.weights: there is no file one.h5; "
        f"paths are relative to {folder}",
        "spec.yaml:6:30  model.layers[1].MobileNetV2.weights: there is no file sub/two.h5; "
        f"paths are relative to {folder}",
    ]


@pytest.mark.parametrize("value", ["sub", ".", "/dev/zero", "weights.npy/more", "a" * 5000, "$weights"])
def test_what_is_no_file_is_refused(value: str, folder: Path) -> None:
    (problem,) = refusal(folder / "spec.yaml", f"data.sample_weight={value}")

    assert problem.startswith("command line:1:20  data.sample_weight: there is no file ")


def test_fifo_is_not_waited_for(folder: Path) -> None:
    import os

    os.mkfifo(folder / "pipe.npy")

    assert "there is no file pipe.npy" in refusal(folder / "spec.yaml", "data.sample_weight=pipe.npy")[0]


def test_files_of_a_run_need_not_be_there_but_must_be_paths(folder: Path) -> None:
    (folder / "sub" / "two.h5").unlink()
    path = folder / "spec.yaml"

    assert load_spec(path, files=False).model.layers[1].arguments["weights"] == str(folder / "sub" / "two.h5")
    with pytest.raises(SpecError, match="would be downloaded"):
        load_spec(path, ["model.layers.1.MobileNetV2.weights=imagenet"], files=False)
