"""Segmentation methods by name: ODM_Unet, its rivals, `unet_dense`, methods without learning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor

from odm.core.errors import InputError
from odm.core.text import unknown_name
from odm.models.networks.base import SegmentationModel, Segmenter
from odm.models.networks.classical import CLASSICAL, create_classical
from odm.models.networks.decoder import prune_unused
from odm.models.networks.odm_unet import OdmUnet, OdmUnetOptions, OdmUnetSmallOptions
from odm.models.networks.options import EncoderOptions, parse_options
from odm.models.networks.pretrained import build_around, load_encoder
from odm.models.networks.unet_dense import UnetDense, UnetDenseOptions

ODM_UNETS: dict[str, type[OdmUnetOptions]] = {
    "odm_unet": OdmUnetOptions,
    "odm_unet_small": OdmUnetSmallOptions,
}

DENSE = "unet_dense"


class RivalOptions(EncoderOptions):
    """Options of the other architectures."""

    encoder: str = "resnet34"


class UnetOptions(RivalOptions):
    """Options of `unet` and `unetplusplus`, whose decoders can have attention."""

    decoder_channels: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    """Channels of the decoder's blocks, deepest first."""
    scse: bool = False
    """SCSE in the decoder."""


class SameEncoderOptions(UnetOptions):
    """Options of `unet_same_encoder`: ODM_Unet without its three additions."""

    encoder: str = "tu-mobilenetv3_large_100"


class SegformerOptions(RivalOptions):
    """Options of `segformer`."""

    encoder: str = "mit_b0"


@dataclass(frozen=True)
class Rival:
    """An architecture of segmentation_models_pytorch."""

    build: Any
    options: type[RivalOptions] = RivalOptions
    single: bool = True
    """Whether it can train on a batch of 1: not where it pools the image to one pixel."""
    minimum: int = 32
    """Smallest height and width of an image."""


RIVALS: dict[str, Rival] = {
    "unet": Rival(smp.Unet, UnetOptions),
    "unetplusplus": Rival(smp.UnetPlusPlus, UnetOptions),
    "deeplabv3": Rival(smp.DeepLabV3, single=False),
    "deeplabv3plus": Rival(smp.DeepLabV3Plus, single=False),
    "linknet": Rival(smp.Linknet),
    "pspnet": Rival(smp.PSPNet, single=False),
    "fpn": Rival(smp.FPN),
    "pan": Rival(smp.PAN, single=False, minimum=128),
    "manet": Rival(smp.MAnet),
    "segformer": Rival(smp.Segformer, SegformerOptions),
    "unet_same_encoder": Rival(smp.Unet, SameEncoderOptions),
}


class SmpSegmenter(SegmentationModel):
    """An architecture of segmentation_models_pytorch.

    Args:
        architecture: a name in `RIVALS`.
        options: an instance of that rival's options.

    Raises:
        InputError: for an encoder that is not known, or that the architecture cannot use.
    """

    def __init__(self, architecture: str, options: RivalOptions) -> None:
        rival = RIVALS[architecture]
        net = _build(architecture, rival, options)
        super().__init__(
            architecture,
            options.model_dump(mode="json"),
            in_channels=options.in_channels,
            classes=options.classes,
            multiple=int(net.encoder.output_stride),
            single=rival.single,
            minimum=rival.minimum,
        )
        self.net = net

    def logits(self, x: Tensor) -> Tensor:
        """Map `x` (B, in_channels, H, W) to (B, classes, H, W)."""
        return self.net(x)


def available_segmenters(*, learned: bool | None = None) -> tuple[str, ...]:
    """Return the names that `create_segmenter` knows.

    Args:
        learned: True for models with weights, False for methods without learning, None for all.
    """
    models = (*ODM_UNETS, DENSE, *RIVALS)
    if learned is None:
        return (*models, *CLASSICAL)
    return models if learned else tuple(CLASSICAL)


def create_segmenter(name: str, **options: Any) -> Segmenter:
    """Build a segmentation method.

    Args:
        name: one of `available_segmenters()`.
        options: its options; those left out have their defaults.

    Returns:
        A `SegmentationModel` (a torch module) for a learned one.

    Raises:
        InputError: for an unknown name or option (naming the nearest), or a value that does not
            fit.
    """
    if name in CLASSICAL:
        return create_classical(name, **options)
    return create_model(name, **options)


def create_model(name: str, **options: Any) -> SegmentationModel:
    """Build a learned method; see `create_segmenter`."""
    resolved = resolve_options(name, **options)
    if isinstance(resolved, OdmUnetOptions):
        return OdmUnet(resolved, name)
    if isinstance(resolved, UnetDenseOptions):
        return UnetDense(resolved, name)
    return SmpSegmenter(name, resolved)


def resolve_options(name: str, **options: Any) -> OdmUnetOptions | UnetDenseOptions | RivalOptions:
    """Return the checked options of a learned method; see `create_segmenter`."""
    if name in ODM_UNETS:
        return parse_options(ODM_UNETS[name], name, options)
    if name == DENSE:
        return parse_options(UnetDenseOptions, name, options)
    if name in RIVALS:
        return parse_options(RIVALS[name].options, name, options)
    if name in CLASSICAL:
        raise InputError(f"{name} is a method without learning: it has nothing to train.")
    raise InputError(f"Segmenter: {unknown_name('architecture', name, available_segmenters())}")


def _build(architecture: str, rival: Rival, options: RivalOptions) -> Any:
    settings: dict[str, Any] = {}
    if isinstance(options, UnetOptions):
        settings["decoder_channels"] = list(options.decoder_channels)
        settings["decoder_attention_type"] = "scse" if options.scse else None
    net = build_around(
        options.encoder,
        options.pretrained,
        lambda weights: rival.build(
            encoder_name=options.encoder,
            encoder_weights=weights,
            in_channels=options.in_channels,
            classes=options.classes,
            **settings,
        ),
        unusable=f"{architecture} cannot use encoder {options.encoder!r}",
    )
    if options.pretrained not in ("none", "hub"):
        load_encoder(net.encoder, options.encoder, Path(options.pretrained))
    return prune_unused(net, options.in_channels, size=2 * rival.minimum)
