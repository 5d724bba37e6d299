"""What runs in Ray's processes: the stages on blocks of rows.

A row travels as bytes, so that Ray need not know what is in it:

    input                          to a reader
    result, draft, image           to the model; ``result`` is set where reading has settled it
    result, task                   to a finisher
    result                         to the driver: a block of them, see `pack`; a `Death` where
                                   memory ran out goes no further, and the input is done again

Readers and finishers import no torch.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from odm.catalog.outcomes import Input
from odm.core.errors import OdmError
from odm.core.files import is_uri, local_path
from odm.reprocess.model import ModelSettings, load_predictor
from odm.reprocess.runners.readers import Answer, Death, Task, perform
from odm.reprocess.stages.orbit import Draft, Result, Stages


class Reader:
    """Inputs → images. A block of rows leaves for each, so that none grows large.

    Args:
        stages: what is done.
        root: of the archive. A machine that does not see it, such as one that joined later and has
            not mounted it, leaves its inputs undone: to it they are all missing.
    """

    def __init__(self, stages: Stages, root: str = "") -> None:
        self.stages = stages
        self.root = root

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        local = local_path(self.root) if self.root else None
        for data in batch["input"].to_pylist():
            one: Input = pickle.loads(data)
            if local is None or local.is_dir():
                answer = read_one(self.stages, one)
            else:
                where = socket.gethostname()
                answer = Result(one, undone=f"the machine {where} does not see {self.root}")
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
        from odm.reprocess.runners.local import finishing_tasks

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
        answers = [
            pickle.loads(result) if result else finish_one(self.stages, pickle.loads(task))
            for result, task in zip(
                batch["result"].to_pylist(), batch["task"].to_pylist(), strict=True
            )
        ]
        return pa.table({"result": pa.array([pack(answers)], pa.large_binary())})


def pack(answers: Sequence[Result | Death | OdmError]) -> bytes:
    """A block of results, or the first failure of the model among them, for the driver.

    Their outcomes are one table: one after the other each brings its schema along, and the driver,
    which takes all outcomes of a cluster, spends twenty times as long on it.
    """
    failed = next((one for one in answers if isinstance(one, OdmError)), None)
    if failed is not None:
        return pickle.dumps(failed)
    results = [one for one in answers if isinstance(one, Result)]
    tables = [one.outcome for one in results if one.outcome is not None]
    table = pa.concat_tables(tables).combine_chunks() if tables else None
    return pickle.dumps(([replace(one, outcome=None) for one in results], table))


def unpack(data: bytes) -> Iterator[Result]:
    """Inverse of `pack`.

    Raises:
        OdmError: the model's.
    """
    found = pickle.loads(data)
    if isinstance(found, OdmError):
        raise found
    results, table = found
    at = 0
    for one in results:
        if one.undone:
            yield one
        else:
            yield replace(one, outcome=table.slice(at, 1))
            at += 1


def read_one(stages: Stages, one: Input) -> Answer:
    """One input, in this process."""
    return perform(stages, Task(one))


def root_of(one: Input) -> str:
    """The folder or URI of the archive that an input is in."""
    path, _, options = one.path.partition("?") if is_uri(one.path) else (one.path, "", "")
    root = path.removesuffix(one.source).rstrip("/") if path.endswith(one.source) else ""
    return f"{root}?{options}" if root and options else root


def finish_one(stages: Stages, task: Task) -> Result | Death:
    """One outcome, in this process."""
    answer = perform(stages, task)
    assert not isinstance(answer, Draft)
    return answer


def _row(**values: Any) -> pa.Table:
    return pa.table({name: pa.array([value], pa.large_binary()) for name, value in values.items()})
