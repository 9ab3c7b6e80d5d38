"""Texts of the user's own: from class folders and from tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data.own import load_own
from nnrun.data.text_reader import TextReader, look_at_texts, restore_texts
from nnrun.errors import DataError
from nnrun.spec.file_sources import TextSource
from nnrun.spec.schema import Choice

LOSS = Choice("binary_crossentropy")
TEXTS = {
    "bad": ["A dull film.", "dull, dull and long", "Long and dull"],
    "good": ["A lovely film!", "lovely and short", "Short: lovely"],
}


def make_folder(folder: Path) -> Path:
    for name, texts in TEXTS.items():
        (folder / name).mkdir(parents=True)
        for number, text in enumerate(texts):
            (folder / name / f"{number}.txt").write_text(text, "utf-8")
    return folder


def make_table(path: Path) -> Path:
    rows = [f'"{text}",{name}' for name, texts in TEXTS.items() for text in texts]
    path.write_text("\n".join(["review,opinion", *rows]) + "\n", "utf-8")
    return path


def source_of(path: Path, **arguments: Any) -> TextSource:
    return TextSource(path=str(path), **({"max_tokens": 12, "sequence_length": 4} | arguments))


def refusal(path: Path, **arguments: Any) -> str:
    with pytest.raises(DataError) as error:
        reader = look_at_texts(source_of(path, **arguments), LOSS)
        reader.read(reader.training_files)
    return str(error.value)


def fitted(source: TextSource, rows: list[int] | None = None) -> tuple[Any, Any]:
    reader = look_at_texts(source, LOSS)
    part = reader.read(reader.training_files)
    reader.fit(part, np.arange(6) if rows is None else np.array(rows))
    return reader, part


def test_folder_gives_texts_with_classes_by_its_folders(tmp_path: Path) -> None:
    reader = look_at_texts(source_of(make_folder(tmp_path / "reviews")), LOSS)
    part = reader.read(reader.training_files)

    assert isinstance(reader, TextReader)
    assert reader.targets.classes == ["bad", "good"]
    assert part.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert part.frame["text"].to_list() == TEXTS["bad"] + TEXTS["good"]


def test_mark_at_the_beginning_of_a_file_is_no_part_of_the_text(tmp_path: Path) -> None:
    make_folder(tmp_path / "reviews")
    (tmp_path / "reviews" / "bad" / "0.txt").write_text("Grün", "utf-8-sig")
    reader = TextReader(source_of(tmp_path / "reviews"))

    assert reader.read(reader.training_files).frame["text"][0] == "Grün"


def test_other_files_are_told_in_a_note(tmp_path: Path) -> None:
    make_folder(tmp_path / "reviews")
    (tmp_path / "reviews" / "bad" / "read.me").write_text("x")
    reader = TextReader(source_of(tmp_path / "reviews"))
    reader.read(reader.training_files)

    assert reader.notes == ["1 file is left out of reviews: no text of a class (such as bad/read.me)"]


@pytest.mark.parametrize(("before", "at"), [(b"", 4), (b"\xef\xbb\xbf", 7)])
def test_text_in_another_encoding_is_refused_with_its_byte(before: bytes, at: int, tmp_path: Path) -> None:
    path = make_folder(tmp_path / "reviews") / "good" / "1.txt"
    path.write_bytes(before + "caf\xe9 au lait".encode("latin1"))

    assert refusal(tmp_path / "reviews") == (
        f"{path}: byte {at} of the file, 0xe9, is not UTF-8; save the text as UTF-8"
    )


def test_link_to_nothing_is_refused(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "reviews") / "good" / "3.txt"
    path.symlink_to("nowhere.txt")

    assert refusal(tmp_path / "reviews").startswith(f"{path}: expected a text; it is no regular file")


def test_very_large_text_is_refused_unread(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "reviews") / "good" / "3.txt"
    with path.open("wb") as file:
        file.truncate(100_000_001)

    assert refusal(tmp_path / "reviews") == (
        f"{path} has 100,000,001 bytes; expected one text in a file, of at most 100,000,000 bytes"
    )


def test_class_folder_without_texts_is_refused(tmp_path: Path) -> None:
    (make_folder(tmp_path / "reviews") / "so-so").mkdir()

    assert "so-so: there are no texts (.txt) in the folder of this class" in refusal(tmp_path / "reviews")


def test_table_without_its_columns_named_is_refused(tmp_path: Path) -> None:
    assert refusal(make_table(tmp_path / "reviews.csv")) == (
        "reviews.csv: which columns of the table hold the texts and what is to be predicted? Write column: NAME and "
        "target: NAME under data.source.text"
    )


def test_table_without_the_column_is_refused(tmp_path: Path) -> None:
    message = refusal(make_table(tmp_path / "reviews.csv"), column="revew", target="opinion")

    assert message == "reviews.csv: there is no column 'revew'; did you mean 'review'?"


def test_test_part_of_another_kind_is_refused(tmp_path: Path) -> None:
    reader = TextReader(source_of(make_folder(tmp_path / "reviews")))
    reader.read(reader.training_files)

    with pytest.raises(DataError, match="expected a folder as for training"):
        reader.read(str(make_table(tmp_path / "reviews.csv")))


def test_fingerprint_depends_on_texts_and_classes(tmp_path: Path) -> None:
    def fingerprint(folder: Path) -> str:
        reader = TextReader(source_of(folder))
        reader.read(reader.training_files)
        return reader.fingerprint()

    first, same = fingerprint(make_folder(tmp_path / "a")), fingerprint(make_folder(tmp_path / "b"))
    (tmp_path / "b" / "bad" / "2.txt").rename(tmp_path / "b" / "good" / "-.txt")
    (tmp_path / "a" / "bad" / "2.txt").write_text("other")

    assert first == same
    assert len({first, fingerprint(tmp_path / "a"), fingerprint(tmp_path / "b")}) == 3


@pytest.mark.tensorflow
def test_folder_and_table_give_the_same_tokens(tmp_path: Path) -> None:
    folder = fitted(source_of(make_folder(tmp_path / "reviews")))
    table = fitted(source_of(make_table(tmp_path / "reviews.csv"), column="review", target="opinion"))

    tokens = [reader.examples(part, None) for reader, part in (folder, table)]

    np.testing.assert_array_equal(*tokens)
    np.testing.assert_array_equal(folder[1].y, table[1].y)
    assert tokens[0].dtype == np.int32
    assert tokens[0].shape == (6, 4)
    assert folder[0].inputs() == table[0].inputs()


@pytest.mark.tensorflow
def test_tokens_are_those_of_keras(tmp_path: Path) -> None:
    import keras

    reader, part = fitted(source_of(make_folder(tmp_path / "reviews"), ngrams=2, max_tokens=9))
    layer = keras.layers.TextVectorization(9, ngrams=2, output_sequence_length=4)
    layer.adapt(TEXTS["bad"] + TEXTS["good"])

    found = reader.examples(part, np.array([5, 0]))

    np.testing.assert_array_equal(found, layer(["Short: lovely", "A dull film."]).numpy())


@pytest.mark.tensorflow
def test_vocabulary_is_of_the_training_rows_alone(tmp_path: Path) -> None:
    reader, part = fitted(source_of(make_folder(tmp_path / "reviews")), rows=[0, 1, 2])

    words = reader.preprocessing.inputs["input"][0].vocabulary

    assert "dull" in words
    assert "lovely" not in words
    assert reader.examples(part, np.array([4])).tolist() == [[1, words.index("and") + 2, 1, 0]]


@pytest.mark.tensorflow
@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
def test_bag_of_words_is_of_floating_point_numbers(mode: str, tmp_path: Path) -> None:
    reader, part = fitted(source_of(make_folder(tmp_path / "reviews"), output_mode=mode))

    found = reader.examples(part, None)

    assert reader.inputs()["input"].dtype == "float32"
    assert found.shape == (6, *reader.inputs()["input"].shape)
    assert found.dtype == np.float32


@pytest.mark.tensorflow
def test_new_texts_are_read_as_those_of_the_training(tmp_path: Path) -> None:
    source = source_of(make_folder(tmp_path / "reviews"))
    trained, part = fitted(source)
    reader = restore_texts(source, trained.targets, trained.preprocessing)

    batches = list(reader.batches(str(tmp_path / "reviews"), 4))

    assert [len(batch) for batch in batches] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), trained.examples(part, None))


@pytest.mark.tensorflow
def test_folder_is_divided_and_made_into_examples(tmp_path: Path) -> None:
    source = source_of(make_folder(tmp_path / "reviews"), test_split=0.34)
    own = load_own(
        look_at_texts(source, LOSS), source, cache="memory", seed=1, validation_split=0.5, notify=print
    )

    assert [len(own.train), len(own.validation or []), len(own.test or [])] == [2, 2, 2]
    assert own.facts.classes == 2
    assert own.facts.dtype == "int32"


@pytest.mark.tensorflow
def test_column_of_a_new_table_is_read_without_the_table_of_the_training(tmp_path: Path) -> None:
    source = source_of(make_table(tmp_path / "reviews.csv"), column="review", target="opinion")
    trained, part = fitted(source)
    (tmp_path / "reviews.csv").rename(tmp_path / "new.csv")
    reader = restore_texts(source, trained.targets, trained.preprocessing)

    (batch,) = reader.batches(str(tmp_path / "new.csv"), 10)

    np.testing.assert_array_equal(batch, trained.examples(part, None))
