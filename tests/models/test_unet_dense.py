"""`unet_dense` keeps the contract, and sees images of two channels on every engine."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from odm.core.errors import InputError
from odm.models.engines import missing_packages
from odm.models.networks.segmenters import create_model
from odm.models.predictor import Predictor
from tests.models.contract import Options, SegmentationContract, settle

SMALL: Options = {"widths": (4, 8, 8)}


class TestUnetDense(SegmentationContract):
    name = "unet_dense"

    def test_its_size_is_the_measured_one(self, model) -> None:
        assert sum(p.numel() for p in model.parameters()) == pytest.approx(0.92e6, rel=0.01)
        assert model.multiple == 32 and model.in_channels == 2


class TestUnetDenseOfTwoLevels(SegmentationContract):
    name = "unet_dense"
    options: ClassVar[Options] = {"widths": (8, 16), "in_channels": 1, "classes": 3}
    size = (36, 52)


@pytest.mark.parametrize("widths", [(16,), (16, 0)])
def test_widths_that_cannot_be(widths: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="widths"):
        create_model("unet_dense", widths=widths)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    images = np.random.default_rng(0).integers(1, 256, (3, 32, 64, 2)).astype(np.uint8)
    images[:, :, 50:] = 0
    return images


@pytest.mark.parametrize("engine", ["eager", "onnx", "openvino"])
def test_images_of_two_channels_on_every_engine(engine: str, images: np.ndarray) -> None:
    if missing_packages(engine):
        pytest.skip(f"{engine} is not installed")
    torch.manual_seed(0)
    model = settle(create_model("unet_dense", **SMALL), (32, 64))
    seen = Predictor(model, batch=2, engine=engine, device="cpu")(images)
    expected = model.predict(images.transpose(0, 3, 1, 2))[:, 1] * 255
    assert seen.shape == (3, 32, 64)
    assert np.abs(seen.astype(float) - expected).max() <= 0.8
    assert seen.std() > 1


def test_a_flip_reverses_time_and_no_channel(images: np.ndarray) -> None:
    model = settle(create_model("unet_dense", **SMALL), (32, 64))
    predict = Predictor(model, engine="eager", device="cpu", flip=True)
    mirrored = predict(np.ascontiguousarray(images[:, :, ::-1]))
    assert np.array_equal(mirrored[:, :, ::-1], predict(images))


def test_images_of_other_channels_are_refused(images: np.ndarray) -> None:
    predict = Predictor(create_model("unet", in_channels=3, encoder="resnet18"), engine="eager")
    with pytest.raises(InputError, match="built for 3 input channels, not 2"):
        predict(images)


def test_a_stream_keeps_its_order(images: np.ndarray) -> None:
    model = settle(create_model("unet_dense", **SMALL), (32, 64))
    predict = Predictor(model, batch=2, engine="eager", device="cpu")
    answers = dict(predict.stream((number, image) for number, image in enumerate(images)))
    assert np.array_equal(np.stack([answers[n] for n in range(3)]), predict(images))
