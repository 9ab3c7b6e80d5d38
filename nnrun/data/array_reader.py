"""NumPy arrays as examples: from the arrays of one archive (npz), or from files of one array each (npy)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnrun.data.array_targets import encode_array, fit_array_targets
from nnrun.data.arrays import Form, copy_rows, map_file, read_member
from nnrun.data.files import find_files, identify_files
from nnrun.data.own import Inputs
from nnrun.data.streaming import StreamedItems
from nnrun.data.targets import Targets
from nnrun.errors import DataError
from nnrun.spec.datasets import InputFacts
from nnrun.spec.file_sources import Arrays, NpySource, NpzSource
from nnrun.spec.names import shorten
from nnrun.spec.schema import Losses

INPUT = "input"


@dataclass(frozen=True)
class ArrayPart:
    """Arrays as they are stored.

    Args:
        x: By the names of the inputs, each of shape (n, ...).
        y: The targets.
        place: What to call them in messages.
    """

    x: Mapping[str, NDArray[Any]]
    y: NDArray[Any]
    place: str


class ArrayReader:
    """Reads arrays and brings them into the form in which they are kept.

    Args:
        source: The specification's.
        losses: Tell whether whole numbers are classes; None where the targets are known.
        targets: What is predicted, where that is known already.
        inputs: The shapes of the inputs, where they are known already.
    """

    def __init__(
        self,
        source: NpzSource | NpySource,
        losses: Losses | None,
        targets: Targets | None = None,
        inputs: Mapping[str, InputFacts] | None = None,
    ) -> None:
        self.source = source
        self.losses = losses
        names = Arrays(x=source.x, y=source.y)
        self.training_files: str | Arrays = source.path if isinstance(source, NpzSource) else names
        self.name = _first_path(source).name
        self.targets = targets or Targets(columns=["y"])
        self.notes: list[str] = []
        self.files: list[Path] = []
        self._names: list[str] = []
        self._stored: dict[str, InputFacts] = {}  # of the training arrays, before they are divided here
        self._inputs: dict[str, InputFacts] = dict(inputs or {})
        self._is_fitted = targets is not None

    @classmethod
    def restore(
        cls, source: NpzSource | NpySource, targets: Targets, inputs: Mapping[str, InputFacts]
    ) -> ArrayReader:
        """Read new files as those that a run was trained on."""
        return cls(source, None, targets, inputs)

    def read(self, paths: str | Arrays) -> ArrayPart:
        """Read the arrays of a part; those of files are only mapped. The first ones tell inputs and classes."""
        names = paths if isinstance(paths, Arrays) else Arrays(x=self.source.x, y=self.source.y)
        place = self._place(paths)
        x = {name: self._array(paths, member) for name, member in _by_input(names.x).items()}
        y = self._array(paths, names.y)
        _check_lengths({**x, "y": y}, place)
        if not self._inputs:
            self._stored = {name: facts_of(array, self.source.scale) for name, array in x.items()}
            self._inputs = join_facts(self._stored)
        self._check_inputs(x, place)
        y_place = f"{place}: {shorten(Path(names.y).name)}"
        if not self._is_fitted:
            self.targets = fit_array_targets(y, self.losses or {}, y_place)
            self._is_fitted = True
        return ArrayPart(x, encode_array(self.targets, y, y_place), place)

    def fit(self, part: ArrayPart, rows: NDArray[Any]) -> None:
        """Nothing is learned from arrays."""

    def inputs(self) -> dict[str, InputFacts]:
        """The inputs by name."""
        return self._inputs

    def examples(self, part: ArrayPart, rows: NDArray[Any] | None, *, last: bool = False) -> Inputs:
        """Rows in the dtypes of :meth:`inputs`; a single input without its name.

        Args:
            part: The arrays.
            rows: Which, ascending where they are the last; None for all.
            last: Whether nobody needs the part afterwards: where its arrays are in memory, nothing is copied.
        """
        return self._convert(part.x, rows, part.place, in_place=last)

    def batches(self, paths: str | Mapping[str, str], size: int) -> Iterator[Inputs]:
        """The inputs of new files without targets, ``size`` rows at a time.

        Args:
            paths: An archive with arrays of the same names, or the file of the input, or that of each input.
            size: Rows.
        """
        if isinstance(self.source, NpzSource):
            wanted = _by_input(self.source.x)
        else:
            wanted = {INPUT: paths} if isinstance(paths, str) else dict(paths)
        x = {name: self._array(paths, member) for name, member in wanted.items()}
        place = self._place(paths)
        _check_lengths(x, place)
        self._check_inputs(x, place)
        count = len(next(iter(x.values())))
        for first in range(0, count, size):
            yield self._convert(x, np.arange(first, min(first + size, count)), place)

    def memory(self, part: ArrayPart) -> int:
        """The bytes that the inputs of a part take in memory."""
        return sum(
            len(part.y) * math.prod(one.shape) * np.dtype(one.dtype).itemsize
            for one in self.inputs().values()
        )

    def decide(self, cache: str) -> str:
        """Shows when the first files are read."""
        return cache

    def stream(self, part: ArrayPart, rows: NDArray[Any]) -> StreamedItems:
        """Rows as inputs that stay in their files."""
        return StreamedItems(self, part, rows, part.y[rows])

    def fingerprint(self) -> str:
        """A hash over the files (of very large ones their sizes and ends) and the names of the arrays that are used."""
        files = list(dict.fromkeys(self.files))
        names = self._names if isinstance(self.source, NpzSource) else []
        return f"sha256:{hashlib.sha256(f'{identify_files(files)}{names}'.encode()).hexdigest()}"

    def _convert(
        self, x: Mapping[str, NDArray[Any]], rows: NDArray[Any] | None, place: str, *, in_place: bool = False
    ) -> Inputs:
        found = {}
        for name, array in x.items():
            kept = self._inputs[name]
            divide = facts_of(array, self.source.scale).divisor if kept.divisor is None else None
            shaped = array.reshape(len(array), *kept.shape)
            form, where = Form(kept.dtype, divide), self._name_input(place, name)
            found[name] = copy_rows(shaped, rows, form, where, in_place=in_place)
        return found[INPUT] if list(found) == [INPUT] else found

    def _array(self, paths: Any, member: str) -> NDArray[Any]:
        """An array: the member of an archive, or the content of a file."""
        self._names.append(member)
        if isinstance(self.source, NpzSource):
            (path,) = find_files(paths if isinstance(paths, str) else self.source.path)
            self.files.append(path)
            return read_member(path, member)
        (path,) = find_files(member)
        self.files.append(path)
        return map_file(path)

    def _check_inputs(self, x: Mapping[str, NDArray[Any]], place: str) -> None:
        """Refuse arrays that are not as those of the training part.

        Raises:
            DataError: The input, with what was expected and what was found.
        """
        if set(x) != set(self._inputs):
            raise DataError(f"{place}: expected the inputs {', '.join(self._inputs)}; found {', '.join(x)}")
        facts = {name: facts_of(array, self.source.scale) for name, array in x.items()}
        if not self._stored:  # after a restart only the joined form is known
            facts = join_facts(facts)
        for name, array in x.items():
            wanted, found = (self._stored or self._inputs)[name], facts[name]
            if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
                raise DataError(
                    f"{self._name_input(place, name)}: expected {wanted.dtype} of shape {('n', *wanted.shape)} as in "
                    f"training, found {found.dtype} of shape {array.shape}".replace("'n'", "n")
                )
            if array.dtype.kind in "SU":
                raise DataError(
                    f"{self._name_input(place, name)}: expected numbers, found texts; use the source text"
                )

    def _name_input(self, place: str, name: str) -> str:
        return f"{place}: x" if name == INPUT else f"{place}: {shorten(name)}"

    def _place(self, paths: Any) -> str:
        if isinstance(self.source, NpzSource):
            return Path(paths if isinstance(paths, str) else self.source.path).name
        first = paths.x if isinstance(paths, Arrays) else paths
        return Path(first if isinstance(first, str) else next(iter(first.values()))).name


def facts_of(array: NDArray[Any], scale: float | None) -> InputFacts:
    """In which form an array is kept: bytes as bytes, whole numbers as int32, others as float32."""
    shape = tuple(array.shape[1:]) or (1,)
    if array.dtype == np.uint8:
        return InputFacts(shape, "uint8", scale or 255.0)
    return InputFacts(shape, "int32" if array.dtype.kind in "iu" else "float32", scale)


def join_facts(facts: Mapping[str, InputFacts]) -> dict[str, InputFacts]:
    """The inputs as the model gets them: where they are not all divided by the same number, they are divided here."""
    if len({one.divisor for one in facts.values()}) < 2:
        return dict(facts)
    return {
        name: one if one.divisor is None else InputFacts(one.shape, "float32") for name, one in facts.items()
    }


def _by_input(x: str | dict[str, str]) -> dict[str, str]:
    return {INPUT: x} if isinstance(x, str) else x


def _first_path(source: NpzSource | NpySource) -> Path:
    if isinstance(source, NpzSource):
        return Path(source.path)
    return Path(next(iter(_by_input(source.x).values())))


def _check_lengths(arrays: Mapping[str, NDArray[Any]], place: str) -> None:
    """Refuse arrays of different numbers of rows.

    Raises:
        DataError: The rows of each.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(
            f"{'x' if name == INPUT else shorten(name)} has {len(array):,}" for name, array in arrays.items()
        )
        raise DataError(f"{place}: expected a row in each array for each example; {found}")
