"""A small data set that is drawn, and a process that draws it; imports neither torch nor pytest."""

from __future__ import annotations

from typing import Any

from odm.training.drawn.dataset import DrawnDataset
from odm.training.drawn.drawer import Drawer
from odm.training.drawn.drawing import draw_into_cache
from odm.training.drawn.settings import DrawnConfig

CONTENT: dict[str, Any] = {
    "version": 1,
    "kind": "drawn orbits",
    "image": {"mode": "relative"},
    "seed": 11,
    "skies": {"classic": 1, "textures": 3},
    "prevalence": 0.5,
    "half_orbits": 6,
    "fresh": 2,
    "validation": {"half_orbits": 3, "seed": 12, "skies": {"textures": 1}},
}

SETTINGS = (
    "model.architecture=unet_dense",
    "model.options={widths: [4, 8]}",
    "data.batch_size=2",
    "data.validation_batch_size=2",
    "data.augmentation=randomised",
    "data.positive_share=0.5",
    "schedule.epochs=3",
    "runtime.device=cpu",
    "runtime.loader_threads=2",
    "runtime.log_steps=1",
    "runtime.tensorboard=false",
)


def opened(**changes: Any) -> DrawnDataset:
    """The data set with other settings."""
    return DrawnDataset(DrawnConfig.model_validate({**CONTENT, **changes}))


def draw_all(order: list[int], barrier: Any, drawn: Any) -> None:
    """Draw five half-orbits as far as nobody else does, and wait for the others."""
    samples = opened(half_orbits=5).samples("train")
    barrier.wait()
    for index in order:
        drawing = samples[index].drawing
        if not drawing.path.exists() and draw_into_cache(drawing):
            drawn.put(index)
    drawer = Drawer(0, 1e9)
    for sample in samples:
        drawer.load(sample.drawing)
