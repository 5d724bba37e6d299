"""What of a folder travels to a cluster."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from odm.archive.errors import InputError
from ray_jobs import pack
from ray_jobs.pack import choose_files

FILES = {
    "odm/work.py": "code",
    "configs/small.yaml": "settings",
    "models/m/weights.safetensors": "weights",
    ".env": "KEY=1",
    "deploy/server.pem": "private",
    "aws_credentials.json": "private",
    "keys/id_ed25519": "private",
    "My-Secrets/notes.txt": "private",
    "odm/__pycache__/work.pyc": "junk",
    "data/CSES_01.h5": "data",
    "campaign/outcomes/part.parquet": "data",
}


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.mark.parametrize("checkout", [False, True])
def test_secrets_junk_and_data_stay_here(tmp_path: Path, checkout: bool) -> None:
    fill(tmp_path, FILES)
    if checkout:
        fill(tmp_path, {".gitignore": "ignored/\n", "ignored/big.py": "", "new.py": "untracked"})
        for command in ("init -q", "add -A -f .env deploy odm configs models", "add .gitignore"):
            subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    chosen = choose_files(tmp_path)
    expected = {"odm/work.py", "configs/small.yaml", "models/m/weights.safetensors"}
    # What git would add travels too; what it ignores does not.
    assert set(chosen.files) == expected | ({".gitignore", "new.py"} if checkout else set())
    assert "deploy/server.pem" in chosen.left_out and "keys/id_ed25519" in chosen.left_out
    assert chosen.holds("configs") and chosen.holds("./configs/small.yaml")
    assert not chosen.holds("config") and not chosen.holds("data")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fill(tmp_path / name, {"b.py": "b", "a/c.yaml": "c"})
        choose_files(tmp_path / name).write(tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as packed:
        assert packed.namelist() == ["a/c.yaml", "b.py"]
        assert packed.read("a/c.yaml") == b"c"


def test_nothing_or_too_much_to_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="holds no code or settings"):
        choose_files(tmp_path)
    fill(tmp_path, {"small.py": "1", "large.txt": "2" * 2000})
    monkeypatch.setattr(pack, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"the largest is large\.txt .* or with --installed"):
        choose_files(tmp_path).write(tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
