"""The whole chain can learn: a small network knows eight images by heart."""

from pathlib import Path

import pytest
import torch

from odm.models.networks.segmenters import create_model
from tests.training.tiny import Blobs, make_loop, tiny_settings


@pytest.mark.slow
def test_eight_images_are_learnt_by_heart(tmp_path: Path) -> None:
    settings = tiny_settings(
        "data.augmentation=none",
        "data.batch_size=8",
        "optimiser.name=adam",
        "optimiser.learning_rate=5e-3",
        "schedule.epochs=120",
        "schedule.validation_epochs=120",
        "schedule.temperature_epochs=40",
        "runtime.checkpoint_steps=null",
        "compute.ema=null",
    )
    torch.manual_seed(0)
    model = create_model("odm_unet_small", encoder="tu-mobilenetv3_small_050")
    images = Blobs(8, size=64, every=1)
    loop = make_loop(tmp_path, settings, model=model, source=images, validation=images)
    assert loop.run().best["foreground_iou"] > 0.95
