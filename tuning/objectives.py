"""What a sweep can look for, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from odm.core.errors import InputError
from odm.core.text import unknown_name
from tuning.spaces import find_search

REGION_F1 = "region_f1"


@dataclass(frozen=True)
class Objective:
    """A number of a trial.

    Attributes:
        name: name on the command line.
        what: what it is, in words.
        maximised: whether more is better.
        learnt: whether it changes as a trial learns, so that it has a curve.
    """

    name: str
    what: str
    maximised: bool = True
    learnt: bool = True

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction by Optuna's name."""
        return "maximize" if self.maximised else "minimize"


_COST = (
    Objective("gmacs", "1e9 multiplications of one image", maximised=False, learnt=False),
    Objective("parameters", "1e6 weights", maximised=False, learnt=False),
)
SEGMENTER_OBJECTIVES = (
    Objective(REGION_F1, "F1 of regions at IoU 0.25 on validation, at the best thresholds"),
    Objective("mean_iou", "mean IoU of pixels on validation"),
    Objective("foreground_iou", "IoU of the foreground on validation"),
    Objective("dice", "Dice of the foreground on validation"),
    *_COST,
)
DETECTOR_OBJECTIVES = (
    Objective("ap", "average precision on validation, mean of IoU 0.5 to 0.95"),
    Objective("ap50", "average precision on validation at IoU 0.5"),
    Objective("ap25", "average precision on validation at IoU 0.25"),
    *_COST,
)
THRESHOLD_OBJECTIVES = (Objective("f1", "F1 on validation"),)


def objectives_of(task: str, names: Sequence[str] = ()) -> tuple[Objective, ...]:
    """Objectives by name; the task's first one where none is named.

    Raises:
        InputError: an unknown one (naming the nearest), one twice, or a first one that nothing
            learns.
    """
    objectives: tuple[Objective, ...] = find_search(task).load("objectives")
    known = {objective.name: objective for objective in objectives}
    for name in names:
        if name not in known:
            raise InputError(f"--objective: {unknown_name('objective', name, known)}")
    if len(set(names)) != len(names):
        raise InputError("--objective: one is given twice")
    chosen = tuple(known[name] for name in names) or objectives[:1]
    if not chosen[0].learnt:
        raise InputError(
            f"--objective {chosen[0].name}: the first one decides which trials are stopped early, "
            "and a cost does not change while a trial learns"
        )
    return chosen
