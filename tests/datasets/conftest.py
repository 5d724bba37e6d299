"""An export that people draw on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from odm.archive.orbit.key import OrbitKey
from odm.datasets.labels.folder import ExportedImage, LabelFolder
from odm.images.masks import png_bytes
from tests.datasets.drawn import (
    BOX,
    EMPTY,
    HEIGHT,
    LAST,
    STEM,
    WIDTH,
)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of three half-orbits, 64 frequencies by 40 rows, without their archive."""
    folder = tmp_path / "export"
    keys = [OrbitKey.parse(f"{stem}.h5") for stem in (STEM, EMPTY, LAST)]
    images = {key.stem: ExportedImage(key, HEIGHT, WIDTH) for key in keys}
    settings = {"minimum": -9.0, "maximum": -4.0, "component": "z"}
    (folder / "images").mkdir(parents=True)
    (folder / "labels.json").write_bytes(LabelFolder(folder, images, settings).to_json())
    for stem in images:
        (folder / "images" / f"{stem}.png").write_bytes(png_bytes(np.full_like(BOX, 100)))
    return folder
