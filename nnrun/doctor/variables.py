"""Findings on environment variables that change what nnrun or TensorFlow does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nnrun.doctor.finding import Finding, note, ok
from nnrun.spec.names import did_you_mean

OWN = ("NNRUN_DATA_DIR", "NNRUN_RUNS_DIR", "NNRUN_CACHE_DIR")

SHOWING = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS")
"""What Rich looks at."""

NUMBERS = {
    "TF_ENABLE_ONEDNN_OPTS": "0 takes slower code on the CPU, with other roundings",
    "TF_XLA_FLAGS": "it changes what XLA compiles, and with it the roundings",
    "XLA_FLAGS": "it changes what XLA compiles, and with it the roundings",
    "TF_NUM_INTRAOP_THREADS": "runtime.threads is the place for it",
    "TF_NUM_INTEROP_THREADS": "it changes how operations share the cores",
    "OMP_NUM_THREADS": "libraries of linear algebra share the cores by it",
    "CUDA_VISIBLE_DEVICES": "it decides which GPUs there are",
    "TF_FORCE_GPU_ALLOW_GROWTH": "it decides how TensorFlow takes memory on a GPU",
    "TF_USE_LEGACY_KERAS": "nnrun uses Keras 3 all the same",
}
"""Variables of TensorFlow's that change speed or numbers, and what is to be said of them."""


def variable_findings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """What is set that is good to know."""
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        yield note(
            "import",
            "PYTHONDONTWRITEBYTECODE is set: where TensorFlow's modules are not compiled yet, "
            "every start compiles them again, and importing takes about three times as long",
            "unset PYTHONDONTWRITEBYTECODE",
        )
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        yield note("Keras", f"KERAS_BACKEND={backend} is set; nnrun uses TensorFlow all the same")
    for name, words in NUMBERS.items():
        if name in environment:
            yield note("variables", f"{name}={environment[name]}: {words}")
    for name in sorted(environment):
        if name.startswith("NNRUN_") and name not in OWN:
            near = did_you_mean(name, OWN) or f"; there are {', '.join(OWN)}"
            yield note("variables", f"nnrun knows no {name}{near}")
    shown = [f"{name}={environment[name]}" for name in (*OWN, *SHOWING) if environment.get(name)]
    yield ok("variables", ", ".join(shown) or "none of nnrun's is set")
