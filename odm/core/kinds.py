"""What each room offers for each kind of input and for each training task, by import path.

A campaign, a data set, a training and a report pass through the same code whatever their inputs
are. Where that code needs something of one kind (how its archive is listed, what its outcomes
hold, how it is drawn), it asks the entry of that kind here for the part by its role. Parts are
import paths, ``module:attribute``, and are loaded when first asked for: so no room imports one
above it, and listing an archive never imports torch. Another kind is one entry, and one module in
each room that its roles name; `tests/test_kinds.py` holds it to this table.

=================  ============  =================================================================
role of a kind     room          part
=================  ============  =================================================================
outcome            catalog       `odm.catalog.outcomes.OutcomeKind`: the schema of its outcomes
list               catalog       archive → `odm.catalog.selection.Listing`
describe           catalog       row of a finding → one line of text
picture            findings      draws findings on their input: path of the PNG, archive, source,
                                 rows, label
options            reprocess     `odm.core.settings.Options`: how findings are found
prepare            reprocess     model and options → `odm.reprocess.order.Preparation`, with the
                                 stages that read, make an image, and finish
samples            training      what a training reads
archive            archive       archive → listing of its files, as data sets take it
dataset            datasets      data sets of the kind
inspect            commands      what `odm inspect` says of a file
report             report        what `odm report` writes of a campaign
annotations        report        writes what a reviewer drew
score              scoring       scores a campaign against the truth
mask thresholds    findings      how a map of probability becomes findings; only half-orbits
drawn              training      data sets that are drawn while a training runs; only half-orbits
=================  ============  =================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar

from odm.core.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A name, and the parts that rooms offer for it.

    Attributes:
        name: as on the command line and in files.
        parts: import path, ``module:attribute``, by role.
    """

    name: str
    parts: Mapping[str, str] = field(default_factory=dict)

    def load(self, role: str) -> Any:
        """Load the part of a role.

        Raises:
            InputError: there is none of that role.
        """
        if role not in self.parts:
            raise InputError(f"{self.name} have no {role}")
        module, _, attribute = self.parts[role].partition(":")
        return getattr(import_module(module), attribute)

    def has(self, role: str) -> bool:
        """Whether there is a part of that role."""
        return role in self.parts


@dataclass(frozen=True)
class Kind(Entry):
    """A kind of input.

    Attributes:
        input: what one is called.
        inputs: what several are called.
        findings: what is found in them.
    """

    input: str = ""
    inputs: str = ""
    findings: str = ""


AnyEntry = TypeVar("AnyEntry", bound=Entry)


class Registry(Generic[AnyEntry]):
    """Entries by name."""

    def __init__(self, what: str, *entries: AnyEntry) -> None:
        self.what = what
        self._entries = {entry.name: entry for entry in entries}

    def __iter__(self) -> Iterator[AnyEntry]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def find(self, name: str) -> AnyEntry:
        """Return the entry of a name.

        Raises:
            InputError: this version knows none of that name.
        """
        if name not in self._entries:
            known = ", ".join(self._entries)
            raise InputError(f"unknown {self.what} {name!r}: this version of odm knows {known}")
        return self._entries[name]

    @contextmanager
    def added(self, entry: AnyEntry) -> Iterator[AnyEntry]:
        """Add an entry for the duration of the context."""
        before = dict(self._entries)
        self._entries[entry.name] = entry
        try:
            yield entry
        finally:
            self._entries = before


ORBITS = Kind(
    "orbits",
    input="half-orbit",
    inputs="half-orbits",
    findings="regions",
    parts={
        "outcome": "odm.catalog.orbit.inputs:ORBITS",
        "list": "odm.catalog.orbit.inputs:list_orbit_inputs",
        "samples": "odm.training.samples:HALF_ORBITS",
        "archive": "odm.archive.orbit.listing:list_orbits",
        "dataset": "odm.datasets.orbit:OrbitDataset",
        "drawn": "odm.training.drawn.dataset:DrawnDataset",
        "inspect": "odm.commands.inspect_orbit:inspect_orbit",
        "mask thresholds": "odm.findings.regions:RegionSettings",
        "report": "odm.report.orbit.report:OrbitReport",
        "annotations": "odm.report.orbit.annotations:MaskWriter",
        "describe": "odm.catalog.orbit.regions:describe_region",
        "picture": "odm.findings.pictures:draw_regions",
        "options": "odm.reprocess.request:RegionOptions",
        "prepare": "odm.reprocess.orbit:prepare_regions",
        "score": "odm.scoring.orbit.campaign:score_regions",
    },
)
IONOGRAMS = Kind(
    "ionograms",
    input="ionogram",
    inputs="ionograms",
    findings="layers",
    parts={
        "outcome": "odm.catalog.ionogram.inputs:IONOGRAMS",
        "list": "odm.catalog.ionogram.inputs:list_ionogram_inputs",
        "samples": "odm.training.samples:IONOGRAMS",
        "archive": "odm.archive.ionogram.listing:list_ionograms",
        "dataset": "odm.datasets.ionogram:IonogramDataset",
        "inspect": "odm.commands.inspect_ionogram:inspect_ionogram",
        "report": "odm.report.ionogram.report:IonogramReport",
        "annotations": "odm.report.ionogram.annotations:BoxWriter",
        "describe": "odm.catalog.ionogram.layers:describe_layer",
        "picture": "odm.findings.pictures:draw_layers",
        "options": "odm.reprocess.request:LayerOptions",
        "prepare": "odm.reprocess.ionogram:prepare_layers",
        "score": "odm.scoring.ionogram.campaign:score_layers",
    },
)
KINDS = Registry("kind of input", ORBITS, IONOGRAMS)

SEGMENTER = Entry(
    "segmenter",
    parts={
        "settings": "odm.training.settings:SegmenterSettings",
        "task": "odm.training.masks:MaskTask",
        "options": "odm.models.networks.segmenters:resolve_options",
        "searched inputs": "odm.core.kinds:ORBITS",
        "parameters": "tuning.spaces:SEGMENTER_PARAMETERS",
        "objectives": "tuning.objectives:SEGMENTER_OBJECTIVES",
        "evaluate": "odm.scoring.orbit.evaluate:SegmenterBench",
        "predictions": "tuning.thresholds:RegionMaps",
    },
)
DETECTOR = Entry(
    "detector",
    parts={
        "settings": "odm.training.settings:DetectorSettings",
        "task": "odm.training.boxes:BoxTask",
        "options": "odm.models.networks.detector:resolve_options",
        "searched inputs": "odm.core.kinds:IONOGRAMS",
        "parameters": "tuning.spaces:DETECTOR_PARAMETERS",
        "objectives": "tuning.objectives:DETECTOR_OBJECTIVES",
        "evaluate": "odm.scoring.ionogram.evaluate:DetectorBench",
        "predictions": "tuning.thresholds:BoxOutputs",
    },
)
TASKS = Registry("training task", SEGMENTER, DETECTOR)
