"""Each room names what others may use: every name is there, and is found without importing more."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUBS = [path for name in ("odm", "ray_jobs", "tuning") for path in (ROOT / name).rglob("*.pyi")]
PACKAGES = [".".join(path.parent.relative_to(ROOT).parts) for path in STUBS]
HEAVY = ("torch", "ray", "pandas", "scipy", "optuna")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there(package: str) -> None:
    room = importlib.import_module(package)
    assert room.__all__
    assert dir(room) == sorted(room.__all__)
    for name in room.__all__:
        assert getattr(room, name) is not None


def test_a_room_costs_nothing_before_its_names_are_used() -> None:
    program = f"""
import importlib, sys
for package in {PACKAGES}:
    importlib.import_module(package)
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr
