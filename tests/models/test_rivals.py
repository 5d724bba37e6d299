"""The rivals keep the contract, and their sizes are the published ones."""

from typing import ClassVar

import pytest

from odm.models.networks.segmenters import RIVALS, create_model
from tests.models.contract import Options, SegmentationContract

SMALL = {"encoder": "resnet18"}


class TestUnet(SegmentationContract):
    name = "unet"
    options: ClassVar[Options] = SMALL


class TestUnetScse(SegmentationContract):
    name = "unet"
    options: ClassVar[Options] = {**SMALL, "scse": True, "classes": 3}


class TestUnetPlusPlus(SegmentationContract):
    name = "unetplusplus"
    options: ClassVar[Options] = {**SMALL, "scse": True, "decoder_channels": (64, 32, 32, 16, 16)}


class TestDeepLabV3(SegmentationContract):
    name = "deeplabv3"
    options: ClassVar[Options] = SMALL


class TestDeepLabV3Plus(SegmentationContract):
    name = "deeplabv3plus"
    options: ClassVar[Options] = {"encoder": "tu-mobilenetv3_large_100"}


class TestLinknet(SegmentationContract):
    name = "linknet"
    options: ClassVar[Options] = SMALL


class TestPspnet(SegmentationContract):
    name = "pspnet"
    options: ClassVar[Options] = SMALL


class TestFpn(SegmentationContract):
    name = "fpn"
    options: ClassVar[Options] = SMALL


class TestPan(SegmentationContract):
    name = "pan"
    options: ClassVar[Options] = {"encoder": "tu-mobilenetv3_small_100"}
    size = (128, 160)


class TestManet(SegmentationContract):
    name = "manet"
    options: ClassVar[Options] = {"encoder": "tu-mobilenetv3_small_100", "in_channels": 1}


class TestSegformer(SegmentationContract):
    name = "segformer"


class TestUnetSameEncoder(SegmentationContract):
    name = "unet_same_encoder"


def test_every_rival_has_a_contract() -> None:
    members = {member.name for member in SegmentationContract.__subclasses__()}
    assert set(RIVALS) <= members


@pytest.mark.parametrize(
    ("name", "options", "millions"),
    [
        ("unet_same_encoder", {}, 6.69),
        ("deeplabv3plus", {"encoder": "tu-mobilenetv3_large_100"}, 4.71),
        ("segformer", {}, 3.71),
        ("unet", {"encoder": "efficientnet-b0"}, 5.83),
    ],
)
def test_parameter_counts(name: str, options: dict[str, str], millions: float) -> None:
    count = sum(p.numel() for p in create_model(name, **options).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.01)
