"""The driver of a campaign: select, run, commit, stop when asked, sum up."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from odm.catalog.campaign import Campaign, CampaignLock, check_writable
from odm.catalog.outcomes import QUARANTINED, STATUSES, Input
from odm.catalog.selection import LEDGER_COLUMNS, WorkList, select
from odm.core.errors import OdmError, Stopped
from odm.core.progress import progress
from odm.core.signals import stop_signals
from odm.reprocess.inference import Inference
from odm.reprocess.order import Order
from odm.reprocess.request import Workers
from odm.reprocess.stages import InputResult, Stages

COMMIT_EVERY, COMMIT_EVERY_S = 256, 20.0
"""Outcomes and seconds after which a part is written: what a kill can cost."""

MAX_CLIPPED_SHARE = 0.1
"""Image limits are percentiles, mostly 1 and 99; a background like the one that a model was trained
on is clipped about as much."""

NOTES_SHOWN = 5


Runner = Callable[
    [Stages, Inference, Sequence[Input], Callable[[], bool], Workers],
    Generator[InputResult, None, None],
]
"""What runs the stages: it does inputs, and yields what became of each.

See `odm.reprocess.runners.local.run_local` for its arguments.
"""


@dataclass
class Summary:
    """How a run ended.

    Attributes:
        campaign: folder of the campaign.
        chosen: number of inputs between ``since`` and ``until``, done or not.
        counts: status → number of chosen inputs that have it now.
        selected: number of chosen inputs that are done or that this run is to do (``limit``).
        done: number of inputs done in this run.
        undone: why inputs could not be read for now, by source.
        stopped: whether the run was asked to stop.
        seconds: duration of the run.
        first_s: seconds until the first outcome; None without one.
        rate: inputs a second after the first; None with fewer than two.
        notes: sentences worth reading.
    """

    campaign: str
    chosen: int
    counts: dict[str, int]
    selected: int = 0
    done: int = 0
    undone: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    seconds: float = 0.0
    first_s: float | None = None
    rate: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """Number of chosen inputs without an outcome."""
        return self.chosen - sum(self.counts.values())

    @property
    def quarantined_share(self) -> float:
        """Share of the selected inputs that are quarantined."""
        return self.counts[QUARANTINED] / max(1, self.selected)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a script."""
        return {
            "campaign": self.campaign,
            "chosen": self.chosen,
            "done": self.done,
            **self.counts,
            "pending": self.pending,
            "undone": self.undone,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "first_s": None if self.first_s is None else round(self.first_s, 3),
            "rate": None if self.rate is None else round(self.rate, 3),
            "notes": self.notes,
        }


def reprocess(order: Order, runner: Runner) -> Summary:
    """Bring a campaign on, as far as asked.

    Raises:
        OdmError: another driver is at work, or has taken over; the folder cannot be written; or
            the runner cannot go on. What was done by then is committed.
    """
    from odm import __version__

    campaign = order.campaign
    with campaign.lock(take_over=order.request.take_over) as lock:
        check_writable(campaign)
        campaign.check_card()
        work = select(order.listing, campaign.outcomes(LEDGER_COLUMNS), order.request.selection)
        selected = sum(work.counts.values()) + len(work.todo)
        summary = Summary(str(campaign.folder), len(work.selected), work.counts, selected)
        _add_notes(summary, order, work)
        campaign.log("start", version=__version__, todo=len(work.todo), chosen=summary.chosen)
        began = time.monotonic()
        with stop_signals() as stop:
            try:
                _run(order, runner, work.todo, _Sink(campaign, lock), summary, stop)
            finally:
                summary.seconds = time.monotonic() - began
                summary.stopped = stop()
                if summary.first_s is not None and summary.done > 1:
                    after_first = summary.seconds - summary.first_s
                    summary.rate = (summary.done - 1) / max(1e-9, after_first)
                campaign.log("end", **summary.to_dict())
    _note_background(summary, campaign)
    return summary


def _run(
    order: Order,
    runner: Runner,
    todo: Sequence[Input],
    sink: _Sink,
    summary: Summary,
    stop: Callable[[], bool],
) -> None:
    began = time.monotonic()
    unit = order.stages.kind.inputs
    with progress("reprocessing", len(todo), unit) as advance:
        try:
            results = runner(order.stages, order.inference, todo, stop, order.request.workers)
            with closing(results):
                for result in results:
                    if summary.first_s is None:
                        summary.first_s = time.monotonic() - began
                    if result.outcome is None:
                        summary.undone[result.input.source] = result.undone
                    else:
                        summary.done += 1
                        summary.counts[result.outcome["status"][0].as_py()] += 1
                    sink.add(result)
                    advance(1, ", ".join(f"{name} {summary.counts[name]}" for name in STATUSES))
        finally:
            sink.commit()


class _Sink:
    """Outcomes on their way to a part file."""

    def __init__(self, campaign: Campaign, lock: CampaignLock) -> None:
        self.campaign = campaign
        self.lock = lock
        self.waiting: list[pa.Table] = []
        self.last = time.monotonic()

    def add(self, result: InputResult) -> None:
        if result.outcome is not None:
            self.waiting.append(result.outcome)
        late = time.monotonic() - self.last >= COMMIT_EVERY_S
        if late or len(self.waiting) >= COMMIT_EVERY:
            self.commit()

    def commit(self) -> None:
        self.lock.check()
        self.campaign.commit(self.waiting)
        self.waiting, self.last = [], time.monotonic()


def _add_notes(summary: Summary, order: Order, work: WorkList) -> None:
    notes = order.listing.notes
    summary.notes += notes[:NOTES_SHOWN]
    if len(notes) > NOTES_SHOWN:
        summary.notes.append(f"and {len(notes) - NOTES_SHOWN} more files passed over")
    inputs = order.stages.kind.inputs
    if work.undated:
        summary.notes.append(
            f"{work.undated} {inputs} are left out: --since and --until go by the time in the "
            "file's name, and theirs gives none"
        )
    if work.changed:
        summary.notes.append(
            f"{work.changed} {inputs} done earlier have changed since; --refresh does them again"
        )
    if work.absent:
        summary.notes.append(
            f"{work.absent} {inputs} done earlier are no longer in the archive; kept"
        )


def _note_background(summary: Summary, campaign: Campaign) -> None:
    import numpy as np

    table = campaign.outcomes(["clipped_low", "clipped_high"])
    if not table.num_rows:
        return
    for column, limit in (("clipped_low", "lower"), ("clipped_high", "upper")):
        shares = table[column].drop_null().to_numpy()
        middle = float(np.median(shares)) if shares.size else 0.0
        if middle > MAX_CLIPPED_SHARE:
            summary.notes.append(
                f"half of the inputs have more than {middle:.0%} of their pixels at the {limit} "
                "limit of the model's images: their background lies outside what it was trained on"
            )


def check_summary(summary: Summary, max_quarantined: float, inputs: str) -> None:
    """Check that the run did what it was asked to do.

    Raises:
        Stopped: it was asked to stop.
        OdmError: too much was quarantined, or something was left undone.
    """
    if summary.stopped and summary.pending:
        raise Stopped(
            f"stopped as asked, {summary.pending} {inputs} to do; the same command goes on"
        )
    if summary.quarantined_share > max_quarantined:
        raise OdmError(
            f"{summary.counts[QUARANTINED]} of {summary.selected} {inputs} are quarantined, "
            f"more than the share of {max_quarantined:g} that is allowed (--max-quarantined)"
        )
    if summary.undone:
        source, reason = next(iter(summary.undone.items()))
        raise OdmError(
            f"{len(summary.undone)} {inputs} are left undone, such as {source}: {reason}; "
            "the same command tries them again"
        )
