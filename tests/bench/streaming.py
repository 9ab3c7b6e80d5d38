"""Trains on data that is larger than the memory it may use, and shows that the memory stays flat.

    python tests/bench/streaming.py [--gigabytes 4] [--folder FOLDER]

Makes a Parquet file and a folder of JPEG pictures of so many gigabytes each, trains an epoch on them as they are read,
and on a part of them in memory, each in a process of its own. Reading alone is timed too: where the training is no
faster than that, it is the reading that decides.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = 100
GROUP_ROWS = 65_536
PICTURES = 64
SIDE = 640
PART = 8
"""One in so many examples is trained on in memory, to compare the pace."""

TABLE = """
data: {source: {parquet: {path: PATH, target: y, test_split: 0}}}
model:
  layers:
    - Dense: {units: 256, activation: relu}
    - Dense: {units: 256, activation: relu}
    - Dense: {units: 1, activation: sigmoid}
training: {loss: binary_crossentropy, metrics: [accuracy], epochs: 2, batch_size: 256}
"""
IMAGES = """
data: {source: {images: {path: PATH, size: [96, 96], test_split: 0}}}
model:
  layers:
    - Conv2D: {filters: 16, kernel_size: 3, strides: 2, activation: relu}
    - Conv2D: {filters: 32, kernel_size: 3, strides: 2, activation: relu}
    - GlobalAveragePooling2D
    - Dense: {units: 2, activation: softmax}
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2, batch_size: 32}
"""

READ = """
import sys, time
from pathlib import Path
import numpy as np
from nnrun.data.load import load_data
from nnrun.spec.load import load_spec
spec = load_spec(Path(sys.argv[1]), ["data.cache=none"]).spec
data = load_data(spec.data, losses=spec.training.loss, seed=0, validation_split=0, notify=lambda _: None)
order = data.train.order(seed=0, epoch=0, shuffle=True)
began = time.perf_counter()
for window in data.train.windows(order, 4096 if len(order) > 100_000 else 512):
    pass
print(len(order) / (time.perf_counter() - began))
"""


def make_table(path: Path, size: int) -> None:
    """Write a Parquet file of at least so many bytes, a group of rows at a time."""
    import polars as pl

    random = np.random.default_rng(0)
    weights = random.normal(size=COLUMNS)
    folder = path.with_suffix("")
    folder.mkdir(parents=True)
    part = 0
    while part == 0 or sum(one.stat().st_size for one in folder.iterdir()) < size:
        x = random.normal(size=(8 * GROUP_ROWS, COLUMNS)).astype("float32")
        columns = {f"x{index}": x[:, index] for index in range(COLUMNS)}
        frame = pl.DataFrame({**columns, "y": (x @ weights > 0).astype("int8")})
        frame.write_parquet(folder / f"{part:04}.parquet", row_group_size=GROUP_ROWS)
        part += 1


def make_pictures(folder: Path, size: int) -> None:
    """Write JPEG files of so many bytes in all: many copies of a few pictures of noise."""
    from PIL import Image

    random = np.random.default_rng(0)
    contents = []
    for index in range(PICTURES):
        stream = io.BytesIO()
        noise = random.integers(0, 128, (SIDE, SIDE, 3)).astype("uint8") + np.uint8(127 * (index % 2))
        Image.fromarray(noise).save(stream, "JPEG", quality=90)
        contents.append(stream.getvalue())
    written = count = 0
    for label in ("dark", "light"):
        (folder / label).mkdir(parents=True)
    while written < size:
        content = contents[count % PICTURES]
        (folder / ("dark", "light")[count % 2] / f"{count:07}.jpg").write_bytes(content)
        written += len(content)
        count += 1


def run(*command: str) -> tuple[str, float]:
    """Run a command; its output, and the most memory that it had resident, in MB."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    most = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        for line in status.read_text().splitlines() if status.exists() else []:
            if line.startswith("VmHWM:"):
                most = max(most, int(line.split()[1]))
        time.sleep(0.2)
    output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return output, most / 1024


def train(config: Path, cache: str, runs: Path) -> tuple[float, float]:
    """Train; the examples per second of the last epoch, and the most memory in MB."""
    output, most = run(
        "-m", "nnrun", "train", str(config), f"data.cache={cache}", "--runs-dir", str(runs), "--json"
    )
    rows = [json.loads(line) for line in output.splitlines()]
    paces = [row["examples_per_second"] for row in rows if "examples_per_second" in row]
    return paces[-1], most


def compare(name: str, text: str, whole: Path, part: Path, folder: Path) -> None:
    """Train on the whole as it is read, and on a part in memory; print both."""
    (folder / "whole.yaml").write_text(text.replace("PATH", f"'{whole}'"))
    (folder / "part.yaml").write_text(text.replace("PATH", f"'{part}'"))
    streamed, most = train(folder / "whole.yaml", "none", folder / "runs")
    resident, _ = train(folder / "part.yaml", "memory", folder / "runs")
    read = float(run("-c", READ, str(folder / "whole.yaml"))[0])
    limit = min(resident, read)
    print(
        f"{name}: {most:,.0f} MB resident at most; {streamed:,.0f} examples/s streamed, {resident:,.0f} in memory, "
        f"{read:,.0f} read alone: {streamed / limit:.0%} of the {'reading' if read < resident else 'training'} limit",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    size = int(options.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        make_table(folder / "table.parquet", size)
        make_table(folder / "part.parquet", size // PART)
        compare("Parquet", TABLE, folder / "table" / "*.parquet", folder / "part" / "*.parquet", folder)
        make_pictures(folder / "pictures", size)
        make_pictures(folder / "few", size // PART)
        compare("JPEG", IMAGES, folder / "pictures", folder / "few", folder)


if __name__ == "__main__":
    main()
