"""Which models look at ionograms: a detector, or a pipeline of a detector and a segmenter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from odm.core.errors import InputError
from odm.findings.edges import CLASSES, EdgeMethod, EdgeSettings
from odm.reprocess.model import ModelSettings, check_words, find_model, window_of

if TYPE_CHECKING:
    from odm.images.ionogram import IonogramImageSettings
    from odm.models.card import ModelCard

ISOLATIONS = ("boxes", "segments")
NO_EDGE = "none"


@dataclass(frozen=True)
class LayerModels:
    """What looks at ionograms, and what is computed from what it sees.

    Attributes:
        settings: for the runner.
        card: of the detector; of a pipeline under its own digest and both names.
        image: how an ionogram becomes an image.
        edges: how edges are found; None for none.
    """

    settings: ModelSettings
    card: ModelCard
    image: IonogramImageSettings
    edges: EdgeSettings | None


def find_layer_models(
    folder: str | None,
    *,
    threshold: float | None = None,
    layers: str | None = None,
    edge: str = "path",
    **how: Any,
) -> LayerModels:
    """The models that are named.

    Args:
        folder: of a detector or a pipeline; None for the pipeline of the package, or its detector
            where no segments are asked for.
        threshold: least confidence of a layer; None for the model's own.
        layers: ``boxes`` or ``segments``: how a layer is cut out for its edge; None for segments
            where the folder is a pipeline with a segmenter.
        edge: ``path``, ``feng``, or ``none``.
        how: ``precision``, ``batch``, ``engine`` and ``device`` of `ModelSettings`.

    Raises:
        InputError: no model of that kind, or a setting that cannot be meant.
    """
    from odm.models.boxes import BoxSettings
    from odm.models.shipped import model_folder, shipped_model

    check_words(how)
    if folder is None:
        boxes_alone = layers == "boxes" or edge == NO_EDGE
        folder = str(shipped_model("detector" if boxes_alone else "pipeline"))
    cards, card, folder = _cards(model_folder(folder), how)
    detector = cards["detector"]
    edges = _edge_settings(layers, edge, "segmenter" in cards, folder)
    segments = edges is not None and edges.layers == "segments"
    image = window_of(detector)
    if edges is not None:
        _check_classes(cards, segments)
    if segments:
        from odm.findings.layer_segments import check_window

        check_window(window_of(cards["segmenter"]), image)
    boxes = BoxSettings.from_dict(detector.thresholds)
    if threshold is not None:
        boxes = replace(boxes, threshold=threshold)
    settings = ModelSettings(folder, card.digest, boxes=boxes.to_dict(), segments=segments, **how)
    return LayerModels(settings, card, image, edges)


def _cards(folder: str, how: dict[str, Any]) -> tuple[dict[str, ModelCard], ModelCard, str]:
    """Cards by role, the one of the whole, and the folder."""
    from odm.models.pipeline import is_pipeline, read_cards, read_digest

    if not is_pipeline(folder):
        found, card = find_model(folder, "detector", **how)
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


def _edge_settings(
    layers: str | None, edge: str, has_segmenter: bool, folder: str
) -> EdgeSettings | None:
    if edge not in (*get_args(EdgeMethod), NO_EDGE):
        raise InputError(f"edge {edge!r}: give {', '.join(get_args(EdgeMethod))} or {NO_EDGE}")
    if layers is not None and layers not in ISOLATIONS:
        raise InputError(f"layers {layers!r}: give {' or '.join(ISOLATIONS)}")
    if edge == NO_EDGE:
        if layers is not None:
            raise InputError("layers are cut out for edges: give no --layers with --edge none")
        return None
    if layers == "segments" and not has_segmenter:
        raise InputError(
            f"{folder} has no segmenter: give a pipeline (odm pipeline), or --layers boxes"
        )
    chosen = layers or ("segments" if has_segmenter else "boxes")
    return EdgeSettings(method=edge, layers=chosen)  # type: ignore[arg-type]


def _check_classes(cards: dict[str, ModelCard], segments: bool) -> None:
    """Edges know two layers, and a segmenter's classes have no names."""
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
