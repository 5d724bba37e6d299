"""An import never goes up: from package to package, and between the rooms of `odm`."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("odm", "ray_jobs", "tuning")
ROOMS = (
    "physics",
    "archive",
    "images",
    "catalog",
    "models",
    "findings",
    "reprocess",
    "training",
    "simulate",
    "report",
    "commands",
)
# A data set joins an archive with annotations on images: named where the archive is, built on both.
ABOVE_ITS_ROOM = {
    "odm/archive/samples.py": "images",
    "odm/archive/ionogram_samples.py": "images",
}


def imported(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def test_packages() -> None:
    for rank, package in enumerate(PACKAGES):
        above = set(PACKAGES[rank + 1 :]) | ({"ray"} if package == "odm" else set())
        for path in (ROOT / package).rglob("*.py"):
            tops = {name.split(".")[0] for name in imported(path)}
            assert not tops & above, path


def test_rooms() -> None:
    for rank, room in enumerate(ROOMS):
        for path in (ROOT / "odm" / room).glob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            limit = ROOMS.index(ABOVE_ITS_ROOM[name]) if name in ABOVE_ITS_ROOM else rank
            for module in imported(path):
                parts = module.split(".")
                if parts[0] == "odm" and len(parts) > 1 and parts[1] in ROOMS:
                    assert ROOMS.index(parts[1]) <= limit, (name, module)
