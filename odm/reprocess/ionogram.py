"""Campaigns of ionograms: reading them, which models look at them, their layers and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import ArchiveError, InputError
from odm.core.threads import one_thread
from odm.findings.edges import CLASSES, EdgeSettings
from odm.findings.layer_rows import IonogramFacts, edge_rows, facts_of, find_edges, layer_rows
from odm.findings.layers import SeenLayers
from odm.images.ionogram import IonogramImageSettings, ionogram_image
from odm.reprocess.inference import Images, Inference, find_model
from odm.reprocess.order import Preparation
from odm.reprocess.request import NO_EDGE, LayerOptions, ModelOptions
from odm.reprocess.stages import Draft, Stages, pixel_shares

if TYPE_CHECKING:
    from odm.findings.layers import LayerFinder, LayerSegmenter
    from odm.models.card import ModelCard
    from odm.models.folder import LoadedModel


@dataclass(frozen=True)
class IonogramStages(Stages):
    """Reading ionograms and finishing them with layers.

    Attributes:
        image: how an ionogram becomes an image, as the model says.
        model: digest of the model, for the catalog.
        edges: how leading edges are found; None to find none.
        invert: whether layers are computed from edges.
    """

    image: IonogramImageSettings
    model: str
    edges: EdgeSettings | None = None
    invert: bool = False
    kind: ClassVar[OutcomeKind] = IONOGRAMS

    @property
    def finishing_leads(self) -> bool:
        """Whether edges are found: they are ten times the work of boxes."""
        return self.edges is not None

    def is_clear(self, seen: SeenLayers) -> bool:
        """See `Stages`."""
        return not seen

    def _read(self, input: Input) -> Draft:
        ionogram = open_ionogram(input.path)
        image = ionogram_image(ionogram, self.image)
        facts = facts_of(ionogram)
        if not image.any():
            raise ArchiveError(input.path, nothing_to_see(facts, self.image))
        return Draft(input, image, facts, pixel_shares(image, float((image > 0).mean())))

    def _finish(self, draft: Draft, seen: SeenLayers | None) -> pa.Table:
        input, facts = draft.input, draft.facts
        layers = seen.layers if seen is not None else ()
        rows = layer_rows(
            layers,
            facts,
            self.image,
            identity=input.identity,
            source=input.source,
            model=self.model,
        )
        if rows and seen is not None and self.edges is not None:
            # The file once more: an ionogram is larger than its image, and would travel twice.
            ionogram = open_ionogram(input.path)
            with one_thread():
                edges = find_edges(ionogram, layers, self.edges, seen.segments, self.image)
                columns = edge_rows(edges, with_inversion=self.invert)
            rows = [row | edge for row, edge in zip(rows, columns, strict=True)]
        return outcome_table(
            self.kind, input, findings=rows, shares=draft.shares, facts=facts.columns()
        )


def nothing_to_see(facts: IonogramFacts, window: IonogramImageSettings) -> str:
    """Say why the model has nothing to look at; "clear" would not be true."""
    frequency, group_range = np.sort(facts.frequency / 1e6), np.sort(facts.group_range)
    low, high = window.frequency_min / 1e6, window.frequency_max / 1e6
    overlap = frequency[0] <= high and low <= frequency[-1]
    if overlap and group_range[0] <= window.range_max and window.range_min <= group_range[-1]:
        return (
            "no value within the model's window: what was measured there is NaN, or off the scale"
        )
    return (
        f"outside the model's window: it has {frequency[0]:g} to {frequency[-1]:g} MHz and "
        f"{group_range[0]:g} to {group_range[-1]:g} km, the window "
        f"{low:g} to {high:g} MHz and "
        f"{window.range_min:g} to {window.range_max:g} km"
    )


@dataclass(frozen=True)
class LayerInference(Inference):
    """A detector over ionograms, perhaps with a segmenter of the same pipeline.

    Attributes:
        boxes: `odm.models.boxes.BoxSettings` of the detector as plain values. They decide the
            answers, and hold the temperature.
        segments: whether the pipeline's segmenter is run too.
    """

    boxes: Mapping[str, Any] | None = None
    segments: bool = False

    def deciding(self) -> dict[str, Any]:
        """See `Inference`."""
        return {"boxes": dict(self.boxes or {}), "precision": self.options.precision}

    def networks(self) -> list[str]:
        """See `Inference`: each member of a pipeline is kept under its own digest."""
        from odm.models.pipeline import is_pipeline, read_cards

        if not is_pipeline(self.folder):
            return [self.digest]
        cards = read_cards(self.folder)
        return [cards[role].digest for role in (cards if self.segments else ["detector"])]

    def load(self, threads: int = 0) -> LayerModel:
        """See `Inference`."""
        from odm.findings.layers import LayerFinder, LayerSegmenter
        from odm.models.boxes import BoxSettings
        from odm.models.predictor import Predictor

        options = self.predictor_options(threads)
        members = self._members()
        detector = members["detector"]
        window, digest = window_of(detector.card), detector.card.digest
        boxes = BoxSettings.from_dict(dict(self.boxes or {}))
        finder = LayerFinder(Predictor(detector.model, **options, digest=digest), window, boxes)
        if not self.segments:
            return LayerModel(finder)
        segmenter = members["segmenter"]
        own, digest = window_of(segmenter.card), segmenter.card.digest
        predictor = Predictor(segmenter.model, **options, digest=digest)
        return LayerModel(finder, LayerSegmenter(predictor, own, window))

    def _members(self) -> Mapping[str, LoadedModel]:
        from odm.models.folder import load_model
        from odm.models.pipeline import is_pipeline, load_pipeline

        if not is_pipeline(self.folder):
            return {"detector": load_model(self.folder, expect={"digest": self.digest})}
        pipeline = load_pipeline(self.folder)
        if pipeline.digest != self.digest:
            raise InputError(f"{self.folder} is another pipeline than when the run began")
        return pipeline.members


class LayerModel:
    """A detector, perhaps with a segmenter: what they see needs no torch to be unpickled."""

    def __init__(self, finder: LayerFinder, segmenter: LayerSegmenter | None = None) -> None:
        self.finder, self.segmenter = finder, segmenter

    @property
    def batch(self) -> int:
        """Number of images that it computes together."""
        return self.finder.predictor.batch

    def __call__(self, images: Images) -> list[SeenLayers]:
        """Return the layers of each of images (B, H, W) uint8."""
        layers = self.finder.layers(images)
        segments = [None] * len(layers) if self.segmenter is None else self.segmenter(images)
        return [
            SeenLayers(tuple(boxes), classes)
            for boxes, classes in zip(layers, segments, strict=True)
        ]


def prepare_layers(model: ModelOptions, layers: LayerOptions) -> Preparation[IonogramStages]:
    """Find a detector or a pipeline, and say how edges are found.

    Without a folder it is the package's pipeline, or its detector where no segments are asked for.

    Raises:
        InputError: no model for ionograms, or options that do not fit it.
    """
    from odm.models.boxes import BoxSettings
    from odm.models.shipped import model_folder, shipped_model

    folder = model.folder
    if folder is None:
        boxes_alone = layers.layers == "boxes" or layers.edge == NO_EDGE
        folder = str(shipped_model("detector" if boxes_alone else "pipeline"))
    cards, card, folder = _cards(str(model_folder(folder)))
    detector = cards["detector"]
    window = window_of(detector)
    edges = _edge_settings(layers, "segmenter" in cards, folder)
    segments = edges is not None and edges.layers == "segments"
    if edges is not None:
        _check_classes(cards, segments)
    if segments:
        from odm.findings.layers import check_window

        check_window(window_of(cards["segmenter"]), window)
    boxes = BoxSettings.from_dict(detector.thresholds)
    if layers.threshold is not None:
        boxes = replace(boxes, threshold=layers.threshold)
    invert = layers.invert and edges is not None
    return Preparation(
        IonogramStages(image=window, model=card.digest, edges=edges, invert=invert),
        LayerInference(
            card.digest,
            model.model_copy(update={"folder": folder}),
            boxes=boxes.to_dict(),
            segments=segments,
        ),
        str(card.architecture["name"]),
        {
            "image": window.to_dict(),
            "classes": card.architecture["options"]["classes"],
            "edges": "none" if edges is None else asdict(edges) | {"inverted": invert},
        },
    )


def window_of(card: ModelCard) -> IonogramImageSettings:
    """Return how an ionogram becomes the image of a model."""
    return IonogramImageSettings.from_dict(dict(card.image))


def _cards(folder: str) -> tuple[dict[str, ModelCard], ModelCard, str]:
    """Return the cards by role, the card of the whole, and the folder."""
    from odm.models.pipeline import is_pipeline, read_cards, read_digest

    if not is_pipeline(folder):
        found, card = find_model(folder, "detector", IONOGRAMS.inputs)
        return {"detector": card}, card, found
    cards = read_cards(folder)
    for role in cards:
        if cards[role].architecture["kind"] != role:
            raise InputError(f"{folder}: its {role} is a {cards[role].architecture['kind']}")
    if "detector" not in cards:
        raise InputError(f"{folder} has no detector: ionograms need one")
    name = " and ".join(str(card.architecture["name"]) for card in cards.values())
    detector = cards["detector"]
    whole = {**detector.architecture, "name": name}
    return cards, replace(detector, digest=read_digest(folder), architecture=whole), folder


def _edge_settings(options: LayerOptions, has_segmenter: bool, folder: str) -> EdgeSettings | None:
    if options.edge == NO_EDGE:
        return None
    if options.layers == "segments" and not has_segmenter:
        raise InputError(
            f"{folder} has no segmenter: give a pipeline (odm pipeline), or --layers boxes"
        )
    isolation = options.layers or ("segments" if has_segmenter else "boxes")
    return EdgeSettings(method=options.edge, layers=isolation)  # type: ignore[arg-type]


def _check_classes(cards: Mapping[str, ModelCard], segments: bool) -> None:
    """Refuse models of other layers: edges know two, and a segmenter's classes have no names."""
    classes = tuple(cards["detector"].architecture["options"].get("classes", CLASSES))
    known = ", ".join(CLASSES)
    if not set(classes) <= set(CLASSES):
        raise InputError(
            f"the detector's layers are {', '.join(classes)}, and edges are known of {known} "
            "alone: give --edge none"
        )
    count = cards["segmenter"].architecture["options"].get("classes") if segments else None
    if segments and (classes != CLASSES or count != len(CLASSES) + 1):
        raise InputError(
            f"segments of layers are background, {known}: this pipeline has {count} classes and "
            f"a detector of {', '.join(classes)}"
        )
