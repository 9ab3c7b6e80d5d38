"""The one door through which Keras and TensorFlow are imported.

Importing them takes seconds and prints native start-up noise to file descriptor 2, whatever the log level says.
So every other file opens this door inside the function that needs it, and the noise goes to a file.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from nnrun.errors import ResourceError

_terminal: TextIO | None = None

_loading = threading.RLock()

OPTIONAL = ("matplotlib", "pandas", "sklearn")
"""What Keras imports at its start when it is installed, for functions that nnrun does not use; half a second each."""


def load_keras() -> Any:
    """Import Keras on TensorFlow, with the same settings on every machine.

    Returns:
        The ``keras`` module. A user's ``~/.keras/keras.json`` or environment changes neither the backend nor the
        number format: the same specification gives the same bits.
    """
    with _loading:
        return sys.modules["keras"] if "keras" in sys.modules else _import_keras()


def load_in_background(then: Callable[[], Any]) -> None:
    """Import Keras in another thread, while this one reads files; whoever needs Keras meanwhile waits for it.

    Args:
        then: Is called as soon as Keras is there and before anybody else gets it.
    """

    def load() -> None:
        with _loading, contextlib.suppress(Exception):  # whoever needs Keras will meet the same mistake
            begun.set()
            load_keras()
            then()

    begun = threading.Event()
    threading.Thread(target=load, name="load-keras", daemon=True).start()
    begun.wait()


def _import_keras() -> Any:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if _terminal is None:
        divert_native_noise(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's packages, at import; nothing a user could act on
        with _hidden(*OPTIONAL):
            keras = importlib.import_module("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.disable_traceback_filtering()
    return keras


@contextlib.contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let packages that are not imported yet look as if they were not installed."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: an import of it fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def load_tensorflow() -> Any:
    """Import TensorFlow (through Keras, so that the settings hold) and return the module."""
    load_keras()
    return importlib.import_module("tensorflow")


def start_session(seed: int) -> None:
    """Begin as a fresh process would: automatic names start at ``dense``, all seeds are drawn from this one.

    Args:
        seed: For Python, NumPy and TensorFlow, as ``keras.utils.set_random_seed`` sets it.
    """
    keras = load_keras()
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Let layers that are made here compute by a policy of Keras, such as ``mixed_bfloat16``."""
    keras = load_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def divert_native_noise(log: Path | None) -> None:
    """Send what native code writes to file descriptor 2 to a file from now on.

    ``sys.stderr`` keeps writing to where the descriptor pointed at first: messages of Python reach the user.

    Args:
        log: The file to append to; None discards the noise until a file is named.
    """
    global _terminal
    if _terminal is None:
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        _terminal = os.fdopen(os.dup(2), "w", buffering=1, encoding=encoding, errors="backslashreplace")
        if sys.stderr is sys.__stderr__:
            sys.stderr = _terminal
    flags = (
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    )
    try:
        target = os.open(log or os.devnull, flags, 0o644)
    except OSError as error:
        raise ResourceError(f"cannot write {log}: {error.strerror}; it should be an ordinary file") from error
    os.dup2(target, 2)
    os.close(target)
