"""Trials one after the other in this process, without Ray; the study is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tuning.board import Board
from tuning.placement import SweepPlacement
from tuning.study import Ledger, TrialRequest
from tuning.trial import Sources, TrialContext, TrialOutcome, reason_of, run_trial

RunTrial = Callable[[TrialRequest, Callable[[int, float], bool]], TrialOutcome]


@contextmanager
def runner(
    context: TrialContext, placement: SweepPlacement
) -> Iterator[Callable[[Ledger, TrialContext, int, Board], None]]:
    """What runs trials in this process: ``run(ledger, context, total, board)``."""
    sources = local_sources(context)

    def run(ledger: Ledger, context: TrialContext, total: int, board: Board) -> None:
        run_plain(
            ledger, total, lambda request, tell: run_trial(context, request, sources, tell), board
        )

    yield run


def run_plain(ledger: Ledger, total: int, run: RunTrial, board: Board | None = None) -> None:
    """Run trials until so many have been tried.

    Args:
        ledger: the study.
        total: trials in all, those of earlier times included.
        run: ``run(request, tell)``: one trial.
        board: shows how far it has come.
    """

    def tell(number: int, epoch: int, value: float) -> bool:
        if board is not None:  # a long trial may come after one that ended too soon to be shown
            board.tick()
        return ledger.report(number, epoch, value)

    while ledger.counts().finished < total:
        request = ledger.ask()
        try:
            outcome = run(request, partial(tell, request.number))
        except Exception as error:
            # Whatever it is, the next values may do better; an interrupt is none of it.
            ledger.fail(request.number, reason_of(error))
            if board is not None:
                board.failed(request.number, reason_of(error))
        else:
            ledger.finish(request.number, outcome.facts, stopped=outcome.stopped)
        if board is not None:
            board.show()


def local_sources(context: TrialContext) -> Sources:
    """The samples, read when they are first needed and then kept in memory for all trials."""
    plans = context.plans()
    cache_bytes = context.base.runtime.cache_gb * 1e9 / 2 / len(plans)
    return {
        size: {part: plan.source(part, cache_bytes) for part in ("training", "validation")}
        for size, plan in plans.items()
    }
