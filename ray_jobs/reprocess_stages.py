"""What runs in Ray's processes: the stages on blocks of rows.

A row travels as bytes, so that Ray need not know what is in it:

    input                          to a reader
    result, draft, image           to the model; ``result`` is set where reading has settled it
    result, task                   to a finisher
    result                         to the driver; a `Death` where memory ran out

Readers and finishers import no torch.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from odm.archive.errors import OdmError
from odm.catalog.outcomes import Input
from odm.reprocess.model import ModelSettings, load_predictor
from odm.reprocess.readers import Answer, Death, Task, perform
from odm.reprocess.stages import Draft, Result, Stages


class Reader:
    """Inputs → images. A block of rows leaves for each, so that none grows large."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        for data in batch["input"].to_pylist():
            answer = read_one(self.stages, pickle.loads(data))
            if isinstance(answer, Result | Death):
                yield _row(result=pickle.dumps(answer), draft=b"", image=b"")
            else:
                assert answer.image is not None
                draft = pickle.dumps((replace(answer, image=None), answer.image.shape))
                yield _row(result=b"", draft=draft, image=answer.image.tobytes())


class Modeller:
    """Images → probabilities, in batches of one size. Its failures are rows as well."""

    def __init__(self, stages: Stages, model: ModelSettings, threads: int) -> None:
        self.stages = stages
        self.error: OdmError | None = None
        try:
            self.predict = load_predictor(model, threads)
        except OdmError as error:
            self.error = error
        except Exception as error:
            self.error = OdmError(f"the model cannot be loaded: {type(error).__name__}: {error}")

    def __call__(self, batch: pa.Table) -> pa.Table:
        results = batch["result"].to_pylist()
        images = batch["image"]
        drafts = []
        for number, data in enumerate(batch["draft"].to_pylist()):
            if data:
                draft, shape = pickle.loads(data)
                pixels = np.frombuffer(images[number].as_buffer(), dtype=np.uint8)
                drafts.append((number, replace(draft, image=pixels.reshape(shape))))
        tasks = [b""] * len(results)
        answers = self.many([draft for _, draft in drafts])
        if isinstance(answers, OdmError):
            failure = pickle.dumps(answers)
            return pa.table({"result": pa.array([failure] * len(results), pa.binary()),
                             "task": pa.array(tasks, pa.binary())})  # fmt: skip
        for (number, _), task in zip(drafts, answers, strict=True):
            tasks[number] = pickle.dumps(task)
        return pa.table(
            {"result": pa.array(results, pa.binary()), "task": pa.array(tasks, pa.large_binary())}
        )

    def many(self, drafts: list[Draft]) -> list[Task] | OdmError:
        """What is left to do with images; or why the model cannot say."""
        from odm.reprocess.local import finishing_tasks

        if self.error is not None:
            return self.error
        try:
            return finishing_tasks(self.stages, self.predict, drafts) if drafts else []
        except OdmError as error:
            return error
        except Exception as error:
            return OdmError(f"the model fails: {type(error).__name__}: {error}")

    def one(self, draft: Draft) -> Task | OdmError:
        """What is left to do with one image."""
        answer = self.many([draft])
        return answer if isinstance(answer, OdmError) else answer[0]


class Finisher:
    """Probabilities → outcomes."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages

    def __call__(self, batch: pa.Table) -> pa.Table:
        results = [
            result or pickle.dumps(finish_one(self.stages, pickle.loads(task)))
            for result, task in zip(
                batch["result"].to_pylist(), batch["task"].to_pylist(), strict=True
            )
        ]
        return pa.table({"result": pa.array(results, pa.binary())})


def read_one(stages: Stages, one: Input) -> Answer:
    """One input, in this process."""
    return perform(stages, Task(one))


def finish_one(stages: Stages, task: Task) -> Result | Death:
    """One outcome, in this process."""
    answer = perform(stages, task)
    assert not isinstance(answer, Draft)
    return answer


def _row(**values: Any) -> pa.Table:
    return pa.table({name: pa.array([value], pa.large_binary()) for name, value in values.items()})
