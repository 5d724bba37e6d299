"""What of a folder travels to a cluster."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from odm.core.errors import InputError
from ray_jobs.jobs import pack
from ray_jobs.jobs.pack import choose_files

FILES = {
    "odm/work.py": "code",
    "configs/small.yaml": "settings",
    "models/m/weights.safetensors": "weights",
    ".env": "KEY=1",
    "deploy/server.pem": "private",
    "aws_credentials.json": "private",
    "keys/id_ed25519": "private",
    "My-Secrets/notes.txt": "private",
    "hf_token": "private",
    "deploy.txt": "\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
    "odm/__pycache__/work.pyc": "junk",
    "data/CSES_01.h5": "data",
    "campaign/outcomes/part.parquet": "data",
    "runs/a/checkpoints/last.safetensors": "what going on needs",
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
    secret = {"deploy/server.pem", "keys/id_ed25519", "hf_token", "deploy.txt"}
    assert secret <= set(chosen.left_out)
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


@pytest.mark.parametrize("checkout", [False, True])
def test_a_link_does_not_carry_out_what_lies_elsewhere(tmp_path: Path, checkout: bool) -> None:
    fill(tmp_path, {"home/.aws/config": "private", "home/notes": "own", "root/a.py": "code"})
    root = fill(tmp_path / "root", {"x/.env": "KEY=1", "data.h5": "data"})
    (root / "b.py").symlink_to("a.py")
    (root / "plain.txt").symlink_to("x/.env")
    (root / "small.txt").symlink_to("data.h5")
    (root / "settings").symlink_to(tmp_path / "home/.aws/config")
    (root / "notes").symlink_to("../home/notes")
    (root / "gone").symlink_to("nowhere")
    (root / "home").symlink_to(tmp_path / "home")
    if checkout:
        for command in (["init", "-q"], ["add", "-A", "-f", "."]):
            subprocess.run(["git", *command], cwd=root, check=True)
    chosen = choose_files(root)
    assert chosen.files == ("a.py", "b.py")
    assert {"plain.txt", "settings", "notes"} <= set(chosen.left_out)


def test_the_token_of_the_cluster_stays_here_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, {"a.py": "code", "colleague.txt": "0123"})
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "colleague.txt"))
    chosen = choose_files(tmp_path)
    assert chosen.files == ("a.py",) and chosen.left_out == ("colleague.txt",)


def test_a_checkout_whose_git_does_not_answer(tmp_path: Path) -> None:
    """What it ignores is not known then."""
    fill(tmp_path, {"a.py": "code"})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".git/index").write_bytes(b"damaged")
    with pytest.raises(InputError, match="git does not list its files"):
        choose_files(tmp_path)


def test_a_name_that_no_zip_holds(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("code")
    with pytest.raises(InputError, match="rename it"):
        choose_files(tmp_path)
