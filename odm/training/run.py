"""The folder of a run: named by what decides its result, so that starting it again resumes it.

<architecture>-<digest>/
    config.yaml         the resolved settings
    run.json            the data set, what it began from, the code's version
    metrics.jsonl       what happened; see `odm.training.events`
    tensorboard/        the same for TensorBoard
    checkpoints/        last and best
    model/              the finished model
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odm.core.files import make_folder, write_bytes
from odm.core.locks import FileLock
from odm.training.checkpoints import Checkpoints
from odm.training.errors import TrainingError
from odm.training.settings import TrainingSettings


@dataclass(frozen=True)
class Run:
    """A run and its folder.

    Attributes:
        folder: its place.
        digest: SHA-256 of the settings (but ``runtime``), the data set and what it began from.
    """

    folder: Path
    digest: str

    @property
    def metrics(self) -> Path:
        """What happened, as JSON lines."""
        return self.folder / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's files."""
        return self.folder / "tensorboard"

    @property
    def model(self) -> Path:
        """The finished model's folder."""
        return self.folder / "model"

    @property
    def checkpoints(self) -> Checkpoints:
        """Last and best; those of another run are refused."""
        return Checkpoints(self.folder / "checkpoints", {"run": self.digest})

    def write(self, settings: TrainingSettings, facts: dict[str, Any]) -> None:
        """Store the resolved settings, and facts that are good to know."""
        import yaml

        make_folder(self.folder)
        content = settings.model_dump(mode="json")
        head = f"# Settings of run {self.digest}, resolved.\n"
        text = head + yaml.safe_dump(content, sort_keys=False)
        write_bytes(self.folder / "config.yaml", text.encode())
        data = json.dumps({"digest": self.digest, **facts}, indent=2) + "\n"
        write_bytes(self.folder / "run.json", data.encode())

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes of this machine out.

        Raises:
            TrainingError: one is at work here.
        """
        refusal = TrainingError(f"{self.folder}: another process is training in this folder")
        return FileLock(self.folder / ".lock").held(refusal)


def name_run(
    out: str | Path, settings: TrainingSettings, dataset_digest: str, init_digest: str | None = None
) -> Run:
    """The run that these settings, this data set and this beginning make.

    Args:
        out: folder of runs.
        settings: resolved.
        dataset_digest: digest of the data set.
        init_digest: digest of the model that is fine-tuned.
    """
    parts = json.dumps([settings.digest, dataset_digest, init_digest])
    digest = hashlib.sha256(parts.encode()).hexdigest()
    return Run(Path(out) / f"{settings.model.architecture}-{digest[:12]}", digest)
