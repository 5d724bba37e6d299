"""What runs in Ray's processes: the stages on blocks of rows.

A row travels as bytes, so that Ray need not know what is in it:

    input                          to a reader
    result, draft, image           to the model; ``result`` is set where reading has settled it
    result, work                   to a finisher
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
from odm.reprocess.inference import Inference
from odm.reprocess.runners.readers import Answer, Death, WorkItem, perform
from odm.reprocess.stages import Draft, InputResult, Stages


class Reader:
    """Inputs → images. A block of rows leaves for each, so that none grows large.

    Args:
        stages: what is done.
        root: root of the archive. A machine that does not see it, such as one that joined later
            and has not mounted it, leaves its inputs undone: to it they are all missing.
    """

    def __init__(self, stages: Stages, root: str = "") -> None:
        self.stages = stages
        self.root = root

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        local = local_path(self.root) if self.root else None
        for data in batch["input"].to_pylist():
            input: Input = pickle.loads(data)
            if local is None or local.is_dir():
                answer = perform(self.stages, WorkItem(input))
            else:
                machine = socket.gethostname()
                answer = InputResult(
                    input, undone=f"the machine {machine} does not see {self.root}"
                )
            if isinstance(answer, InputResult | Death):
                yield _row(result=pickle.dumps(answer), draft=b"", image=b"")
            else:
                assert answer.image is not None
                draft = pickle.dumps((replace(answer, image=None), answer.image.shape))
                yield _row(result=b"", draft=draft, image=answer.image.tobytes())


class Modeller:
    """Images → probabilities, in batches of one size. Its failures are rows as well."""

    def __init__(self, stages: Stages, inference: Inference, threads: int) -> None:
        self.stages = stages
        self.error: OdmError | None = None
        try:
            self.model = inference.load(threads)
        except OdmError as error:
            self.error = error
        except Exception as error:
            self.error = OdmError(f"the model cannot be loaded: {type(error).__name__}: {error}")

    def __call__(self, batch: pa.Table) -> pa.Table:
        images = batch["image"]
        drafts = {}
        for number, data in enumerate(batch["draft"].to_pylist()):
            if data:
                draft, shape = pickle.loads(data)
                pixels = np.frombuffer(images[number].as_buffer(), dtype=np.uint8)
                drafts[number] = replace(draft, image=pixels.reshape(shape))
        results = batch["result"].to_pylist()
        work = [b""] * len(results)
        answers = self.look(list(drafts.values()))
        if isinstance(answers, OdmError):
            results = [pickle.dumps(answers)] * len(results)
        else:
            for number, item in zip(drafts, answers, strict=True):
                work[number] = pickle.dumps(item)
        return pa.table(
            {"result": pa.array(results, pa.binary()), "work": pa.array(work, pa.large_binary())}
        )

    def look(self, drafts: list[Draft]) -> list[WorkItem] | OdmError:
        """Return what is left to do with read inputs; or why the model cannot say."""
        from odm.reprocess.runners.local import finishing_work

        if self.error is not None:
            return self.error
        try:
            return finishing_work(self.stages, self.model, drafts) if drafts else []
        except OdmError as error:
            return error
        except Exception as error:
            return OdmError(f"the model fails: {type(error).__name__}: {error}")


class Finisher:
    """Probabilities → outcomes."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages

    def __call__(self, batch: pa.Table) -> pa.Table:
        answers = [
            pickle.loads(result) if result else perform(self.stages, pickle.loads(item))
            for result, item in zip(
                batch["result"].to_pylist(), batch["work"].to_pylist(), strict=True
            )
        ]
        return pa.table({"result": pa.array([pack(answers)], pa.large_binary())})


def pack(answers: Sequence[Answer | OdmError]) -> bytes:
    """Pack a block of results for the driver, or the first failure of the model among them.

    Their outcomes are one table: one after the other each brings its schema along, and the driver,
    which takes all outcomes of a cluster, spends twenty times as long on it.
    """
    failed = next((answer for answer in answers if isinstance(answer, OdmError)), None)
    if failed is not None:
        return pickle.dumps(failed)
    results = [answer for answer in answers if isinstance(answer, InputResult)]
    tables = [result.outcome for result in results if result.outcome is not None]
    table = pa.concat_tables(tables).combine_chunks() if tables else None
    return pickle.dumps(([replace(result, outcome=None) for result in results], table))


def unpack(data: bytes) -> Iterator[InputResult]:
    """Unpack what `pack` has packed.

    Raises:
        OdmError: the failure of the model.
    """
    block = pickle.loads(data)
    if isinstance(block, OdmError):
        raise block
    results, table = block
    row = 0
    for result in results:
        if result.undone:
            yield result
        else:
            yield replace(result, outcome=table.slice(row, 1))
            row += 1


def root_of(input: Input) -> str:
    """Return the folder or URI of the archive that an input is in."""
    path, _, options = input.path.partition("?") if is_uri(input.path) else (input.path, "", "")
    root = path.removesuffix(input.source).rstrip("/") if path.endswith(input.source) else ""
    return f"{root}?{options}" if root and options else root


def _row(**values: Any) -> pa.Table:
    return pa.table({name: pa.array([value], pa.large_binary()) for name, value in values.items()})
