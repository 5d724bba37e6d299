"""The plain runner: one process for the model, a few for reading; no Ray.

It is the reference that every other runner is compared with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from odm.catalog.outcomes import Input
from odm.core.progress import waiting
from odm.reprocess.inference import ImageModel, Inference, cores
from odm.reprocess.request import Workers
from odm.reprocess.runners.readers import (
    Answer,
    Death,
    Readers,
    WorkItem,
    alone,
    killed_reader,
)
from odm.reprocess.stages import Draft, InputResult, Stages, quarantined

Stop = Callable[[], bool]
"""Whether no more inputs are to be taken."""

NO_PREFERENCE = Workers()
MOST_READERS = 16
READ_AHEAD = 3
"""Batches that may wait for the model or for a reading process: what bounds the memory."""


def default_readers(stages: Stages) -> int:
    """Return one reading process for three cores: reading takes a tenth of a model's time on a CPU.

    Where finishing is the work, which these processes do too, it is one for each core, up to what
    one model can keep busy.
    """
    return min(cores(), MOST_READERS) if stages.finishing_leads else max(1, cores() // 3)


def run_local(
    stages: Stages,
    inference: Inference,
    inputs: Sequence[Input],
    stop: Stop,
    workers: Workers = NO_PREFERENCE,
) -> Generator[InputResult, None, None]:
    """Do inputs on this machine.

    Args:
        stages: reading and finishing.
        inference: the model, which runs in this process.
        inputs: inputs to do.
        stop: asked between batches; what is at hand then is still done.
        workers: only ``readers`` and ``threads`` have a meaning here.

    Yields:
        What became of each input, in the order in which they are ready.
    """
    if not inputs:
        return
    suspects: list[Death] = []
    with Readers(
        stages, workers.readers or default_readers(stages)
    ) as pool:  # they start while the model loads
        waiting("loading model")
        model = inference.load(workers.threads)
        for answer in _Flow(stages, model, pool, deque(inputs), stop).answers():
            if isinstance(answer, Death):
                suspects.append(answer)
            else:
                yield answer
    for death in suspects:
        if stop():
            return
        yield try_alone(stages, model, death)


class _Flow:
    """What is where between the queue of inputs and the outcomes."""

    def __init__(
        self,
        stages: Stages,
        model: ImageModel,
        pool: Readers,
        inputs: deque[Input],
        stop: Stop,
    ) -> None:
        self.stages = stages
        self.model = model
        self.pool = pool
        self.inputs = inputs
        self.stop = stop
        self.ready: list[Draft] = []
        self.at_work = 0
        self.room = READ_AHEAD * model.batch + pool.processes

    def answers(self) -> Iterator[InputResult | Death]:
        """Yield all that comes out, until nothing is left."""
        while True:
            self._feed()
            if self.at_work == 0 and not self.ready:
                return
            # A batch that is not full waits only for reads that are still to come.
            if len(self.ready) >= self.model.batch or self.at_work == 0:
                self._predict()
                continue
            answer = self.pool.answer(timeout_s=1.0)
            if answer is not None:
                yield from self._taken(answer)

    def _feed(self) -> None:
        while self.inputs and self.at_work + len(self.ready) < self.room and not self.stop():
            self.pool.submit(WorkItem(self.inputs.popleft()))
            self.at_work += 1
        if self.stop():
            self.inputs.clear()

    def _taken(self, answer: Answer) -> Iterator[InputResult | Death]:
        self.at_work -= 1
        if isinstance(answer, Draft):
            self.ready.append(answer)
        else:
            yield answer

    def _predict(self) -> None:
        batch, self.ready = self.ready[: self.model.batch], self.ready[self.model.batch :]
        for item in finishing_work(self.stages, self.model, batch):
            self.pool.submit(item)
            self.at_work += 1


def finishing_work(stages: Stages, model: ImageModel, drafts: Sequence[Draft]) -> list[WorkItem]:
    """Show drafts to the model; an answer in which nothing can be found goes no further."""
    import numpy as np

    answers = model(np.stack([draft.image for draft in drafts if draft.image is not None]))
    work = []
    for draft, seen in zip(drafts, answers, strict=True):
        shown = replace(draft, image=None)
        work.append(WorkItem(draft.input, shown, None if stages.is_clear(seen) else seen))
    return work


def try_alone(stages: Stages, model: ImageModel, death: Death) -> InputResult:
    """Do an input that killed its reader once more, in processes of its own."""
    answer = alone(stages, WorkItem(death.input))
    if isinstance(answer, Draft):
        (item,) = finishing_work(stages, model, [answer])
        answer = alone(stages, item)
    if isinstance(answer, Death):
        return quarantined(stages.kind, death.input, killed_reader(answer.cause))
    assert isinstance(answer, InputResult)
    return answer
