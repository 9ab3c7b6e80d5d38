"""Every file in tests/specs/bad opens with all the problems that it has, as the user sees them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec.load import load_spec

BAD = Path(__file__).parent / "specs" / "bad"
FILES = sorted(BAD.rglob("*.yaml"))
FEWEST_FILES = 85
MOST_SECONDS = 1.0
EXPECT = "# expect: "


def problems_of(path: Path) -> list[str]:
    """The problem lines without the folder, found within the time limit."""
    start = time.process_time()
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert time.process_time() - start < MOST_SECONDS
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_bad_specs_are_all_here() -> None:
    assert len(FILES) >= FEWEST_FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_spec_reports_exactly_its_problems(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    expected = [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]
    assert expected, "the file opens with '# expect: ...'"
    assert problems_of(path) == expected


def test_bad_specs_do_not_load_heavy_packages() -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from nnrun.errors import SpecError\n"
        "from nnrun.spec.load import load_spec\n"
        "for path in sys.argv[1:]:\n"
        "    try: load_spec(Path(path))\n"
        "    except SpecError: pass\n"
        "print(sorted({'tensorflow', 'keras', 'numpy'} & sys.modules.keys()))"
    )
    good = sorted(BAD.with_name("good").glob("*.yaml"))
    arguments = [sys.executable, "-c", program, *map(str, [*FILES, *good])]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


MINIMAL = (
    b"data: {source: digits}\n"
    b"model: {layers: [Flatten, {Dense: {units: 10, activation: softmax}}]}\n"
    b"training: {loss: sparse_categorical_crossentropy}\n"
)
CANNOT_CARRY_A_COMMENT: dict[str, tuple[bytes, str]] = {
    "empty": (
        b"",
        "x.yaml:1:1  expected the sections data, model and training; found nothing but spaces and comments",
    ),
    "utf16": (
        "seed: 1\n".encode("utf-16"),
        "x.yaml:1:1  expected UTF-8 text, found UTF-16 or UTF-32; save the file as UTF-8",
    ),
    "utf16_big": (
        b"\xfe\xff" + "seed: 1\n".encode("utf-16-be"),
        "x.yaml:1:1  expected UTF-8 text, found UTF-16 or UTF-32; save the file as UTF-8",
    ),
    "utf32": (
        "seed: 1\n".encode("utf-32"),
        "x.yaml:1:1  expected UTF-8 text, found UTF-16 or UTF-32; save the file as UTF-8",
    ),
    "zero_byte": (b"seed: 1\x00\n", "x.yaml:1:8  expected text, found a zero byte; is it a specification?"),
    "binary": (bytes(range(256)), "x.yaml:1:1  expected text, found a zero byte; is it a specification?"),
    "latin1": (
        "seed: 1\ndescription: für\n".encode("latin-1"),
        "x.yaml:2:15  expected UTF-8 text, found the byte 0xfc; save the file as UTF-8",
    ),
    "cut_character": (
        "name: ü".encode()[:-1],
        "x.yaml:1:7  expected UTF-8 text, found the byte 0xc3; save the file as UTF-8",
    ),
    "encoded_surrogate": (
        b"name: \xed\xa0\x80",
        "x.yaml:1:7  expected UTF-8 text, found the byte 0xed; save the file as UTF-8",
    ),
    "deep_lists": (b"[" * 3000 + b"]" * 3000, "x.yaml:1:65  nested deeper than 64 levels"),
    "deep_lists_on_lines": (b"[\n" * 3000, "x.yaml:65:1  nested deeper than 64 levels"),
    "deep_items": (b"- " * 3000, "x.yaml:1:129  nested deeper than 64 levels"),
    "deep_maps": (
        b"".join(b" " * depth + b"a:\n" for depth in range(300)),
        "x.yaml:64:64  nested deeper than 64 levels",
    ),
    "long_integer": (
        MINIMAL + b"seed: " + b"1" * 5000,
        "x.yaml:4:7  seed: a number of 5,000 characters; expected at most 400",
    ),
    "long_hexadecimal": (
        MINIMAL + b"seed: 0x" + b"f" * 5000,
        "x.yaml:4:7  seed: a number of 5,002 characters; expected at most 400",
    ),
    "long_float": (
        MINIMAL + b"seed: 1." + b"0" * 5000,
        "x.yaml:4:7  seed: a number of 5,002 characters; expected at most 400",
    ),
    "too_large": (b"#" * ((1 << 20) + 1), "x.yaml is larger than 1 MiB; is it a specification?"),
    "many_values": (
        b"tags: [" + b"a," * 100_000 + b"]",
        "x.yaml:1:40002  more than 20,000 keys and values (an alias counts as all that it stands for)",
    ),
    "long_directive": (
        b"%YAML 1." + b"1" * 5000 + b"\n---\nseed: 1",
        "x.yaml:1:9  an escape or a directive holds a number that is out of range",
    ),
}


@pytest.mark.parametrize("case", CANNOT_CARRY_A_COMMENT)
def test_bad_bytes_report_exactly_one_problem(case: str, tmp_path: Path) -> None:
    data, expected = CANNOT_CARRY_A_COMMENT[case]
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    assert problems_of(path) == [expected]


def test_bad_text_of_a_mebibyte_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a " * (1 << 19))
    assert len(problems_of(path)) == 1


def long_chain(folder: Path) -> Path:
    for number in range(10):
        (folder / f"{number}.yaml").write_text(f"base: {number + 1}.yaml\n")
    return folder / "0.yaml"


def cycle(folder: Path) -> Path:
    (folder / "a.yaml").write_text("base: b.yaml\n")
    (folder / "b.yaml").write_text("seed: 1\nbase: ./a.yaml\n")
    return folder / "a.yaml"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (long_chain, "7.yaml:1:7  base: a chain of more than 8 files; merge some of them"),
        (cycle, "b.yaml:2:7  base: ./a.yaml extends a file that extends it; a chain of bases must end"),
    ],
)
def test_bad_chain_of_bases_names_the_last_link(
    make: Callable[[Path], Path], expected: str, tmp_path: Path
) -> None:
    assert problems_of(make(tmp_path)) == [expected]
