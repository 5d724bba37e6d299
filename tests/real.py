"""Real files that are no part of the project; tests skip where they are absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_file(name: str) -> Path:
    """A file of the folder ``ODM_REAL_DATA``, else of ``../shared/data`` beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("ODM_REAL_DATA") or beside) / name
    if not path.is_file():
        pytest.skip(f"real data are not here: {path}")
    return path
