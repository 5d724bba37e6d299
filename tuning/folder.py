"""The folder of a sweep, and what names it.

sweep.json          what is searched, in what, for what
study.journal       the study: see `tuning.study`
datasets/           data sets of other image sizes, where those are searched
trials/, seeds/     the runs
report/             what `odm tune report` wrote
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from odm.core.errors import InputError
from odm.core.files import make_folder, write_bytes
from odm.core.kinds import TASKS
from odm.core.locks import FileLock
from odm.training.settings import TrainingSettings
from tuning.objectives import Objective, objectives_of
from tuning.spaces import Space, make_space
from tuning.stopping import Rule
from tuning.study import JOURNAL, Ledger, TuningError

SWEEP = "sweep.json"


@dataclass(frozen=True)
class Sweep:
    """What a sweep is; all of it but ``data`` and ``full_epochs`` names it.

    Attributes:
        task: a training task, or thresholds.
        space: what is searched.
        data: the data set's path.
        digest_of_data: the data set's digest.
        base: settings of what is not searched; empty for thresholds.
        objectives: names of what is looked for.
        rule: when trials are stopped early.
        seed: seed of the search.
        full_epochs: epochs of a training at full length.
        model: digest of the model whose thresholds are searched.
        annotations_from: what the data set's annotations are from.
    """

    task: str
    space: Space
    data: str
    digest_of_data: str
    base: dict[str, Any] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    rule: Rule = Rule()  # noqa: RUF009 - frozen
    seed: int = 0
    full_epochs: int | None = None
    model: str | None = None
    annotations_from: str = ""

    @property
    def named_by(self) -> dict[str, Any]:
        """What makes it this sweep and no other, by what people call it."""
        base = {name: value for name, value in self.base.items() if name != "runtime"}
        return {
            "task": self.task,
            "space": self.space.to_dict()["parameters"],
            "data set": self.digest_of_data,
            "settings": base,
            "objectives": list(self.objectives),
            "scheduler": asdict(self.rule),
            "seed": self.seed,
            "model": self.model,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of what names it."""
        return hashlib.sha256(json.dumps(self.named_by, sort_keys=True).encode()).hexdigest()

    @property
    def looked_for(self) -> tuple[Objective, ...]:
        """The objectives."""
        return objectives_of(self.task, self.objectives)

    @property
    def settings(self) -> TrainingSettings:
        """The base as settings."""
        settings: type[TrainingSettings] = TASKS.find(self.task).load("settings")
        return settings.model_validate(self.base)


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's place."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the sweep, and of its study."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """The study."""
        return self.path / JOURNAL

    @property
    def seeds_study(self) -> str:
        """Name of the study that repeats the best few with other seeds."""
        return f"{self.name}, other seeds"

    @classmethod
    def of(cls, sweep: Sweep, out: Path, name: str | None) -> SweepFolder:
        """The folder of a sweep.

        Raises:
            InputError: another sweep is there.
        """
        chosen = name or f"{sweep.task}-{sweep.digest[:12]}"
        if not chosen or "/" in chosen or chosen.startswith("."):
            raise InputError(f"--name {chosen!r}: give a name for a folder")
        folder = cls((out / chosen).expanduser().resolve())
        if (folder.path / SWEEP).exists():
            _compare(folder.read(), sweep, folder.path)
        return folder

    def ledger(self, sweep: Sweep) -> Ledger:
        """The study of a sweep, to be written."""
        return Ledger(
            self.journal,
            self.name,
            sweep.looked_for,
            sweep.space.distributions,
            seed=sweep.seed,
            rule=sweep.rule,
        )

    def write(self, sweep: Sweep) -> None:
        """Store what the sweep is."""
        make_folder(self.path)
        content = {**asdict(sweep), "space": sweep.space.to_dict(), "rule": asdict(sweep.rule)}
        write_bytes(self.path / SWEEP, (json.dumps(content, indent=1) + "\n").encode())

    def read(self) -> Sweep:
        """What the sweep is.

        Raises:
            InputError: there is none.
        """
        path = self.path / SWEEP
        try:
            content = json.loads(path.read_bytes())
            space = content["space"]
            content["space"] = make_space(space["task"], space["parameters"], path)
            content["rule"] = Rule(**content["rule"])
            content["objectives"] = tuple(content["objectives"])
            return Sweep(**content)
        except OSError:
            raise InputError(f"{self.path}: is no sweep (it has no {SWEEP})") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is damaged ({type(error).__name__}: {error})") from None

    @contextmanager
    def driven(self, sweep: Sweep) -> Iterator[None]:
        """Keep other drivers of this machine out, and store what the sweep is.

        Raises:
            InputError: another sweep is here.
            TuningError: another driver is at work here.
        """
        refusal = TuningError(f"{self.path}: another process is at work here")
        with FileLock(self.path / ".lock").held(refusal):
            # Again: it may have come while this one looked.
            if (self.path / SWEEP).exists():
                _compare(self.read(), sweep, self.path)
            self.write(sweep)
            yield


def _compare(there: Sweep, here: Sweep, path: Path) -> None:
    ours, theirs = here.named_by, there.named_by
    differing = [name for name, value in ours.items() if value != theirs[name]]
    if differing:
        raise InputError(
            f"{path}: is a sweep with another {' and '.join(differing)}: give another --name"
        )
