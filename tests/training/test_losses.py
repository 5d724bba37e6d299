"""The loss and the metrics, by hand."""

import math

import numpy as np
import pytest
import torch

from odm.images.masks import IGNORED
from odm.scoring.pixels import confusion_matrix, pixel_metrics
from odm.training.losses import MaskLoss
from odm.training.masks import MaskBatch, MaskMeter, MaskTask, crop
from tests.training.tiny import TinyNet, tiny_settings


def logits_of(probability: list[list[float]]) -> torch.Tensor:
    """(1, 2, H, W) logits whose softmax gives these foreground probabilities."""
    p = torch.tensor([probability])
    return torch.stack([(1 - p).log(), p.log()], dim=1)


ALL = torch.ones(1, 2, 2, dtype=torch.bool)
TRUTH = torch.tensor([[[1, 0], [0, 1]]])
LOGITS = logits_of([[0.8, 0.1], [0.3, 0.6]])


def test_by_hand() -> None:
    values = MaskLoss()(LOGITS, TRUTH, ALL)
    entropy = -(math.log(0.8) + math.log(0.9) + math.log(0.7) + math.log(0.6)) / 4
    dice = (2 * (0.8 + 0.6) + 1) / (0.8 + 0.1 + 0.3 + 0.6 + 2 + 1)
    assert values["cross_entropy"].item() == pytest.approx(entropy, rel=1e-6)
    assert values["soft_dice"].item() == pytest.approx(dice, rel=1e-6)
    assert values["loss"].item() == pytest.approx(entropy - math.log(dice), rel=1e-6)


def test_the_worst_prediction_is_punished_most() -> None:
    # CE - log(DiceLoss), as printed in the paper, would fall towards the worst prediction.
    loss = MaskLoss()
    good, bad, worst = (
        loss(logits_of([[p, 1 - p], [1 - p, p]]), TRUTH, ALL) for p in (0.9, 0.2, 0.001)
    )
    assert good["loss"] < bad["loss"] < worst["loss"]
    printed = [-torch.log(1 - values["soft_dice"]) for values in (good, bad, worst)]
    assert printed[0] > printed[1] > printed[2]


def test_invalid_pixels_count_nowhere() -> None:
    valid = torch.tensor([[[True, False], [True, True]]])
    values = MaskLoss()(LOGITS, TRUTH, valid)
    entropy = -(math.log(0.8) + math.log(0.7) + math.log(0.6)) / 3
    dice = (2 * (0.8 + 0.6) + 1) / (0.8 + 0.3 + 0.6 + 2 + 1)
    assert values["loss"].item() == pytest.approx(entropy - math.log(dice), rel=1e-6)
    # Nor does what an invalid pixel holds: a class that does not exist, an infinite logit.
    logits, truth = LOGITS.clone(), TRUTH.clone()
    logits[0, :, 0, 1] = torch.tensor([-math.inf, 3e38])
    truth[0, 0, 1] = 255
    logits.requires_grad_(True)
    other = MaskLoss([1.0, 1.0])(logits, truth, valid)
    assert other["loss"].item() == pytest.approx(values["loss"].item(), rel=1e-6)


def test_gradient_is_zero_and_finite_at_invalid_pixels() -> None:
    logits = LOGITS.clone().requires_grad_(True)
    valid = torch.tensor([[[True, False], [True, True]]])
    MaskLoss()(logits, TRUTH, valid)["loss"].backward()
    assert logits.grad is not None
    assert (logits.grad[0, :, 0, 1] == 0).all()
    assert (logits.grad[0, :, 0, 0] != 0).all()
    nothing = LOGITS.clone().requires_grad_(True)
    loss = MaskLoss()(nothing, TRUTH, torch.zeros_like(ALL))["loss"]
    loss.backward()
    assert loss.item() == 0
    assert nothing.grad is not None and (nothing.grad == 0).all()


def test_class_weights_are_of_the_cross_entropy() -> None:
    values = MaskLoss([1.0, 3.0])(LOGITS, TRUTH, ALL)
    entropy = -(3 * math.log(0.8) + math.log(0.9) + math.log(0.7) + 3 * math.log(0.6)) / 8
    assert values["cross_entropy"].item() == pytest.approx(entropy, rel=1e-6)
    assert values["soft_dice"].item() == pytest.approx(3.8 / 4.8, rel=1e-6)
    expected = torch.nn.functional.cross_entropy(LOGITS, TRUTH, torch.tensor([1.0, 3.0]))
    assert values["cross_entropy"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_no_foreground_and_none_predicted_is_perfect() -> None:
    far = torch.stack([torch.full((1, 2, 2), 40.0), torch.full((1, 2, 2), -40.0)], dim=1)
    values = MaskLoss()(far, torch.zeros(1, 2, 2), ALL)
    assert values["soft_dice"].item() == 1
    assert values["loss"].item() == 0


def test_three_classes() -> None:
    torch.manual_seed(1)
    logits, truth = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    p = logits.softmax(1)
    onehot = torch.nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2)
    both, total = (p * onehot)[:, 1:].sum(), p[:, 1:].sum() + onehot[:, 1:].sum()
    values = MaskLoss(dice=0.5)(logits, truth, torch.ones(2, 4, 5, dtype=torch.bool))
    expected = torch.nn.functional.cross_entropy(logits, truth) - 0.5 * torch.log(
        (2 * both + 1) / (total + 1)
    )
    assert values["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_float32_whatever_the_network_gives() -> None:
    low = LOGITS.to(torch.bfloat16)
    assert MaskLoss()(low, TRUTH, ALL)["loss"].dtype == torch.float32
    assert MaskLoss()(low, TRUTH, ALL)["loss"] == MaskLoss()(low.float(), TRUTH, ALL)["loss"]


def test_meter_equals_the_metrics_of_all_pixels_at_once() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 2, 6, 7)
    truth = torch.randint(0, 2, (5, 6, 7)).to(torch.uint8)
    valid = torch.rand(5, 6, 7) > 0.3
    meter = MaskMeter(MaskTask(TinyNet(), tiny_settings()))
    for part in (slice(0, 2), slice(2, 5)):
        meter.add(logits[part], truth[part], valid[part])
    values = meter.compute()
    counts = confusion_matrix(truth.numpy(), logits.argmax(1).numpy(), valid.numpy())
    whole = MaskLoss()(logits, truth, valid)
    for name, expected in pixel_metrics(counts).items():
        assert values[name] == expected, name
    assert values["loss"] == pytest.approx(whole["loss"].item(), rel=1e-6)
    assert values["cross_entropy"] == pytest.approx(whole["cross_entropy"].item(), rel=1e-6)
    assert np.isfinite(list(values.values())).all()


def test_ignored_pixels_are_not_valid() -> None:
    images = torch.tensor([[[[9, 0], [9, 9]]]], dtype=torch.uint8)
    masks = torch.tensor([[[1, 1], [IGNORED, 0]]], dtype=torch.uint8)
    batch = MaskBatch(images, masks)
    assert batch.valid.tolist() == [[[True, False], [False, True]]]
    values = MaskLoss()(LOGITS, batch.masks, batch.valid)
    entropy = -(math.log(0.8) + math.log(1 - 0.6)) / 2
    assert values["cross_entropy"].item() == pytest.approx(entropy, rel=1e-6)


def test_crops_are_placed_on_nuclei_not_on_what_is_ignored() -> None:
    mask = np.full((32, 32), IGNORED, np.uint8)
    mask[20:23, 3:5] = 1
    image = np.ones_like(mask)
    for seed in range(5):
        part = crop(image, mask, (8, 8), 1.0, np.random.default_rng(seed))[1]
        assert (part == 1).any()
