"""What every learned segmentation model has to do; a member gives its name and options."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from odm.core.errors import InputError
from odm.models.folder import load_model, save_model
from odm.models.networks.base import GREY_MEAN, GREY_STD, SegmentationModel
from odm.models.networks.odconv import TEMPERATURE_START, set_temperature
from odm.models.networks.segmenters import create_model

Options = dict[str, Any]
IMAGE = {"mode": "resized", "height": 64, "width": 64}


def example(model: SegmentationModel, batch: int, size: tuple[int, int]) -> torch.Tensor:
    """Smooth noise of different level and contrast; the first images do not depend on `batch`."""
    images = []
    for index in range(batch):
        generator = torch.Generator().manual_seed(index)
        level, contrast = torch.rand(2, generator=generator)
        shape = (1, model.in_channels, size[0] // 8, size[1] // 8)
        coarse = torch.randn(shape, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
        images.append(2 * level - 1 + (0.5 + contrast) * smooth)
    return torch.cat(images)


def settle(model: SegmentationModel, size: tuple[int, int]) -> SegmentationModel:
    """Give batch normalisation the statistics of `example`, so that a model can be evaluated.

    An untrained one has statistics that fit nothing: its answers are all but zero, or, for images
    unlike those it was settled with, so large that rounding is all that is seen.
    """
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    set_temperature(model, TEMPERATURE_START)
    with torch.no_grad():
        model.train()(example(model, 8, size))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model.eval()


class SegmentationContract:
    """Base of the contract tests. A member sets `name`, and what else it needs."""

    name: ClassVar[str]
    options: ClassVar[Options] = {}
    size: ClassVar[tuple[int, int]] = (64, 96)

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> SegmentationModel:
        torch.manual_seed(0)
        return settle(create_model(cls.name, **cls.options), cls.size)

    @pytest.fixture
    def x(self, model: SegmentationModel) -> torch.Tensor:
        return example(model, 2, self.size)

    def test_forward_gives_logits_per_class_and_pixel(self, model, x) -> None:
        with torch.inference_mode():
            y = model(x)
        assert y.shape == (2, model.classes, *self.size)
        assert torch.isfinite(y).all()
        assert y.std() > 1e-4, "an answer that does not depend on the pixel"

    def test_other_aspect_and_other_batch(self, model) -> None:
        height, width = self.size
        x = torch.randn(3, model.in_channels, width, height)
        with torch.inference_mode():
            assert model(x).shape == (3, model.classes, width, height)

    def test_every_parameter_has_a_gradient(self, model, x) -> None:
        # One without aborts distributed data-parallel training.
        model.train()
        try:
            model(x).square().mean().backward()
            without = [name for name, p in model.named_parameters() if p.grad is None]
            assert without == []
            assert all(torch.isfinite(p.grad).all() for p in model.parameters())
        finally:
            model.zero_grad(set_to_none=True)
            settle(model, self.size)

    def test_evaluation_is_deterministic_and_ignores_the_batch(self, model, x) -> None:
        with torch.inference_mode():
            first = model(x)
            assert torch.equal(first, model(x))
            alone = model(x[1:])
        scale = first.abs().max()
        assert (alone - first[1:]).abs().max() / scale < 1e-4

    def test_saved_and_loaded_it_answers_the_same(self, model, x, tmp_path: Path) -> None:
        card = save_model(tmp_path, model, image=IMAGE, thresholds={"region": 0.5})
        loaded = load_model(tmp_path)
        assert loaded.card == card
        assert loaded.model.options == model.options
        assert not loaded.model.training
        with torch.inference_mode():
            assert torch.equal(loaded.model(x), model(x))

    def test_predict_gives_probabilities(self, model, x) -> None:
        grey = (x[:, :1] * GREY_STD + GREY_MEAN) * 255
        images = grey.clamp(0, 255).to(torch.uint8).numpy()
        probabilities = model.predict(images)
        assert probabilities.shape == (2, model.classes, *self.size)
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)

    def test_a_size_that_does_not_fit_is_one_sentence(self, model) -> None:
        odd = torch.zeros(1, model.in_channels, self.size[0] + 1, self.size[1])
        with pytest.raises(InputError, match=rf"{self.name} needs a height and width"):
            model(odd)
        with pytest.raises(InputError, match="input channels"):
            model(torch.zeros(1, model.in_channels + 1, *self.size))

    def test_training_on_one_image_works_or_says_why_not(self, model, x) -> None:
        model.train()
        try:
            if model.single:
                model(x[:1]).mean().backward()
            else:
                with pytest.raises(InputError, match="batch of 1"):
                    model(x[:1])
        finally:
            model.zero_grad(set_to_none=True)
            settle(model, self.size)
