"""ODM_Unet: the segmentation model of the first paper, with every open choice an option.

MobileNetV3 encoder with omni-dimensional dynamic convolutions, semantics-and-detail-infusion skip
connections, Unet decoder with concurrent spatial and channel squeeze and excitation. The paper
(section 3) does not say which convolutions are dynamic, with how many kernels, which levels are
infused or how many channels they have. The default takes all it names at their reference values:
all four attention dimensions of its figure 5 appear only if depthwise and 1x1 convolutions are
dynamic and the bank holds more than one kernel.
"""

from typing import Any, Literal

from pydantic import Field, field_validator
from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_head
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.models.networks.base import SegmentationModel
from odm.models.networks.decoder import prune_unused, unet_decoder
from odm.models.networks.odconv import ODConv2d, odconv_layers
from odm.models.networks.options import EncoderOptions
from odm.models.networks.pretrained import create_encoder
from odm.models.networks.sdi import SDI

STRIDES = (2, 4, 8, 16, 32)
SDI_LEVELS: dict[str, tuple[int, ...]] = {"off": (), "4-32": STRIDES[1:], "all": STRIDES}


class OdmUnetOptions(EncoderOptions):
    """Options of `odm_unet`."""

    encoder: str = "tu-mobilenetv3_large_100"
    odconv: Literal["none", "depthwise", "pointwise", "all"] = "all"
    """Which convolutions of the encoder become dynamic; never the stem, nor those of its SE."""
    odconv_kernels: Literal[1, 2, 4] = 4
    """n, kernels in each bank."""
    odconv_reduction: int = Field(default=16, ge=1)
    """1 / r of ODConv: its attentions' hidden width is C_in // 16, at least 16."""
    odconv_norm: Literal["batch", "layer"] = "batch"
    """Normalisation in the attentions; "layer" can train on a batch of 1."""
    odconv_noise: float = Field(default=0.01, ge=0)
    """Relative noise on pretrained weights copied to the n kernels, so that they part."""
    squeeze_excite: bool = True
    """Keep the encoder's own channel attention."""
    sdi_strides: tuple[int, ...] = STRIDES
    """Levels that are infused; also "off", "4-32" or "all". The others are passed unchanged."""
    sdi_channels: int = Field(default=32, ge=1)
    """c, channels of an infused level."""
    sdi_norm: bool = False
    """Batch normalisation after SDI's product."""
    sdi_around_one: bool = False
    """Factors of SDI's product start around 1 instead of 0; trained weights are what they are."""
    sdi_product: Literal["float32", "bfloat16"] = "float32"
    """dtype of SDI's product."""
    decoder_channels: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    """Channels of the decoder's blocks, deepest first."""
    scse: bool = True
    """SCSE in the decoder."""

    @field_validator("sdi_strides", mode="before")
    @classmethod
    def _levels(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in SDI_LEVELS:
                raise ValueError(f"choose from {', '.join(SDI_LEVELS)}, or give strides")
            return SDI_LEVELS[value]
        return value

    @field_validator("sdi_strides")
    @classmethod
    def _strides(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not set(value) <= set(STRIDES) or len(set(value)) != len(value):
            raise ValueError("SDI strides are different ones of 2, 4, 8, 16, 32")
        return tuple(sorted(value))


class OdmUnetSmallOptions(OdmUnetOptions):
    """Options of `odm_unet_small`: for training and campaigns on CPUs.

    One input channel, half the SDI channels and a narrow decoder; the products are normalised and
    their factors start around 1, which costs nothing and lets it learn from the first step. The
    attentions of ODConv are normalised by layer: the running statistics of one value an image, from
    batches of 8, are too far off to predict with.
    """

    in_channels: int = Field(default=1, ge=1)
    encoder: str = "tu-mobilenetv3_small_100"
    odconv: Literal["none", "depthwise", "pointwise", "all"] = "depthwise"
    odconv_norm: Literal["batch", "layer"] = "layer"
    sdi_channels: int = Field(default=16, ge=1)
    sdi_norm: bool = True
    sdi_around_one: bool = True
    decoder_channels: tuple[int, int, int, int, int] = (96, 64, 32, 24, 16)


class OdmUnet(SegmentationModel):
    """Encoder, infused skip connections, decoder, head.

    The encoder's features at strides 2 to 32 are what SDI and the decoder use. At stride 1 there
    is the image itself: it is no feature, so neither uses it, and the decoder's last block has no
    skip connection. SDI replaces the features of its levels, the deepest one included; a level
    that is left out reaches the decoder as the encoder gave it.

    Args:
        options: see `OdmUnetOptions`.
        architecture: name that `create_segmenter` knows.

    Raises:
        InputError: for an encoder that is not known, has no features at strides 2 to 32, or in
            which there is nothing that `odconv` or `squeeze_excite` could change.
    """

    def __init__(self, options: OdmUnetOptions, architecture: str = "odm_unet") -> None:
        super().__init__(
            architecture,
            options.model_dump(mode="json"),
            in_channels=options.in_channels,
            classes=options.classes,
            multiple=STRIDES[-1],
        )
        encoder: Any = create_encoder(
            options.encoder, in_channels=options.in_channels, pretrained=options.pretrained
        )
        self.encoder = encoder
        channels: list[int] = list(encoder.out_channels)
        if len(channels) != len(STRIDES) + 1 or min(channels) < 1:
            raise InputError(
                f"{architecture} needs an encoder with features at strides 2, 4, 8, 16 and 32; "
                f"{options.encoder!r} has none at one of them."
            )
        if not options.squeeze_excite:
            drop_squeeze_excite(self.encoder, options.encoder)
        make_dynamic(self.encoder, options)
        # The attentions normalise one value a channel and image; all else has whole maps.
        self.single = not any(
            isinstance(layer.attention.norm, nn.BatchNorm1d) for layer in odconv_layers(self)
        )
        self.levels = [STRIDES.index(stride) + 1 for stride in options.sdi_strides]
        self.sdi: SDI | None = None
        if self.levels:
            self.sdi = SDI(
                [channels[level] for level in self.levels],
                options.sdi_channels,
                product=options.sdi_product,
                norm=options.sdi_norm,
                around_one=options.sdi_around_one,
            )
            for level in self.levels:
                channels[level] = options.sdi_channels
        self.decoder = unet_decoder(channels, options.decoder_channels, scse=options.scse)
        self.head = SegmentationHead(options.decoder_channels[-1], options.classes, kernel_size=3)
        initialize_head(self.head)
        # Some encoders keep their classifier's last layers.
        prune_unused(self, options.in_channels)

    def logits(self, x: Tensor) -> Tensor:
        """Map `x` (B, in_channels, H, W), H and W multiples of 32, to (B, classes, H, W)."""
        features: list[Tensor] = list(self.encoder(x))
        if self.sdi is not None:
            infused = self.sdi([features[level] for level in self.levels])
            for level, feature in zip(self.levels, infused, strict=True):
                features[level] = feature
        return self.head(self.decoder(features))


def make_dynamic(encoder: nn.Module, options: OdmUnetOptions) -> None:
    """Replace an encoder's static convolutions by ODConv, in place.

    The stem (the first convolution) stays static, as in the reference networks of the ODConv
    paper, and so do convolutions with a bias, which are those of squeeze and excitation.

    Raises:
        InputError: if a convolution's padding depends on the image, as in TensorFlow's weights,
            or none can be replaced.
    """
    if options.odconv == "none":
        return
    convolutions = [
        (name, module) for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d)
    ]
    for name, conv in convolutions[1:]:
        if conv.bias is not None or not _chosen(conv, options.odconv):
            continue
        if type(conv) is not nn.Conv2d:
            raise InputError(
                f"Encoder {options.encoder!r} has a {type(conv).__name__} ({name}), which ODConv "
                "cannot replace: choose an encoder with fixed padding, or odconv='none'."
            )
        settings: dict[str, Any] = {
            "n": options.odconv_kernels,
            "reduction": options.odconv_reduction,
            "norm": options.odconv_norm,
        }
        if options.pretrained == "none":
            dynamic = ODConv2d.like(conv, **settings)
        else:
            dynamic = ODConv2d.from_static(conv, noise=options.odconv_noise, **settings)
        parent, _, leaf = name.rpartition(".")
        setattr(encoder.get_submodule(parent), leaf, dynamic)
    if not any(odconv_layers(encoder)):
        raise InputError(
            f"Encoder {options.encoder!r} has no convolution that odconv={options.odconv!r} could "
            "make dynamic (without a bias, after the first): choose another policy or encoder, or "
            "odconv='none'."
        )


def drop_squeeze_excite(encoder: nn.Module, name: str) -> None:
    """Replace the squeeze-and-excitation modules of a timm encoder by identities, in place.

    Args:
        encoder: changed.
        name: of the encoder, for the message.

    Raises:
        InputError: if it has none that is known as such.
    """
    having = [
        module
        for module in encoder.modules()
        if isinstance(getattr(module, "se", None), nn.Module)
        and not isinstance(module.se, nn.Identity)
    ]
    if not having:
        raise InputError(
            f"Encoder {name!r} has no squeeze and excitation that could be dropped: leave "
            "squeeze_excite as it is, or choose an encoder of timm (tu-...) that has it."
        )
    for module in having:
        module.se = nn.Identity()


def _chosen(conv: nn.Conv2d, policy: str) -> bool:
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    if policy == "depthwise":
        return depthwise
    if policy == "pointwise":
        return not depthwise and tuple(conv.kernel_size) == (1, 1)
    return True
