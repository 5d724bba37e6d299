"""The order of rooms: an import never goes up and never in a circle, whatever file it is in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def house() -> ModuleType:
    spec = importlib.util.spec_from_file_location("house", ROOT / "benchmarks" / "house.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module
    spec.loader.exec_module(module)
    return module


def test_imports_go_down(house: ModuleType) -> None:
    modules, trees = house.read_modules()
    assert not house.upward_imports(modules, trees)
    assert not house.circles(modules, trees)


def test_odm_is_without_ray(house: ModuleType) -> None:
    _, trees = house.read_modules()
    for name, tree in trees.items():
        if name.startswith("odm"):
            assert "ray" not in house.packages_imported(tree), name


def test_every_folder_is_a_room(house: ModuleType) -> None:
    folders = {path.name for path in (ROOT / "odm").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(house.ROOMS)
