"""What is true of a half-orbit, from a folder of labels or a simulated archive, for scoring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.reader import Orbit
from odm.core.errors import InputError
from odm.core.files import exists, join, read_bytes
from odm.datasets.labels.regions import RegionLabels, load_region_labels
from odm.findings.outlines import Mask, bounding_box
from odm.findings.regions import Region, RegionSettings, region_rows, regions_from_mask
from odm.scoring.orbit.tally import Confuser, Finding

MODEL = "truth"
NUCLEI, CONFUSERS = "truth.parquet", "confusers.parquet"
_CONTRAST = ("time_peak", "frequency_peak", "contrast_db")
_EXTENT = ("kind", "time_start", "time_end", "frequency_min", "frequency_max")

Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Truth:
    """Labels of half-orbits, with what a simulator knows beyond them.

    Attributes:
        annotations: masks, and which half-orbits were looked at.
        nuclei: by file name: peak and contrast of every nucleus; empty for people's labels.
        confusers: by file name: kind and extent of everything else; empty for people's labels.
    """

    annotations: RegionLabels
    nuclei: Rows = field(default_factory=dict)
    confusers: Rows = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str) -> Truth:
        """Read a folder of imported labels, or a simulated archive.

        Raises:
            InputError: it is neither.
        """
        nuclei, confusers = join(folder, NUCLEI), join(folder, CONFUSERS)
        return cls(
            annotations=load_region_labels(folder),
            nuclei=_rows_by_file(nuclei, _CONTRAST) if exists(nuclei) else {},
            confusers=_rows_by_file(confusers, _EXTENT) if exists(confusers) else {},
        )

    def knows(self, key: OrbitKey) -> bool:
        """Whether anybody has looked at this half-orbit."""
        return key.stem in self.annotations.images

    def regions(
        self, orbit: Orbit, settings: RegionSettings, shown: Mask | None = None
    ) -> list[Region]:
        """Return the true regions of a half-orbit.

        A nucleus across a gap is one on either side, a piece below the minimum area is none, and
        holes are filled where found regions' are: nothing that searches with ``settings`` could
        find anything else.

        Args:
            orbit: with its key; its spectra are not used.
            settings: as the found ones are searched with.
            shown: (N,) the columns that count; None for all.

        Raises:
            AnnotationError: the mask is bad.
        """
        mask = self._mask(orbit, shown)
        return [] if mask is None else regions_from_mask(mask, orbit.times, settings)

    def ignored(
        self, orbit: Orbit, truth: Sequence[Mask], shown: Mask | None = None
    ) -> Mask | None:
        """Return where nobody can say whether there is a nucleus, (K, N); None for nowhere.

        Pieces of nuclei that are no true region, such as those below the minimum area, belong to
        it.

        Args:
            orbit: with its key.
            truth: masks of its true regions.
            shown: (N,) the columns that count; None for all.

        Raises:
            AnnotationError: the mask is bad.
        """
        mask = self._mask(orbit, shown)
        if mask is None:
            return None
        ignored = undecided(mask, truth)
        return ignored if ignored.any() else None

    def _mask(self, orbit: Orbit, shown: Mask | None) -> NDArray[np.uint8] | None:
        assert orbit.key is not None
        image = self.annotations.images[orbit.key.stem]
        if image.mask_path is None:
            return None
        rows, columns = orbit.shape
        mask = image.mask((columns, rows))
        if shown is not None:
            mask[:, ~shown] = 0
        return mask

    def findings(
        self, orbit: Orbit, settings: RegionSettings, shown: Mask | None = None
    ) -> list[Finding]:
        """Return the same `regions`, measured in their file as a model's are.

        Of two pieces of one nucleus, only the one that holds the peak has its contrast.

        Raises:
            ArchiveError, AnnotationError: the file or the mask is bad.
        """
        assert orbit.key is not None
        regions = self.regions(orbit, settings, shown)
        kept, measured = region_rows(
            orbit.path, regions, source=orbit.key.name, model=MODEL, components="z"
        )
        findings = []
        for region, row in zip(kept, measured, strict=True):
            contrast = _contrast(region.mask, orbit, self.nuclei.get(orbit.key.name, []))
            findings.append(Finding(region.mask, {**row, "contrast_db": contrast}))
        return findings

    def confusers_of(self, orbit: Orbit, shown: Mask | None = None) -> list[Confuser]:
        """Return the extents of all confusers in native rows and columns of a half-orbit's masks.

        Those in no column of ``shown`` (N,) are left out.
        """
        assert orbit.key is not None
        last = orbit.frequency.size - 1
        extents = []
        for row in self.confusers.get(orbit.key.name, []):
            start, end = (np.datetime64(row[name], "ns") for name in ("time_start", "time_end"))
            columns = np.searchsorted(orbit.times, [start, end + 1])
            low, high = np.searchsorted(
                orbit.frequency, [row["frequency_min"] - 1e-6, row["frequency_max"] + 1e-6]
            )
            if shown is not None and not shown[slice(*columns)].any():
                continue
            if columns[0] < columns[1] and low < high:  # not lost in a gap
                extents.append(
                    Confuser(
                        str(row["kind"]),
                        slice(int(last - high + 1), int(last - low + 1)),
                        slice(int(columns[0]), int(columns[1])),
                    )
                )
        return extents


def undecided(mask: NDArray[np.uint8], truth: Sequence[Mask]) -> Mask:
    """Return where a mask (K, N) is ignored, or holds a nucleus that is no true region, (K, N)."""
    left: Mask = mask != 0
    for region in truth:
        left &= ~region
    return left


def _contrast(mask: np.ndarray, orbit: Orbit, nuclei: list[dict[str, Any]]) -> float:
    lines, columns = bounding_box(mask)
    for row in nuclei:
        column = int(np.searchsorted(orbit.times, np.datetime64(row["time_peak"], "ns")))
        index = int(np.searchsorted(orbit.frequency, row["frequency_peak"] - 1e-6))
        line = orbit.frequency.size - 1 - index
        inside = lines.start <= line < lines.stop and columns.start <= column < columns.stop
        if inside and mask[line, column]:
            return float(row["contrast_db"])
    return float("nan")


def _rows_by_file(path: str, columns: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Return rows of a table by the file that they are from; times as ns since 1970."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    needed = ["source", *columns]
    try:  # the schema first: a reader's own words on what is missing are no sentence
        file = pq.ParquetFile(io.BytesIO(read_bytes(path)))
        missing = sorted(set(needed) - set(file.schema_arrow.names))
        if missing:
            what = "columns" if len(missing) > 1 else "column"
            raise InputError(f"{path}: not a table of truth, it has no {what} {', '.join(missing)}")
        table = file.read(columns=needed)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a table of truth ({error})") from None
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            stamps = table.column(number).cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64())
            table = table.set_column(number, column.name, stamps)
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        by_file[row["source"].rpartition("/")[2]].append(row)
    return dict(by_file)
