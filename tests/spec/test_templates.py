"""Shipped configurations as templates."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec import templates
from nnrun.spec.load import load_spec
from nnrun.spec.templates import Template, copy_of, find_template, list_templates, templates_folder

SHIPPED = list_templates()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of templates."""
    made = tmp_path / "configs"
    made.mkdir()
    monkeypatch.setattr(templates, "templates_folder", lambda: made)
    return made


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_templates_are_all_configurations(repository: Path) -> None:
    assert templates_folder() == repository / "configs"
    assert {one.path for one in SHIPPED} == set((repository / "configs").rglob("*.yaml"))


def test_templates_are_found_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nnrun" / "configs").mkdir(parents=True)
    monkeypatch.setattr("nnrun.__file__", str(tmp_path / "nnrun" / "__init__.py"))

    assert templates_folder() == tmp_path / "nnrun" / "configs"


def test_templates_say_what_they_reach(folder: Path) -> None:
    one = write(folder / "b.yaml", "# nnrun train configs/b.yaml    all right, at once\nname: b\n")
    two = write(folder / "tiny" / "a.yaml", "name: a\n")

    assert list_templates() == [Template("b", one, "all right, at once"), Template("tiny/a", two, "")]


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_template_has_a_summary(one: Template) -> None:
    assert one.summary


@pytest.mark.parametrize("name", ["tiny/moons", "moons", "moons.yaml", "configs/tiny/moons.yaml"])
def test_template_is_found_by_what_it_may_be_called(name: str) -> None:
    assert find_template(name).name == "tiny/moons"


def test_template_of_the_folder_itself_comes_first() -> None:
    assert find_template("xor").name == "xor"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnistcnn", "no template 'mnistcnn'; did you mean 'mnist_cnn'?"),
        ("qqq", "no template 'qqq'; `nnrun init` lists all"),
    ],
)
def test_unknown_template_is_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        find_template(name)

    assert str(caught.value) == message


def test_template_in_two_folders_is_refused_without_its_folder(folder: Path) -> None:
    write(folder / "a" / "x.yaml", "")
    write(folder / "b" / "x.yaml", "")

    with pytest.raises(SpecError, match="no template 'x'; there are a/x and b/x"):
        find_template("x")


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
def test_copy_of_every_template_is_valid_and_says_the_same(one: Template, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    for path, content in copy_of(one.path, target).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    copied, original = load_spec(target).spec, load_spec(one.path).spec
    lines = target.read_text("utf-8").splitlines()
    assert (copied.seed, copied.model, copied.training) == (original.seed, original.model, original.training)
    assert copied.data.source.name == original.data.source.name
    paths = {key: Path(value).name for key, value in copied.data.source.arguments.items() if key == "path"}
    assert paths == {
        key: Path(value).name for key, value in original.data.source.arguments.items() if key == "path"
    }
    assert lines[0] == f"# nnrun train {target}   {one.summary}"
    assert lines[1] == "# yaml-language-server: $schema=nnrun.schema.json"
    written = one.path.read_text("utf-8").splitlines()
    assert [line for line in lines[2:] if "path:" not in line] == [
        line for line in written[2:] if "path:" not in line
    ]


def test_copy_without_headings_keeps_its_lines(tmp_path: Path) -> None:
    template = write(tmp_path / "a.yaml", "name: a\ntags: [a.b]\n")

    (content,) = copy_of(template, Path("b.yaml")).values()

    assert content.decode() == "name: a\n# yaml-language-server: $schema=nnrun.schema.json\ntags: [a.b]\n"


def test_copy_takes_the_files_that_it_names_with_it(tmp_path: Path, repository: Path) -> None:
    write(tmp_path / "weights.npy", "")
    write(tmp_path / "examples" / "data" / "more.yaml", f"base: {repository / 'configs' / 'xor.yaml'}\n")
    template = write(
        tmp_path / "examples" / "a.yaml",
        "base: 'data/more.yaml'  # extends\ndata: {sample_weight: ../weights.npy}\ntags: [tiny, data, a.b]\n",
    )
    target = tmp_path / "new" / "b.yaml"
    target.parent.mkdir()

    files = copy_of(template, target)
    for path, content in files.items():
        path.write_bytes(content)

    assert [path.name for path in files] == ["b.yaml", "weights.npy", "more.yaml", "xor.yaml"]
    assert {path.parent for path in files} == {target.parent}
    assert "base: more.yaml  # extends\n" in target.read_text()
    assert "base: xor.yaml\n" in (target.parent / "more.yaml").read_text()
    assert load_spec(target).spec.data.sample_weight == str(target.parent / "weights.npy")


def test_copy_names_a_path_with_spaces_as_the_shell_reads_it(tmp_path: Path) -> None:
    template = write(tmp_path / "a.yaml", "# nnrun train configs/a.yaml   good\nname: a\n")

    (content,) = copy_of(template, Path("my first.yaml")).values()

    assert content.decode().splitlines()[0] == "# nnrun train 'my first.yaml'   good"
