"""Trials one after the other in this process, without Ray; the study is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from odm.training.plans import TrainingPlan
from tuning.board import Board
from tuning.study import Asked, Ledger
from tuning.trial import Job, Outcome, Sources, reason_of, run_trial

Run = Callable[[Asked, Callable[[int, float], bool]], Outcome]


def run_plain(ledger: Ledger, total: int, run: Run, board: Board | None = None) -> None:
    """Run trials until so many have been tried.

    Args:
        ledger: of the sweep.
        total: trials in all, those of earlier times included.
        run: ``run(asked, tell)``: one trial.
        board: shows how far it has come.
    """

    def tell(number: int, epoch: int, value: float) -> bool:
        if board is not None:  # a long trial may come after one that ended too soon to be shown
            board.tick()
        return ledger.report(number, epoch, value)

    while ledger.counts().finished < total:
        asked = ledger.ask()
        try:
            outcome = run(asked, partial(tell, asked.number))
        except Exception as error:
            # Whatever it is, the next values may do better; an interrupt is none of it.
            ledger.fail(asked.number, reason_of(error))
            if board is not None:
                board.failed(asked.number, reason_of(error))
        else:
            ledger.finish(asked.number, outcome.facts, stopped=outcome.stopped)
        if board is not None:
            board.show()


def run_here(ledger: Ledger, job: Job, total: int, sources: Sources, board: Board) -> None:
    """Train the trials of a job."""
    run_plain(ledger, total, lambda asked, tell: run_trial(job, asked, sources, tell), board)


def sources_here(job: Job, plans: Mapping[int | None, TrainingPlan]) -> dict[int | None, Any]:
    """The samples, read when they are first needed and then kept in memory for all trials.

    Args:
        job: what all trials have in common.
        plans: any one plan, by size of image.
    """
    room = job.base.runtime.cache_gb * 1e9 / 2 / len(plans)
    return {
        size: {part: plan.source(part, room) for part in ("training", "validation")}
        for size, plan in plans.items()
    }
