"""What all tests share: the real data sets, where they are, and a place for runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# Taken out of the environment, so that only tests that ask for it see the machine's data.
REAL_DATA = os.environ.pop("NNRUN_DATA_DIR", None)


@pytest.fixture
def repository() -> Path:
    """The project's folder."""
    return REPOSITORY


@pytest.fixture
def real_mnist(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point nnrun at the real MNIST; skip where it is not."""
    folder = Path(REAL_DATA or "")
    if not REAL_DATA or not (folder / "mnist.npz").is_file():
        pytest.skip("needs the real mnist.npz: set NNRUN_DATA_DIR to its folder")
    monkeypatch.setenv("NNRUN_DATA_DIR", str(folder.resolve()))
    return folder


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set anywhere and no network: Keras's cache is empty, every look-up of a host fails at once."""
    import socket

    def refuse(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HOME", str(tmp_path))
