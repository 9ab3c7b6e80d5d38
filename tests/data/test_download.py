"""Downloads through keras.datasets, from a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import socket
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data import download
from nnrun.data.download import FASHION_MNIST_MD5, Unavailable, fetch_arrays
from nnrun.data.lookup import PICKLED_SHA256, look_up
from nnrun.keras_backend import load_keras
from nnrun.spec.schema import Choice

pytestmark = pytest.mark.tensorflow


@dataclass
class Server:
    """Serves made files, well or badly, and stands in for where Keras would download from.

    Args:
        files: Their content by name.
        cache: Stands in for Keras's cache.
        part: How much of a file is sent before the connection closes.
        silent: Whether nothing is sent after the headers until the test is over.
        asked: The names that were asked for, in order.
        hashes: The hashes that were given with the names.
    """

    cache: Path
    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    part: float = 1.0
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def redirect(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """Let a module of keras.datasets download from here, with the hashes of the files here."""
        module = sys.modules[getattr(load_keras().datasets, name).load_data.__module__]
        original: Callable[..., str] = module.get_file

        def get_file(fname: str, origin: str, file_hash: str, **options: Any) -> str:
            self.hashes[fname] = file_hash
            made = hashlib.new("md5" if len(file_hash) == 32 else "sha256", self.files.get(fname, b""))
            origin = f"http://127.0.0.1:{self.port}/{fname}"
            return original(fname, origin, file_hash=made.hexdigest(), cache_dir=str(self.cache), **options)

        monkeypatch.setattr(module, "get_file", get_file)

    def cached(self) -> list[str]:
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("NNRUN_DATA_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            server.asked.append(name)
            if name not in server.files:
                self.send_error(404, "Not Found")
                return
            content = server.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if server.silent:
                server.over.wait(10)
            else:
                self.wfile.write(content[: int(len(content) * server.part)])

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    http.shutdown()
    http.server_close()
    thread.join()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def mnist() -> bytes:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    y = (np.arange(40) % 10).astype(np.uint8)
    return npz(x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])


def ragged(*texts: list[int]) -> np.ndarray:
    array = np.empty(len(texts), dtype=object)
    array[:] = [list(text) for text in texts]
    return array


IMDB = {
    "x_train": ragged([1, 2, 3, 4], [1, 900]),
    "y_train": np.array([0, 1]),
    "x_test": ragged([5], [2, 2, 2]),
    "y_test": np.array([1, 0]),
}


def test_download_gives_the_examples_and_prints_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["mnist.npz"] = mnist()
    server.redirect(monkeypatch, "mnist")
    monkeypatch.setattr(download, "PROGRESS_SECONDS", 0.0)
    told: list[str] = []
    dataset = look_up(Choice("mnist"), told.append)
    assert (len(dataset.train), dataset.facts.test) == (30, 10)
    assert told[0] == f"mnist: Downloading data from http://127.0.0.1:{server.port}/mnist.npz"
    assert told[-1] == "mnist: 100% of 0 MB"
    assert capsys.readouterr() == ("", "")


def test_download_lets_who_is_told_print(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["mnist.npz"] = mnist()
    server.redirect(monkeypatch, "mnist")
    look_up(Choice("mnist"), print)
    assert capsys.readouterr().out.startswith("mnist: Downloading data from")


def test_download_happens_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["mnist.npz"] = mnist()
    server.redirect(monkeypatch, "mnist")
    look_up(Choice("mnist"), lambda _: None)
    look_up(Choice("mnist"), pytest.fail)
    assert server.asked == ["mnist.npz"]


def test_download_leaves_keras_and_the_sockets_as_they_were(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.redirect(monkeypatch, "mnist")
    module = sys.modules[load_keras().datasets.mnist.load_data.__module__]
    before = module.get_file
    with pytest.raises(Unavailable):
        fetch_arrays("mnist", {}, lambda _: None)
    assert module.get_file is before
    assert socket.getdefaulttimeout() is None


def test_download_that_is_not_there_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.redirect(monkeypatch, "mnist")
    with pytest.raises(Unavailable) as caught:
        fetch_arrays("mnist", {}, lambda _: None)
    assert str(caught.value) == "the server answers 404 Not Found"


def test_download_that_breaks_off_is_not_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["mnist.npz"], server.part = mnist(), 0.5
    server.redirect(monkeypatch, "mnist")
    with pytest.raises(Unavailable) as caught:
        fetch_arrays("mnist", {}, lambda _: None)
    assert str(caught.value) == "the download broke off"
    assert server.cached() == []
    server.part = 1.0
    assert len(look_up(Choice("mnist"), lambda _: None).train) == 30


def test_download_that_is_refused_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: nobody else takes the port
        server.port = closed.getsockname()[1]
        server.redirect(monkeypatch, "mnist")
        with pytest.raises(Unavailable) as caught:
            fetch_arrays("mnist", {}, lambda _: None)
    assert str(caught.value) == "Connection refused"


def test_download_from_a_silent_server_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["mnist.npz"], server.silent = mnist(), True
    server.redirect(monkeypatch, "mnist")
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.2)
    with pytest.raises(Unavailable) as caught:
        fetch_arrays("mnist", {}, lambda _: None)
    assert str(caught.value) == "no answer for 0.2 seconds"
    assert server.cached() == []


def test_download_with_a_wrong_hash_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["mnist.npz"] = mnist()
    server.redirect(monkeypatch, "mnist")
    real = hashlib.new

    def wrong(algorithm: str, content: bytes) -> Any:
        return real(algorithm, content + b"?")

    monkeypatch.setattr(hashlib, "new", wrong)
    with pytest.raises(Unavailable) as caught:
        fetch_arrays("mnist", {}, lambda _: None)
    assert str(caught.value) == "what was downloaded is damaged: its hash is wrong"


def test_download_replaces_a_damaged_file_in_the_cache(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["mnist.npz"] = mnist()
    server.redirect(monkeypatch, "mnist")
    (server.cache / "datasets").mkdir()
    (server.cache / "datasets" / "mnist.npz").write_bytes(mnist()[:500])
    assert len(look_up(Choice("mnist"), lambda _: None).train) == 30
    assert server.asked == ["mnist.npz"]


def fashion_mnist() -> dict[str, bytes]:
    pixels = np.arange(784, dtype=np.uint8)
    return {
        "train-images-idx3-ubyte.gz": gzip.compress(bytes(16) + np.tile(pixels, 20).tobytes()),
        "train-labels-idx1-ubyte.gz": gzip.compress(bytes(8) + bytes(range(10)) * 2),
        "t10k-images-idx3-ubyte.gz": gzip.compress(bytes(16) + np.tile(pixels, 10).tobytes()),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(bytes(8) + bytes(range(10))),
    }


def test_download_of_fashion_mnist_is_verified_by_the_known_hashes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files.update(fashion_mnist())
    server.redirect(monkeypatch, "fashion_mnist")
    assert len(look_up(Choice("fashion_mnist"), lambda _: None).train) == 20
    assert server.hashes == FASHION_MNIST_MD5


def test_download_of_fashion_mnist_that_was_killed_half_way_is_done_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files.update(fashion_mnist())
    server.redirect(monkeypatch, "fashion_mnist")
    folder = server.cache / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    for name, content in server.files.items():
        (folder / name).write_bytes(content[: len(content) // 2])
    dataset = look_up(Choice("fashion_mnist"), lambda _: None)
    assert dataset.train.y.tolist() == [*range(10)] * 2
    assert sorted(server.asked) == sorted(server.files)


def cifar100() -> bytes:
    """The archive of Keras's kind: pickled batches, colours apart, in a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, count in (("train", 20), ("test", 10)):
            data = np.arange(count * 3072).reshape(count, 3072).astype(np.uint8)
            content = pickle.dumps({b"data": data, b"fine_labels": list(range(80, 80 + count))})
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_download_of_an_archive_gives_its_examples(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["cifar-100-python-target"] = cifar100()
    server.redirect(monkeypatch, "cifar100")
    dataset = look_up(Choice("cifar100"), lambda _: None)
    assert dataset.train.y.tolist() == list(range(80, 100))
    x = np.asarray(dataset.train.x)
    assert x.shape == (20, 32, 32, 3) and x.flags.c_contiguous
    assert x[0, 0, :2].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_download_of_words_gives_padded_rows(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["imdb.npz"] = npz(**IMDB)
    server.redirect(monkeypatch, "imdb")
    dataset = look_up(Choice("imdb", {"num_words": 50, "maxlen": 4}), lambda _: None)
    rows = dict(zip(dataset.train.y.tolist(), np.asarray(dataset.train.x).tolist(), strict=True))
    assert rows == {0: [4, 5, 6, 7], 1: [0, 1, 4, 2]}


def test_original_words_in_the_data_folder_are_read_without_a_network(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = npz(**IMDB)
    (tmp_path / "imdb.npz").write_bytes(content)
    monkeypatch.setenv("NNRUN_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(PICKLED_SHA256, "imdb", hashlib.sha256(content).hexdigest())
    dataset = look_up(Choice("imdb", {"num_words": 50, "maxlen": 4}), pytest.fail)
    assert sorted(np.asarray(dataset.train.x).tolist()) == [[0, 1, 4, 2], [4, 5, 6, 7]]
    assert server.asked == []


def test_download_that_fails_by_a_mistake_of_ours_is_no_network_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[load_keras().datasets.mnist.load_data.__module__]

    def broken(*_: Any, **__: Any) -> str:
        raise TypeError("a bug")

    monkeypatch.setattr(module, "get_file", broken)
    with pytest.raises(TypeError, match="a bug"):
        fetch_arrays("mnist", {}, lambda _: None)
