"""The data sets that come over the network, through ``keras.datasets`` and its cache."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nnrun.errors import DataError
from nnrun.keras_backend import load_keras

SILENCE_SECONDS = 20.0
"""A server that sends nothing for so long is given up."""

PROGRESS_SECONDS = 2.0

# Keras checks a hash for every file but these four: it would take a file that was cut off for the whole.
FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

Notify = Callable[[str], None]

_FAILURES = (OSError, ValueError, http.client.HTTPException)


class Unavailable(DataError):
    """A source is neither in Keras's cache nor to be had over the network; the text is the reason."""


def fetch_arrays(name: str, options: dict[str, Any], notify: Notify) -> dict[str, Any]:
    """Get a data set from Keras's cache, or download it into the cache.

    Files are verified by their hash each time; one that was cut off or damaged is never used.

    Args:
        name: A module of ``keras.datasets``.
        options: For its ``load_data``.
        notify: Is told that a download starts and how far it is.

    Returns:
        ``x_train``, ``y_train``, ``x_test``, ``y_test`` as Keras gives them.

    Raises:
        Unavailable: It cannot be had.
    """
    return _load(name, options, notify, _get_verified)


def read_original(name: str, options: dict[str, Any], path: Path) -> dict[str, Any]:
    """Read a file of Keras's own that lies elsewhere than in its cache.

    Keras reads the pickled arrays of ``imdb`` and ``reuters`` with an unpickler that makes only arrays.

    Args:
        name: A module of ``keras.datasets``.
        options: For its ``load_data``.
        path: A file that has the hash of Keras's.
    """
    return _load(name, options, lambda _: None, lambda original, **_: str(path.resolve()))


def _load(name: str, options: dict[str, Any], notify: Notify, get_file: Callable[..., str]) -> dict[str, Any]:
    load_data = getattr(load_keras().datasets, name).load_data
    implementation = sys.modules[load_data.__module__]
    try:
        with (
            _replaced_get_file(implementation, get_file),
            _patience(),
            contextlib.redirect_stdout(_Progress(name, notify)),
        ):
            (x_train, y_train), (x_test, y_test) = load_data(**options)
    except Exception as error:
        # Keras turns what the network does into bare Exceptions; any other kind is a mistake in a program.
        if type(error) is not Exception and not isinstance(error, _FAILURES):
            raise
        raise Unavailable(_reason(error)) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _get_verified(
    original: Callable[..., str], fname: str, *, file_hash: str | None = None, **options: Any
) -> str:
    return original(fname, file_hash=file_hash or FASHION_MNIST_MD5[fname], **options)


@contextlib.contextmanager
def _replaced_get_file(module: Any, get_file: Callable[..., str]) -> Iterator[None]:
    """Let a module of ``keras.datasets`` get its files through ``get_file(original, fname, ...)``."""
    original = module.get_file
    module.get_file = partial(get_file, original)
    try:
        yield
    finally:
        module.get_file = original


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Limit how long a silent server is waited for; Keras itself waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


class _Progress(io.TextIOBase):
    """Stands in for standard output, where Keras draws its progress bar, and passes on what matters."""

    def __init__(self, name: str, notify: Notify) -> None:
        self.name = name
        self.notify = notify
        self.last = time.monotonic()
        self.terminal = sys.stdout

    def write(self, text: str) -> int:
        bar = re.search(r"(\d+)/(\d+|Unknown)\x1b", text)
        if bar is None:
            self._pass_on(text.strip())
        elif bar[2] != "Unknown" and time.monotonic() - self.last > PROGRESS_SECONDS:
            self.last = time.monotonic()
            self._pass_on(f"{int(bar[1]) / int(bar[2]):.0%} of {int(bar[2]) / 1e6:.0f} MB")
        return len(text)

    def _pass_on(self, text: str) -> None:
        with contextlib.redirect_stdout(self.terminal):  # whoever is told may print
            if text:
                self.notify(f"{self.name}: {text}")


def _reason(error: BaseException) -> str:
    """Why a download failed, in a few words."""
    cause = error.__context__ if type(error) is Exception else error
    if isinstance(cause, urllib.error.HTTPError):
        cause.close()  # the connection, which Keras leaves open
        return f"the server answers {cause.code} {cause.reason}"
    if isinstance(cause, urllib.error.ContentTooShortError):
        return "the download broke off"
    if isinstance(cause, urllib.error.URLError):
        cause = cause.reason if isinstance(cause.reason, BaseException) else cause
    if isinstance(cause, TimeoutError):
        return f"no answer for {SILENCE_SECONDS:g} seconds"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if isinstance(cause, ValueError) and "hash" in str(cause):
        return "what was downloaded is damaged: its hash is wrong"
    return str(cause or error)
