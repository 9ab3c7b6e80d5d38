"""What people say of a run afterwards: tags to find it by, and a note."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnrun.errors import RunError
from nnrun.store.durable import write_json
from nnrun.store.reading import read_map_or_none
from nnrun.store.run import Run

FORMAT = 1
LONGEST_TAG = 100
LONGEST_NOTE = 10_000
"""Characters."""

MOST_TAGS = 100


@dataclass(slots=True)
class Labels:
    """What stands in ``labels.json``; it decides nothing.

    Args:
        tags: Words to find the run by, each once.
        note: Text of any number of lines.
    """

    tags: list[str] = field(default_factory=list)
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """As a map."""
        return {"tags": self.tags, "note": self.note}

    @classmethod
    def read(cls, run: Run) -> Labels:
        """The labels of a run; empty ones where nobody gave any.

        Raises:
            RunError: They are damaged, or made by a newer nnrun.
        """
        path = run.path / "labels.json"
        values = read_map_or_none(path)
        if values is None:
            return cls()
        if values.get("format") != FORMAT:
            raise RunError(
                f"{path} is of format {values.get('format')!s:.20}, this nnrun reads {FORMAT}; "
                "remove the file, or update nnrun"
            )
        tags, note = values.get("tags"), values.get("note")
        if (
            not isinstance(note, str)
            or not isinstance(tags, list)
            or not all(isinstance(t, str) for t in tags)
        ):
            raise RunError(f"{path} is damaged: expected a list of tags and a note; remove the file")
        return cls(tags, note)

    def write(self, run: Run) -> None:
        """Replace the labels of a run.

        Raises:
            RunError: There are too many, they are too long or empty, or the run is a link to elsewhere.
        """
        if run.path.is_symlink():
            raise RunError(f"{run.path} is a symbolic link; nnrun writes only inside the run itself")
        for tag in self.tags:
            if not tag.strip() or len(tag) > LONGEST_TAG:
                raise RunError(f"expected a tag of 1 to {LONGEST_TAG} characters, found {len(tag.strip()):,}")
        if len(self.tags) > MOST_TAGS:
            raise RunError(f"expected at most {MOST_TAGS} tags, found {len(self.tags):,}; remove some first")
        if len(self.note) > LONGEST_NOTE:
            raise RunError(
                f"expected a note of at most {LONGEST_NOTE:,} characters, found {len(self.note):,}; "
                "keep a longer text in a file of its own"
            )
        write_json(run.path / "labels.json", {"format": FORMAT, **self.plain()})
