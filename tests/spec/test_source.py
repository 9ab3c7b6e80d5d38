"""YAML 1.2 with places, and files that cannot be read."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import Place, Source, SpecError
from nnrun.spec.source import Node, find, parse_yaml, path_text, plain, read_source


def parse(text: str) -> Any:
    return plain(parse_yaml(Source("x.yaml", text)))


def shown(text: str, node: Node | None) -> tuple[int, str]:
    """The line of a node and the characters that its place covers."""
    assert node is not None
    line = text.splitlines()[node.place.line - 1]
    return node.place.line, line[node.place.column - 1 : node.place.end_column - 1]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("2E5", 200000.0),
        ("1e+2", 100.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.5e1", -5.0),
        ("+1.5", 1.5),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("0e-999", 0.0),
        ("010", 10),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1" * 400, int("1" * 400)),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("tRue", "tRue"),
        ("1:30", "1:30"),
        ("2026-11-20", "2026-11-20"),
        ("2024-13-01", "2024-13-01"),
        ("1_000", "1_000"),
        ("0b101", "0b101"),
        ("-0x1F", "-0x1F"),
        ("0x", "0x"),
        ("1e", "1e"),
        (".", "."),
        ("+", "+"),
        ("=", "="),
        ("٣", "٣"),
        ("'1e-3'", "1e-3"),
        ('"true"', "true"),
        ("''", ""),
        ('"null"', "null"),
        ("1.2.3", "1.2.3"),
        ("a #b", "a"),
        ("a#b", "a#b"),
    ],
)
def test_scalar_is_read_as_yaml_1_2(written: str, value: Any) -> None:
    found = parse(f"key: {written}\n")["key"]
    assert (type(found), found) == (type(value), value)


def test_scalar_nan_is_a_number() -> None:
    assert math.isnan(parse("[.nan]")[0])


def test_places_cover_keys_and_values() -> None:
    text = "a: one\nb:\n  - {x: 1.5, y: [2, 3]}  # comment\n  - 'two words'\nc:\n"
    tree = parse_yaml(Source("x.yaml", text))
    paths: list[tuple[str | int, ...]] = [("a",), ("b", 0, "x"), ("b", 0, "y"), ("b", 0), ("b", 1)]
    assert [shown(text, find(tree, path)) for path in paths] == [
        (1, "one"),
        (3, "1.5"),
        (3, "[2, 3]"),
        (3, "{x: 1.5, y: [2, 3]}"),
        (4, "'two words'"),
    ]
    c = find(tree, ("c",))
    assert c is not None
    assert (c.place.line, c.place.column, c.key_place) == (5, 3, Place(tree.place.source, 5, 1, 2))


def test_place_of_an_alias_is_where_the_value_is_written() -> None:
    text = "a: &x {units: 3}\nb: *x\n"
    node = find(parse_yaml(Source("x.yaml", text)), ("b", "units"))
    assert shown(text, node) == (1, "3")


def test_merge_keys_give_way_to_own_keys_and_to_earlier_maps() -> None:
    text = (
        "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nboth: {<<: [*one, *two], c: 3}\nquoted: {'<<': 4}\n"
    )
    found = parse(text)
    assert found["both"] == {"a": 1, "b": 1, "c": 3}
    assert found["quoted"] == {"<<": 4}


def test_aliases_below_the_budget_are_followed() -> None:
    found = parse("a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    assert found["c"] == [[[1, 2], [1, 2]], [[1, 2], [1, 2]]]


def test_duplicate_keys_are_all_reported_and_name_both_lines() -> None:
    with pytest.raises(SpecError) as caught:
        parse("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert str(caught.value) == (
        "x.yaml:2:11  b.c: this key is already in line 2; keep one of them\n"
        "x.yaml:3:1  a: this key is already in line 1; keep one of them"
    )


def test_mistakes_before_a_syntax_error_are_reported_too() -> None:
    with pytest.raises(SpecError) as caught:
        parse("a: 1\na: !x 2\nb: [\n")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment\n", "---\n...\n"])
def test_nothing_is_refused_or_null(text: str) -> None:
    if text.startswith("---"):
        assert parse(text) is None
    else:
        with pytest.raises(SpecError, match="found nothing but spaces and comments"):
            parse(text)


def test_python_tags_run_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    with pytest.raises(SpecError, match="the tag !!python/object/apply:os"):
        parse(f"a: !!python/object/apply:os.system ['touch {proof}']")
    assert not proof.exists()


def test_line_ends_and_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    source = read_source(path)
    tree = parse_yaml(source)
    assert source.line(1) == "a: 1"
    assert plain(tree) == {"a": 1, "b": 2}
    assert str(tree.place) == f"{path}:1:1"


def test_find_returns_none_beyond_what_is_there() -> None:
    tree = parse_yaml(Source("x", "a: [1]\n"))
    assert [find(tree, path) for path in (("b",), ("a", 1), ("a", -1), ("a", "0"), ("a", 0, "c"))] == [
        None
    ] * 5


def test_path_text_shows_indices_in_brackets_and_shortens_long_keys() -> None:
    assert path_text(("model", "layers", 1, "Dense", "units")) == "model.layers[1].Dense.units"
    assert path_text(()) == ""
    assert len(path_text(("x" * 10_000,))) == 40


def message_of(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_source(path)
    return str(caught.value)


def test_read_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "xor.yaml").touch()
    expected = f"; did you mean {tmp_path / 'xor.yaml'}?"
    assert message_of(tmp_path / "xro.yaml") == f"{tmp_path / 'xro.yaml'} does not exist{expected}"
    assert message_of(tmp_path / "xor") == f"{tmp_path / 'xor'} does not exist{expected}"


def test_read_missing_file_far_from_any_other_names_none(tmp_path: Path) -> None:
    (tmp_path / "mnist.yaml").touch()
    assert message_of(tmp_path / "q.json") == f"{tmp_path / 'q.json'} does not exist"


def test_read_missing_folder_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    assert message_of(folder / "a.yaml") == f"{folder / 'a.yaml'} does not exist; there is no folder {folder}"


def test_read_folder_names_a_file_in_it(tmp_path: Path) -> None:
    assert message_of(tmp_path) == f"expected a YAML file, found the folder {tmp_path}"
    (tmp_path / "b.yaml").touch()
    assert message_of(tmp_path).endswith(f"found the folder {tmp_path}; did you mean {tmp_path / 'b.yaml'}?")


def test_read_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    path = tmp_path / "a.yaml"
    assert message_of(path) == f"{path} may not be read: permission denied; see `ls -l {path}`"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 300, "File name too long"), ("a\0b", "embedded null byte")],
)
def test_read_impossible_name_says_why(name: str, reason: str, tmp_path: Path) -> None:
    assert message_of(tmp_path / name).endswith(f"cannot be read: {reason}")


def test_read_link_to_itself_says_why(tmp_path: Path) -> None:
    link = tmp_path / "a.yaml"
    link.symlink_to(link)
    assert "symbolic links" in message_of(link)


def test_read_device_is_refused() -> None:
    assert message_of(Path("/dev/zero")) == "expected a YAML file, found the device /dev/zero"


def test_read_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.yaml")
        assert message_of(Path("s.yaml")).startswith("s.yaml cannot be read: ")


def test_read_pipe_is_welcome() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: 1\n")
    os.close(writing)
    assert read_source(Path(f"/dev/fd/{reading}")).text == "a: 1\n"
    os.close(reading)


def test_read_file_of_exactly_the_cap_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (1 << 20))
    assert len(read_source(path).text) == 1 << 20
