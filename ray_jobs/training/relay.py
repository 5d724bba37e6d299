"""What workers tell the driver, through files in the folder of the run that all machines share.

A file needs no process of its own and outlives the worker; a worker that was replaced goes on in
it. Lines are whole JSON objects; one that is not yet whole is left for the next look.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from odm.core.errors import InputError, OdmError
from odm.core.files import make_folder, write_bytes
from odm.training.errors import TrainingError
from odm.training.loop import ProgressReport


@dataclass(frozen=True)
class Relay:
    """The files of one launch.

    Attributes:
        folder: a folder for this launch only. A worker of another launch, whose driver was killed
            and which Ray has not yet ended, then tells this one nothing.
    """

    folder: Path

    @classmethod
    def of(cls, run: Path) -> Relay:
        """The relay of a new launch, in the folder of a run."""
        return cls(run.resolve() / "ray" / uuid.uuid4().hex)

    @property
    def reports(self) -> Path:
        """A line a report."""
        return self.folder / "reports.jsonl"

    def open(self) -> None:
        """Begin, on the driver; what earlier launches have left goes."""
        self.remove()
        make_folder(self.folder)

    def remove(self) -> None:
        """End, on the driver."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def check(self) -> None:
        """See, on a worker, that this is the driver's folder.

        Raises:
            TrainingError: it is not.
        """
        if not self.folder.is_dir():
            raise TrainingError(
                f"{self.folder.parents[1]}: a worker on another machine does not see this folder: "
                "put the runs (--out) where all machines of the cluster share it"
            )

    def arrive(self, rank: int) -> None:
        """Say that a rank is at work."""
        write_bytes(self.folder / f"at_work-{rank}", b"")

    @property
    def arrived(self) -> bool:
        """Whether a rank was ever at work."""
        return any(self.folder.glob("at_work-*"))

    def tell(self, report: ProgressReport) -> None:
        """Write a report down, on the main rank.

        Raises:
            TrainingError: another driver has begun here: this worker's was killed, and Ray has not
                yet ended its workers.
        """
        if not self.folder.is_dir():
            raise TrainingError(f"{self.folder.parents[1]}: another launch has begun here")
        if report.kind != "checkpoint":
            with self.reports.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(report)) + "\n")

    def ask_to_stop(self) -> None:
        """Have the workers write a checkpoint and end; from the driver."""
        if self.folder.is_dir():
            write_bytes(self.folder / "stop", b"")

    @property
    def stop_is_asked(self) -> bool:
        """Whether the driver wants no more."""
        return (self.folder / "stop").exists()

    def fail(self, rank: int, error: OdmError) -> None:
        """Write down why a rank cannot go on, now or later."""
        content = {"sentence": str(error), "input": isinstance(error, InputError)}
        if self.folder.is_dir():  # else another launch has begun, which this is not about
            write_bytes(self.folder / f"failed-{rank}.json", json.dumps(content).encode())

    def all_failed(self, number: int, patience_s: float) -> bool:
        """Wait until all ranks have written down why, or until it has been long enough."""
        deadline = time.monotonic() + patience_s
        while len(list(self.folder.glob("failed-*.json"))) < number:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def failures(self) -> list[OdmError]:
        """Why ranks cannot go on."""
        errors: list[OdmError] = []
        for path in sorted(self.folder.glob("failed-*.json")):
            content = json.loads(path.read_text())
            kind = InputError if content["input"] else TrainingError
            errors.append(kind(content["sentence"]))
        return errors


class Follower:
    """Reads the reports of a relay as they come."""

    def __init__(self, relay: Relay) -> None:
        self.path = relay.reports
        self._at = 0

    def new(self) -> Iterator[ProgressReport]:
        """Reports since the last time."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._at)
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            if not line.endswith(b"\n"):
                return
            self._at += len(line)
            try:
                content: dict[str, Any] = json.loads(line)
            except ValueError:  # half a line of a worker that was killed, and the next one's
                continue
            yield ProgressReport(**content)
