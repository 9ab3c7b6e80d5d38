"""Files that are no specifications: each command that reads one refuses it at once, in one message."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = (
    "data: {source: xor}\nmodel: {layers: [{Dense: {units: 1, activation: sigmoid}}]}\n"
    "training: {loss: binary_crossentropy}\n"
)
LARGE = 100 << 20


def make_empty(path: Path) -> None:
    path.write_text("")


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGE)


def make_loop(path: Path) -> None:
    path.symlink_to(path.with_name("other.yaml"))
    path.with_name("other.yaml").symlink_to(path)


def make_base_loop(path: Path) -> None:
    make_loop(path.with_name("loop.yaml"))
    path.write_text("base: loop.yaml\n")


def make_base_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.write_text("base: pipe\n")


def make_unreadable(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")


def make_binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 100)


def make_nothing(path: Path) -> None:
    """The file stays missing."""


MAKERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (make_empty, "x.yaml:1:1  expected the sections"),
    "missing": (make_nothing, "x.yaml does not exist"),
    "folder": (Path.mkdir, "expected a YAML file, found the folder x.yaml"),
    "unreadable": (make_unreadable, "permission denied"),
    "large": (make_large, "x.yaml is larger than 1 MiB"),
    "binary": (make_binary, "x.yaml:1:1  expected text, found a zero byte"),
    "loop of links": (make_loop, "x.yaml cannot be read: Too many levels of symbolic links"),
    "base that is a loop": (make_base_loop, "x.yaml:1:7  base: loop.yaml cannot be read: Too many levels"),
    "base that is a pipe": (make_base_pipe, "x.yaml:1:7  base: expected a YAML file, found a pipe"),
    "base that never ends": (lambda path: path.write_text("base: /dev/zero\n"), "found the device /dev/zero"),
    "base that is long": (lambda path: path.write_text(f"base: {'y' * 3000}\n"), "File name too long"),
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nnrun", *arguments]
    environment = os.environ | {"COLUMNS": "80"}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=30, check=False, env=environment,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def check_refused(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr) < 2_000


@pytest.mark.parametrize("command", ["validate", "train"])
@pytest.mark.parametrize("case", MAKERS)
def test_file_that_is_no_specification_is_refused(case: str, command: str, tmp_path: Path) -> None:
    make, message = MAKERS[case]
    make(tmp_path / "x.yaml")
    check_refused(run(tmp_path, command, "x.yaml"), message)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["validate", "train", "summary", "config", "explain"])
def test_name_that_no_file_system_takes_is_refused(command: str, tmp_path: Path) -> None:
    check_refused(run(tmp_path, command, "y" * 300 + ".yaml"), "File name too long")


def test_device_that_never_ends_is_refused(tmp_path: Path) -> None:
    check_refused(run(tmp_path, "validate", "/dev/zero"), "found the device /dev/zero")


@pytest.mark.parametrize("weights", ["loop.npy", "y" * 300, "y/" * 3_000, ".", r"a\0b"])
def test_weights_that_are_no_file_are_refused(weights: str, tmp_path: Path) -> None:
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    (tmp_path / "x.yaml").write_text(GOOD.replace("xor}", f'xor, sample_weight: "{weights}"}}', 1))
    check_refused(run(tmp_path, "validate", "x.yaml"), "x.yaml:1:36  data.sample_weight: ")
