"""CSV and Parquet files as examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nnrun.data.columns import choose_columns, polars_types
from nnrun.data.files import find_files, hash_files
from nnrun.data.preprocessing import Preprocessing, Transform, fit
from nnrun.data.tables import read_table, sample_table
from nnrun.data.targets import Targets, encode_targets, fit_targets, target_types
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import Paths, TableSource, read_column_kind
from nnrun.spec.names import shorten
from nnrun.spec.schema import Losses

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class TablePart:
    """Rows of some files.

    Args:
        frame: The features.
        y: The targets.
        place: The files' name.
    """

    frame: polars.DataFrame
    y: NDArray[Any]
    place: str


class TableReader:
    """Reads the rows of a source and makes them into inputs.

    Args:
        source: The specification's.
        losses: The training's; they tell whether whole numbers are classes.
    """

    def __init__(self, source: TableSource, losses: Losses) -> None:
        self.source = source
        self.training_files = source.path
        self.name = file_name(source.path)
        sample = sample_table(source, source.path)
        self.columns = choose_columns(source, sample, self.name)
        kinds = {name: read_column_kind(choice) for name, choice in source.columns.items()}
        types = target_types(self.columns.targets, sample, kinds, losses)
        self.types = polars_types(self.columns, sample, types)
        self.targets = Targets(columns=self.columns.targets)
        self.notes = [f"{shorten(name)} is left out: {why}" for name, why in self.columns.left_out.items()]
        self.files: list[Path] = []
        self.preprocessing: Preprocessing | None = None
        self._transform: Transform | None = None
        self._is_fitted = False

    def read(self, paths: Paths) -> TablePart:
        """Read the rows of files; the first ones tell the classes."""
        frame = read_table(self.source, paths, self.types)
        place = file_name(paths)
        if not self._is_fitted:
            self.targets = fit_targets(frame, self.columns.targets, place)
            self._is_fitted = True
        self.files += find_files(paths)
        y = encode_targets(self.targets, frame, place)
        return TablePart(frame.select(list(self.columns.features)), y, place)

    def fit(self, part: TablePart, rows: NDArray[Any]) -> None:
        """Learn means, medians and vocabularies from rows."""
        self.preprocessing = fit(part.frame, rows, self.columns, self.source.inputs, part.place)

    def inputs(self) -> dict[str, InputFacts]:
        """The shapes of the inputs."""
        return input_facts(self._fitted())

    def examples(self, part: TablePart, rows: NDArray[Any] | None) -> Any:
        """Rows as inputs; a single input without its name."""
        if self._transform is None:
            self._transform = Transform.of(self._fitted())
        found = self._transform.apply(part.frame, rows, part.place)
        return found["input"] if list(found) == ["input"] else found

    def fingerprint(self) -> str:
        """A hash over the content of all files."""
        return hash_files(self.files)

    def _fitted(self) -> Preprocessing:
        if self.preprocessing is None:
            raise RuntimeError("fit comes first")
        return self.preprocessing


def input_facts(preprocessing: Preprocessing) -> dict[str, InputFacts]:
    """The shapes of the inputs that a table is made into."""
    return {
        name: InputFacts(preprocessing.shape(name), preprocessing.dtype(name))
        for name in preprocessing.inputs
    }


def file_name(paths: Paths) -> str:
    """What to call files in messages: the name of the one, or the first and how many more."""
    if isinstance(paths, str):
        return Path(paths).name
    return Path(paths[0]).name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
