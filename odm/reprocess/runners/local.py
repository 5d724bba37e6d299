"""The plain runner: one process for the model, a few for reading; no Ray.

It is the reference that every other runner is compared with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence

from odm.catalog.outcomes import Input
from odm.core.progress import waiting
from odm.reprocess.model import Model, ModelSettings, Workers, cores, load_predictor
from odm.reprocess.runners.readers import (
    Answer,
    Death,
    Readers,
    Task,
    alone,
    killed_reader,
)
from odm.reprocess.stages.orbit import Draft, Result, Stages, quarantined

Stop = Callable[[], bool]
"""Whether no more inputs are to be taken."""

MOST_READERS = 16
READ_AHEAD = 3
"""Batches that may wait for the model or for a reading process: what bounds the memory."""


def default_readers(stages: Stages) -> int:
    """One reading process for three cores: reading takes a tenth of a model's time on a CPU.

    Where finishing is the work, which these processes do too, one for each core, up to what one
    model can keep busy.
    """
    return min(cores(), MOST_READERS) if stages.finishing_leads else max(1, cores() // 3)


def run_local(
    stages: Stages,
    model: ModelSettings,
    inputs: Sequence[Input],
    stop: Stop,
    workers: Workers = Workers(),  # noqa: B008
) -> Generator[Result, None, None]:
    """Do inputs on this machine.

    Args:
        stages: reading and finishing.
        model: which runs in this process.
        inputs: to do.
        stop: asked between batches; what is at hand then is still done.
        workers: of these, ``readers`` and ``threads`` have a meaning here.

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
        predict = load_predictor(model, workers.threads)
        for answer in _Flow(stages, predict, pool, deque(inputs), stop).answers():
            if isinstance(answer, Death):
                suspects.append(answer)
            else:
                yield answer
    for death in suspects:
        if stop():
            return
        yield try_alone(stages, predict, death)


class _Flow:
    """What is where between the queue of inputs and the outcomes."""

    def __init__(
        self,
        stages: Stages,
        predict: Model,
        pool: Readers,
        inputs: deque[Input],
        stop: Stop,
    ) -> None:
        self.stages = stages
        self.predict = predict
        self.pool = pool
        self.inputs = inputs
        self.stop = stop
        self.ready: list[Draft] = []
        self.at_work = 0
        self.room = READ_AHEAD * predict.batch + pool.processes

    def answers(self) -> Iterator[Result | Death]:
        """All that comes out, until nothing is left."""
        while True:
            self._feed()
            if self.at_work == 0 and not self.ready:
                return
            # A batch that is not full waits only for reads that are still to come.
            if len(self.ready) >= self.predict.batch or self.at_work == 0:
                self._predict()
                continue
            answer = self.pool.answer(timeout_s=1.0)
            if answer is not None:
                yield from self._taken(answer)

    def _feed(self) -> None:
        while self.inputs and self.at_work + len(self.ready) < self.room and not self.stop():
            self.pool.submit(Task(self.inputs.popleft()))
            self.at_work += 1
        if self.stop():
            self.inputs.clear()

    def _taken(self, answer: Answer) -> Iterator[Result | Death]:
        self.at_work -= 1
        if isinstance(answer, Draft):
            self.ready.append(answer)
        else:
            yield answer

    def _predict(self) -> None:
        batch, self.ready = self.ready[: self.predict.batch], self.ready[self.predict.batch :]
        for task in finishing_tasks(self.stages, self.predict, batch):
            self.pool.submit(task)
            self.at_work += 1


def finishing_tasks(stages: Stages, predict: Model, drafts: Sequence[Draft]) -> list[Task]:
    """Show the drafts to the model; a map in which nothing can be found goes no further."""
    import numpy as np

    answers = predict(np.stack([draft.image for draft in drafts if draft.image is not None]))
    tasks = []
    for draft, seen in zip(drafts, answers, strict=True):
        shown = Draft(draft.one, None, draft.about, draft.shares)
        tasks.append(Task(draft.one, shown, None if stages.is_clear(seen) else seen))
    return tasks


def try_alone(stages: Stages, predict: Model, death: Death) -> Result:
    """Do an input that killed its reader once more, in processes of its own."""
    answer = alone(stages, Task(death.one))
    if isinstance(answer, Draft):
        (task,) = finishing_tasks(stages, predict, [answer])
        answer = alone(stages, task)
    if isinstance(answer, Death):
        return quarantined(stages.kind, death.one, killed_reader(answer.how))
    assert isinstance(answer, Result)
    return answer
