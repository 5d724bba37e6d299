"""Methods to be evaluated: a model folder, a method without learning, or something in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odm.core.errors import InputError, OdmError
from odm.core.files import exists, join
from odm.core.kinds import SEGMENTER
from odm.findings.regions import RegionSettings, read_thresholds
from odm.images.geometry import OrbitImageSettings

if TYPE_CHECKING:
    from odm.models.card import ModelCard
    from odm.models.networks.base import Segmenter


@dataclass(frozen=True)
class SegmentationMethod:
    """A segmentation method with all that it needs to be used.

    Attributes:
        segmenter: learned or not.
        name: what to call it.
        image: the images that it was trained on; None where any will do.
        regions: how its maps become regions.
        temperature: that its logits are divided by; None where it was never calibrated.
        folder, card: its model folder, if it has one.
    """

    segmenter: Segmenter
    name: str
    image: OrbitImageSettings | None = None
    regions: RegionSettings = field(default_factory=RegionSettings)
    temperature: float | None = None
    folder: str | None = None
    card: ModelCard | None = None

    @property
    def learned(self) -> bool:
        """Whether it has weights: only then do its answers mean to be probabilities."""
        return hasattr(self.segmenter, "state_dict")

    def check_classes(self, names: Sequence[str]) -> None:
        """Compare its classes with those of annotations.

        Raises:
            OdmError: they are not as many.
        """
        if self.segmenter.classes != len(names) + 1:
            raise OdmError(
                f"the data set has {len(names)} class{'es' * (len(names) != 1)} beside the "
                f"background ({', '.join(names)}) and {self.name} {self.segmenter.classes - 1}: "
                "they cannot be compared"
            )


def open_method(model: object, *, device: str = "cpu") -> SegmentationMethod:
    """Open a model folder, or make a method without learning.

    Args:
        model: folder or URI; or a model of the package, such as ``odm_unet_small``; or ``canny``
            or ``log``, with their default options.
        device: where the weights go at first.

    Raises:
        InputError: it is neither, or the folder is damaged.
    """
    from odm.models.card import CARD, read_model_card
    from odm.models.folder import load_model
    from odm.models.networks.classical import create_classical
    from odm.models.networks.segmenters import available_segmenters
    from odm.models.shipped import model_folder

    name = model_folder(model)
    if exists(join(name, CARD)):
        kind = read_model_card(name).architecture["kind"]
        if kind != SEGMENTER.name:
            raise InputError(f"{name} is a {kind}: only a {SEGMENTER.name} can be evaluated here")
        loaded = load_model(name, device=device)
        regions, temperature = read_thresholds(loaded.card.thresholds)
        return SegmentationMethod(
            segmenter=loaded.model,
            name=loaded.card.architecture["name"],
            image=OrbitImageSettings.from_dict(dict(loaded.card.image)),
            regions=regions,
            temperature=temperature,
            folder=name,
            card=loaded.card,
        )
    if name in available_segmenters(learned=False):
        classical = create_classical(name)
        return SegmentationMethod(classical, name, regions=read_thresholds(classical.thresholds)[0])
    if name in available_segmenters(learned=True):
        raise InputError(f"{name} is an architecture: give the folder of a trained model")
    others = ", ".join(available_segmenters(learned=False))
    raise InputError(
        f"{name} is no model folder (it has no {CARD}) and no method without learning ({others})"
    )


def differing_images(own: OrbitImageSettings, others: OrbitImageSettings) -> str:
    """Return in words in which settings two images differ; nothing where they do not."""
    ours, theirs = own.to_dict(), others.to_dict()
    return ", ".join(
        f"{name} {_short(ours[name])} instead of {_short(theirs[name])}"
        for name in ours
        if ours[name] != theirs[name]
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
