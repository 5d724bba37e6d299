"""What a user asks of a campaign: one object, from the command line down to the stages."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from odm.catalog.selection import Selection
from odm.core.errors import InputError
from odm.core.kinds import KINDS
from odm.core.settings import Options

WORDS = {
    "engine": r"auto|eager|compile|onnx|openvino",
    "device": r"auto|cpu|mps|cuda(:\d+)?",
    "precision": r"float32|bfloat16",
}
"""Values of these options; whether an engine or a device is there is only known where it runs."""

ISOLATIONS = ("boxes", "segments")
NO_EDGE = "none"


class ModelOptions(Options):
    """Which model looks at the inputs, and how it is run.

    Attributes:
        folder: folder of the model, or name of a shipped one; None for the package's own.
        precision: ``float32``, or ``bfloat16`` on a GPU; decides the answers.
        batch: images in a call; 0 for a default that fits the device.
        engine, device: see `odm.models.predictor.Predictor`; they decide no more than rounding.
    """

    folder: str | None = None
    precision: str = "float32"
    batch: int = 0
    engine: str = "auto"
    device: str = "auto"

    @model_validator(mode="after")
    def _check_words(self) -> ModelOptions:
        if self.batch < 0:
            raise InputError(f"batch {self.batch}: give 1 or more, or 0")
        for name, words in WORDS.items():
            if not re.fullmatch(words, getattr(self, name)):
                choice = words.replace(r"(:\d+)?", " or cuda:N").replace("|", ", ")
                raise InputError(f"{name} {getattr(self, name)!r}: give {choice}")
        return self


class Workers(Options):
    """How many processes do the work; 0 for a default from the machine. No answer depends on it.

    Attributes:
        readers: processes, or CPUs of a cluster, that read and finish inputs.
        models: copies of the model, on Ray.
        threads: CPU threads of each copy of the model.
        address: address of a Ray cluster; None to start or to find one.
        object_store_mb: shared memory in MB of a Ray that is started here; 0 for Ray's default.
    """

    readers: int = 0
    models: int = 0
    threads: int = 0
    address: str | None = None
    object_store_mb: int = 0

    @field_validator("readers", "models", "threads", "object_store_mb")
    @classmethod
    def _check_number(cls, number: int, info: ValidationInfo) -> int:
        if number < 0:
            raise InputError(f"{info.field_name} {number}: give 1 or more, or 0")
        return number


class RegionOptions(Options):
    """How regions are found in half-orbits, where it differs from the model's own thresholds.

    Attributes:
        threshold, low_threshold, minimum_area, minimum_confidence: see
            `odm.findings.regions.RegionSettings`; None for the model's own.
        flip: whether the answer is averaged with that to the image reversed in time.
    """

    threshold: float | None = None
    low_threshold: float | None = None
    minimum_area: int | None = None
    minimum_confidence: float | None = None
    flip: bool = False


class LayerOptions(Options):
    """How layers and their leading edges are found in ionograms.

    Attributes:
        threshold: least confidence of a layer; None for the model's own.
        layers: ``boxes`` or ``segments``: how a layer is cut out for its edge; None for segments
            where the model is a pipeline with a segmenter.
        edge: a method of `odm.findings.edges.EdgeSettings`, or ``none``.
        invert: whether layers are computed from edges; see `odm.findings.inversion`.
    """

    threshold: float | None = None
    layers: str | None = None
    edge: str = "path"
    invert: bool = True

    @model_validator(mode="after")
    def _check_words(self) -> LayerOptions:
        from odm.findings.edges import EdgeMethod

        methods = get_args(EdgeMethod)
        if self.edge not in (*methods, NO_EDGE):
            raise InputError(f"edge {self.edge!r}: give {', '.join(methods)} or {NO_EDGE}")
        if self.layers is not None and self.layers not in ISOLATIONS:
            raise InputError(f"layers {self.layers!r}: give {' or '.join(ISOLATIONS)}")
        if self.edge == NO_EDGE and self.layers is not None:
            raise InputError("layers are cut out for edges: give no --layers with --edge none")
        return self


class ReprocessRequest(Options):
    """A model over an archive, into a campaign.

    Attributes:
        kind: name of the kind of input, such as ``orbits``.
        archive: folder or URI.
        campaign: local folder, to make or to go on with.
        findings: how findings are found: the options of the kind; None for their defaults.
        model: which model, and how it is run.
        selection: which inputs.
        workers: how many processes.
        max_quarantined: share of the selected inputs above which the work has failed.
        take_over: whether to begin even if another driver is at work.
    """

    kind: str
    archive: str
    campaign: str
    findings: Options = Field(default=None, validate_default=True)
    model: ModelOptions = ModelOptions()
    selection: Selection = Selection()
    workers: Workers = Workers()
    max_quarantined: float = 0.05
    take_over: bool = False

    @field_validator("findings", mode="before")
    @classmethod
    def _parse_findings(cls, findings: Any, info: ValidationInfo) -> Any:
        kind = KINDS.find(info.data["kind"])
        options = kind.load("options")
        if not isinstance(findings, Options):
            return options(**(findings or {}))
        if not isinstance(findings, options):
            raise InputError(f"findings: give {options.__name__} for {kind.inputs}")
        return findings

    @field_validator("max_quarantined")
    @classmethod
    def _check_share(cls, share: float) -> float:
        if not 0 <= share <= 1:
            raise InputError(f"max-quarantined {share}: give a share from 0 to 1")
        return share
