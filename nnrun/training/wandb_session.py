"""A run of Weights & Biases that belongs to a run of nnrun, and goes on with it."""

from __future__ import annotations

import importlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnrun.errors import RunError
from nnrun.store.durable import write_json
from nnrun.store.listing import read_config
from nnrun.store.reading import read_map_or_none
from nnrun.store.run import Run
from nnrun.store.runs import slug
from nnrun.store.trash import delete
from nnrun.store.values import brief

FILE = "wandb.json"
"""Says which run of Weights & Biases a run is."""


class WandbSession:
    """A run of Weights & Biases.

    The package keeps figures in memory for a while, so a process that is killed loses some that it was told. Online the
    server says what it has. Offline nobody can be asked: all epochs are told again, into new files of the same run,
    which take the place of the old ones.

    Args:
        run: The run of nnrun.
        project: The project; None: the name of the specification.
        entity: The user or the team.
        mode: ``online``, ``offline`` or ``disabled``; None: what the environment says.
        anew: Make another run, whatever there was before.
    """

    def __init__(
        self, run: Run, project: str | None, entity: str | None, mode: str | None, *, anew: bool
    ) -> None:
        wandb = importlib.import_module("wandb")
        self._folder = run.path / "wandb"
        if self._folder.is_symlink():
            raise RunError(f"{self._folder} is a symbolic link; callbacks write only inside the run itself")
        known = str((read_map_or_none(run.path / FILE) or {}).get("id"))
        is_known = not anew and re.fullmatch(r"[a-z0-9]{8}", known)
        self._id = known if is_known else secrets.token_hex(4)
        config = brief(read_config(run))
        settings = wandb.Settings(console="off", silent=True)
        self._is_offline = (mode or wandb.setup(settings).settings.mode) == "offline"
        self._run = wandb.init(
            project=project or slug(str(config.get("name"))),
            entity=entity,
            mode=mode,
            id=self._id,
            name=run.id,
            dir=str(run.path),
            config=config,
            resume=None if self._is_offline else "allow",
            reinit="create_new",  # another run of this process may be open: one that was lost, or the user's own
            settings=settings,
        )
        self.last = max(0, self._run.starting_step - 1)
        self._part = Path(self._run.settings.sync_dir).name
        address: dict[str, Any] = {"part": self._part} if self._is_offline else {"url": self._run.url}
        write_json(run.path / FILE, {"id": self._id, **address})

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        self._run.log({"epoch": epoch, **figures}, step=epoch)
        self.last = epoch

    def close(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
        if self._is_offline:
            parts = self._folder.glob(f"offline-run-*-{self._id}")
            delete([part for part in parts if part.name != self._part and not part.is_symlink()])
