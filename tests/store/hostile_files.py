"""Runs that a stranger made: whole ones with one thing in them that nnrun does not write."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.store.archive import FIXED_DATE, HEADER, _digest, _header_digest
from nnrun.store.run import Run
from nnrun.store.runs import create_run

ARRAYS = {"model/0000/kernel": np.ones((3, 4), "float32"), "optimizer/0000/iteration": np.array(4)}
HEADER_FIELDS = {"epoch": 2, "step": 0, "best_epoch": 1, "rows": 2, "weights": "best", "seconds": 1.5}

Case = tuple[str, Callable[[Path], None]]
"""What is hostile, and how it is built in a whole run."""


def whole_run(runs: Path) -> Run:
    made = create_run(runs, "run", now=datetime(2026, 1, 1))
    made.write_config("name: run\n")
    made.write_facts({"name": "run", "data": {"name": "x", "fingerprint": "x"}})
    for epoch in (1, 2):
        made.append_row({"epoch": epoch, "loss": 0.5})
        made.checkpoints.write(epoch, HEADER_FIELDS | {"epoch": epoch}, ARRAYS)
    made.append_resume({"epoch": 1})
    made.checkpoints.write_best(HEADER_FIELDS, ARRAYS)
    made.write_result({"status": "finished", "epochs": 2})
    return made


# Values that are JSON, and not what nnrun writes.
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, "", "x", "\u001b[2J\u202e\n", [], [[]], {}, {"a": 1}, {"": {}},
    10**30, -(10**300), "9" * 10_000, ["x"] * 1000, {"float": "x"}, {"float": 5}, "__class__",
]  # fmt: skip
ODD_TEXTS = [
    b"", b"\0" * 100, b"\xff\xfe", b"null", b"[]", b"{", b'{"a": 1}{', b"NaN", b"[NaN, Infinity]", b"1e999999",
    b"[" * 200_000, b'{"a":' * 200_000, b'"' + b"x" * 3_000_000 + b'"', b"9" * 5_000, b"\xef\xbb\xbf{}",
    b'{"a": "\\ud800"}', b'{"a": 1, "a": 2}', b"{}\n" * 300_000, b"\n" * 1_000_000, b"[]," * 100_000,
    '{"format": 1}'.encode("utf-16"), '{"format": 1}'.encode("utf-32"), b'{"format": 1e400}', b'{"format": true}',
    b'{"format": 1, "sequence": ' + b"9" * 4000 + b"}", b'{"format": 1, "sequence": "1"}',
]  # fmt: skip
TEXTS = (
    "run.json",
    "result.json",
    "diverged.json",
    "metrics.jsonl",
    "resumes.jsonl",
    "lock.json",
    "lock",
    "config.yaml",
)
FILES = (*TEXTS, "train.log", "model.keras", "checkpoints/000002.npz", "checkpoints/best.npz")
FOLDERS = ("checkpoints", "evaluation", "evaluation/test", "code")


def texts() -> Iterator[Case]:
    """Files whose content is not what nnrun writes there."""
    for name in TEXTS:
        for index, text in enumerate(ODD_TEXTS):
            yield f"{name}: odd text {index}", lambda run, name=name, text=text: put(run / name, text)
            if not name.endswith(".jsonl"):
                continue
            yield (
                f"{name}: odd text {index} after a good line",
                lambda run, name=name, text=text: put(run / name, b'{"epoch": 1}\n' + text + b"\n"),
            )
    for name in ("run.json", "result.json", "diverged.json", "metrics.jsonl", "resumes.jsonl", "lock.json"):
        for value in ODD_VALUES:
            keys = ("format", "sequence", "data", "epoch", "status", "pid", "host", "final", "seen", "loss")
            content = json.dumps({"format": 1, **dict.fromkeys(keys[1:], value)}).encode() + b"\n"
            yield (
                f"{name}: {str(value)[:20]!r}",
                lambda run, name=name, content=content: put(run / name, content),
            )
            wrong = json.dumps(value).encode() + b"\n"
            yield f"{name} is {str(value)[:20]!r}", lambda run, name=name, wrong=wrong: put(run / name, wrong)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def other_things() -> Iterator[Case]:
    """Links, pipes, sockets, folders and sparse files where files should be, and links where folders should be."""
    targets = (
        "/dev/zero",
        "/dev/full",
        "/dev/tty",
        "/etc/passwd",
        "../../outside.txt",
        "nowhere",
        "/",
        ".",
        "loop",
    )
    for name in (*FILES, "checkpoints/000009.npz", "checkpoints/.tmp-1-000003.npz", ".tmp-model.keras"):
        for target in targets:
            yield f"{name} -> {target}", lambda run, name=name, target=target: link(run / name, target)
        yield f"{name} is a pipe", lambda run, name=name: make(run / name, os.mkfifo)
        yield f"{name} is a folder", lambda run, name=name: make(run / name, os.mkdir)
        yield f"{name} is 100 GB of zeros", lambda run, name=name: sparse(run / name, 100 << 30)
        yield f"{name} is 200 MB of zeros", lambda run, name=name: sparse(run / name, 200 << 20)
    for name in FOLDERS:
        for target in ("../../outside", "/tmp", "nowhere", ".", "/dev/null"):
            yield f"{name} -> {target}", lambda run, name=name, target=target: link(run / name, target)
        yield (
            f"{name} is a file",
            lambda run, name=name: make(run / name, lambda path: path.write_bytes(b"x")),
        )
        yield f"{name} is a pipe", lambda run, name=name: make(run / name, os.mkfifo)
    yield "the run is a link", link_the_run


def link_the_run(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))
    run.symlink_to("elsewhere")


def make(path: Path, maker: Callable[[Path], Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    maker(path)


def link(path: Path, target: str) -> None:
    make(path, lambda path: path.symlink_to(target))


def sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def names() -> Iterator[Case]:
    """Files with names that nnrun does not give."""
    odd = (
        "\x1b[31m", "new\nline", "tab\t", "\u202egnp.exe", "x" * 200, "-rf", " ", "...", "%s%n", "000003.npz\n",
        "٠٠٠٠٠٩.npz", "999999999999.npz", "9" * 200 + ".npz", "000000.npz", "-00001.npz", "1.npz", ".npz",
        "000004.NPZ", ".tmp-", ".tmp-000005.npz", "\udcff\udcfe.npz", "best.npz.bak", "CON",
    )  # fmt: skip
    for name in odd:
        for folder in (".", "checkpoints", "evaluation"):
            where = Path(folder) / name
            yield f"a file {where!s:.40}", lambda run, where=where: put(run / where, b"x")
            yield f"a folder {where!s:.40}", lambda run, where=where: (run / where).mkdir(parents=True)
        yield f"a run {name!r:.40}", lambda run, name=name: run.rename(run.with_name(name)) and None


def npy(shape: str = "(3, 4)", kind: str = "<f4", data: bytes = b"\0" * 48, order: str = "False") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode("latin-1", "replace")
    head += b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


PICKLE = b"cos\nsystem\n(S'touch /tmp/nnrun-was-here'\ntR."
ODD_ARRAYS = [
    npy("(99999999999999,)"), npy("(4294967296, 4294967296)"), npy("(0, 99999999999999999999999)", data=b""),
    npy("(9999999999999999999, 0)", data=b""), npy("()", data=b""), npy("(-1,)"), npy("(1.5,)"),
    npy("(" + "1," * 3000 + ")"),
    npy("(" + "1, " * 70 + ")", data=b"\0" * 4), npy("(1, " * 300), npy("__import__('os')"), npy("(True,)"),
    npy("(1e9,)"),
    npy("(3,)", "|O", PICKLE), npy("(1,)", "|O8", PICKLE), npy("(12,)", "|V0", b""), npy("(99999999999,)", "|V0", b""),
    npy("(12,)", "<U99"), npy("(12,)", "<M8"), npy("(12,)", "<f0"), npy("(12,)", "<f3"), npy("(12,)", "zz"),
    npy(kind="<c99"),
    npy("(48,)", "|S1"), npy("(2,)", "|V24"), npy(order="1"), npy(order="None"), npy("(3, 4)", data=b""),
    npy("(3, 4)", data=b"\0" * 1_000_000), b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x02\x00" + b"\xff" * 4,
    b"\x93NUMPY\x03\x00",
    b"", b"PK\x03\x04", PICKLE, b"\x80\x04\x95" + b"\xff" * 20, npy("(12,)" + " " * 9000), npy("(12,)" + " " * 60_000),
]  # fmt: skip


def rewritten(
    path: Path, change: Callable[[dict[str, bytes]], None], method: int = zipfile.ZIP_STORED
) -> None:
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in parts.items():
            made.writestr(name, data)


def header_changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the header and sign it anew, as somebody would who knows how."""

    def edit(parts: dict[str, bytes]) -> None:
        content = json.loads(parts[HEADER])
        content = change(content) or content
        with contextlib.suppress(KeyError, TypeError, RecursionError):
            content["sha256"] = _header_digest(content)
        parts[HEADER] = json.dumps(content).encode()

    rewritten(path, edit)


def checkpoints() -> Iterator[Case]:
    """Archives that nnrun does not write."""
    for name, step in (("checkpoints/000002.npz", 1), ("checkpoints/best.npz", 5)):
        for label, change in itertools.islice(archive_changes(), 0, None, step):
            yield f"{name}: {label}", lambda run, name=name, change=change: change(run / name)


def archive_changes() -> Iterator[tuple[str, Callable[[Path], None]]]:
    for index, array in enumerate(ODD_ARRAYS):
        yield (
            f"odd array {index}",
            lambda path, array=array: rewritten(path, lambda parts: parts.update({"a00000.npy": array})),
        )
    for index, text in enumerate(ODD_TEXTS):
        yield (
            f"odd header {index}",
            lambda path, text=text: rewritten(path, lambda parts: parts.update({HEADER: text})),
        )
    for value in ODD_VALUES:
        label = repr(value)[:20]
        for key in ("format", "header", "arrays", "sha256"):
            yield (
                f"{key} is {label}",
                lambda path, key=key, value=value: header_changed(
                    path, lambda content: content.update({key: value})
                ),
            )
        for key in ("sequence", *HEADER_FIELDS):
            yield (
                f"header.{key} is {label}",
                lambda path, key=key, value=value: header_changed(
                    path, lambda content: content["header"].update({key: value})
                ),
            )
        for key in ("name", "dtype", "sha256", "member"):
            yield (
                f"arrays.0.{key} is {label}",
                lambda path, key=key, value=value: header_changed(
                    path, lambda content: content["arrays"][0].update({key: value})
                ),
            )
        yield (
            f"arrays.0 is {label}",
            lambda path, value=value: header_changed(
                path, lambda content: content.update({"arrays": [value, value]})
            ),
        )
    for dtype in (
        "object",
        "float8_e4m3fn",
        "int4",
        "__doc__",
        "finfo",
        "np",
        "float64",
        "float32, (2,)",
        "O",
        "V1",
    ):
        yield (
            f"dtype {dtype}",
            lambda path, dtype=dtype: header_changed(
                path, lambda content: content["arrays"][0].update({"dtype": dtype})
            ),
        )
    for member in ("../../outside.txt", "/etc/passwd", "C:\\x", "a/../../b", "a\0b", "a00000.npy/", HEADER):
        yield f"member {member!r}", lambda path, member=member: renamed(path, member)
    yield "every member twice", twice
    yield "deflated", lambda path: rewritten(path, lambda parts: None, zipfile.ZIP_DEFLATED)
    yield (
        "a bomb",
        lambda path: rewritten(
            path,
            lambda parts: parts.update({"a00000.npy": npy("(25000000,)", data=bytes(100 << 20))}),
            zipfile.ZIP_DEFLATED,
        ),
    )
    yield "lzma", lambda path: rewritten(path, lambda parts: None, zipfile.ZIP_LZMA)
    yield "members that overlap", overlapping
    yield "20,000 members", many
    for offset, size in ((18, 4), (22, 4), (26, 2), (28, 2)):
        yield (
            f"local header, {offset}",
            lambda path, offset=offset, size=size: patched(path, b"PK\x03\x04", offset, size),
        )
    for offset, size in ((8, 2), (10, 2), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)):
        yield (
            f"directory, {offset}",
            lambda path, offset=offset, size=size: patched(path, b"PK\x01\x02", offset, size),
        )
    for offset, size in ((8, 2), (10, 2), (12, 4), (16, 4), (20, 2)):
        yield (
            f"end, {offset}",
            lambda path, offset=offset, size=size: patched(path, b"PK\x05\x06", offset, size),
        )
    chosen = random.Random(9)
    for index in range(60):
        noise = b"PK\x03\x04" + chosen.randbytes(chosen.randrange(400))
        yield f"noise {index}", lambda path, noise=noise: path.write_bytes(noise)


def renamed(path: Path, member: str) -> None:
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    content = json.loads(parts[HEADER])
    content["arrays"][0]["member"] = member
    content["sha256"] = _header_digest(content)
    parts[HEADER] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as made:
        for name, data in parts.items():
            made.writestr(member if name == "a00000.npy" else name, data)


def twice(path: Path) -> None:
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w") as made:
        for name, data in [*parts.items(), *parts.items()]:
            made.writestr(name, data)


def overlapping(path: Path, count: int = 30, size: int = 1_000_000) -> None:
    """Members that hold all those after them: a small file of many large arrays, each of which is right."""
    data = npy(f"({size},)", "|u1", bytes(size))
    infos, listed, lengths = [], [], []
    for number in reversed(range(count)):
        info = zipfile.ZipInfo(f"a{number:05d}.npy", FIXED_DATE)
        info.CRC, info.file_size, info.compress_size = zlib.crc32(data), len(data), len(data)
        array = np.frombuffer(data, "uint8", offset=10 + struct.unpack("<H", data[8:10])[0])
        listed.append(
            {"name": str(number), "member": info.filename, "dtype": "uint8", "sha256": _digest(array)}
        )
        data = info.FileHeader() + data
        infos.insert(0, info)
        lengths.insert(0, len(data))
        if number:
            data = npy(f"({len(data)},)", "|u1", data)
    content: dict[str, Any] = {"format": 1, "header": HEADER_FIELDS | {"sequence": 2}, "arrays": listed}
    content["sha256"] = _header_digest(content)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(HEADER, json.dumps(content))
        assert made.fp
        start = made.start_dir
        made.fp.seek(start)
        made.fp.write(data)
        for info, length in zip(infos, lengths, strict=True):
            info.header_offset = start + len(data) - length
        made.start_dir = start + len(data)
        made.filelist.extend(infos)
        made._didModify = True


def many(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        for number in range(20_000):
            made.writestr(str(number), b"")


def patched(path: Path, signature: bytes, offset: int, size: int) -> None:
    """A field of all records of a kind as great as it can be."""
    content = bytearray(path.read_bytes())
    start = content.find(signature)
    while start >= 0:
        content[start + offset : start + offset + size] = b"\xff" * size
        start = content.find(signature, start + 4)
    path.write_bytes(content)


def cases() -> Iterator[Case]:
    yield from texts()
    yield from other_things()
    yield from names()
    yield from checkpoints()
