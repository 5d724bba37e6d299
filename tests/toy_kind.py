"""A kind of input that the package does not know: text files of numbers, whose peaks are found.

One module and one entry of the registry are all that it takes; no code of the package is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from odm.catalog.fields import field
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.catalog.selection import Listing
from odm.core.errors import ArchiveError
from odm.core.kinds import Kind
from odm.core.settings import Options
from odm.reprocess.inference import Images, Inference
from odm.reprocess.order import Preparation
from odm.reprocess.request import ModelOptions
from odm.reprocess.stages import Draft, Stages, pixel_shares

LENGTH = 8

TOYS = OutcomeKind(
    name="toys",
    inputs="number files",
    findings="peaks",
    key=(field("series", pa.string(), "series that the file name tells"),),
    finding=pa.schema(
        [
            field("peak_id", pa.string(), "file and place"),
            field("place", pa.int32(), "place of the peak", "1"),
            field("height", pa.float64(), "height of the peak", "1"),
            field("confidence", pa.float64(), "height of 255", "1"),
        ]
    ),
    box=(("place", "place", 1.0),),
    largest="height",
    shown=("peak_id", "place", "height"),
)


class ToyOptions(Options):
    """How peaks are found."""

    threshold: int = 100


def list_toys(archive: str) -> Listing:
    """The text files of a folder."""
    inputs = [
        Input(
            identity=path.stem,
            name=path.name,
            path=str(path),
            source=path.name,
            size=path.stat().st_size,
            modified_ns=path.stat().st_mtime_ns,
            key={"series": path.stem[0]},
        )
        for path in sorted(Path(archive).glob("*.txt"))
    ]
    return Listing(tuple(inputs), (None,) * len(inputs))


@dataclass(frozen=True)
class ToyStages(Stages):
    """Reads numbers, and finishes them with peaks."""

    threshold: int
    kind: ClassVar[OutcomeKind] = TOYS

    def is_clear(self, seen: Images) -> bool:
        """See `Stages`."""
        return bool(seen.max() < self.threshold)

    def _read(self, input: Input) -> Draft:
        try:
            numbers = np.array(Path(input.path).read_text().split(), dtype=np.uint8)
        except ValueError:
            raise ArchiveError(input.path, "holds something that is no number") from None
        image = np.resize(numbers, (1, LENGTH))
        return Draft(input, image, numbers.size, pixel_shares(image, 1.0))

    def _finish(self, draft: Draft, seen: Images | None) -> pa.Table:
        row = [] if seen is None else seen[0].tolist()
        peaks = [
            {
                "peak_id": f"{draft.input.identity}_{place}",
                "place": place,
                "height": float(height),
                "confidence": height / 255,
            }
            for place, height in enumerate(row)
            if height >= self.threshold
        ]
        return outcome_table(self.kind, draft.input, findings=peaks, shares=draft.shares)


@dataclass(frozen=True)
class ToyInference(Inference):
    """A model that sees what it is shown."""

    def deciding(self) -> dict[str, Any]:
        """See `Inference`."""
        return {"precision": self.options.precision}

    def load(self, threads: int = 0) -> ToyModel:
        """See `Inference`."""
        return ToyModel()


class ToyModel:
    """See `odm.reprocess.inference.ImageModel`."""

    batch = 2

    def __call__(self, images: Images) -> Iterable[Images]:
        """The images."""
        return list(images)


def prepare_toys(model: ModelOptions, options: ToyOptions) -> Preparation[ToyStages]:
    """What options mean."""
    inference = ToyInference("0" * 64, model)
    settings = {"threshold": options.threshold}
    return Preparation(ToyStages(options.threshold), inference, "looking", settings)


def describe_peak(row: Mapping[str, Any]) -> str:
    """A peak in one line."""
    return f"{row['peak_id']}, {row['height']:.0f} high"


def draw_peaks(
    path: str, archive: str, source: str, peaks: Sequence[Mapping[str, Any]], label: str
) -> None:
    """Draw peaks; a picture of text is enough here."""
    lines = [label, *(describe_peak(row) for row in peaks)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join([str(Path(archive) / source), *lines]))


TOY = Kind(
    "toys",
    input="number file",
    inputs="number files",
    findings="peaks",
    parts={
        "outcome": "tests.toy_kind:TOYS",
        "list": "tests.toy_kind:list_toys",
        "describe": "tests.toy_kind:describe_peak",
        "picture": "tests.toy_kind:draw_peaks",
        "options": "tests.toy_kind:ToyOptions",
        "prepare": "tests.toy_kind:prepare_toys",
    },
)
