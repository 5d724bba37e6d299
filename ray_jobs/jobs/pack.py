"""The code and settings that travel with a job: a zip of the working directory.

In a git checkout it holds what git knows or would add; elsewhere every file that is not hidden.
Secrets, junk and data never travel, whatever git says, nor under another name by a link. The same
files give the same bytes, so that a cluster that has them already is not sent them again.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from odm.core.errors import InputError
from odm.core.files import replace_file

SECRETS = (
    "*.env", ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.ppk", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", "*credential*", "*secret*", "*auth_token*", "*.token", ".netrc",
    "_netrc", ".pgpass", ".npmrc", ".pypirc", "*.kubeconfig", "kubeconfig", "*password*",
    "*passwd*", "token", "token.txt", "*_token", "*_token.txt", "*.jks", "*.keystore", "*.tfstate*",
    "*.tfvars", ".s3cfg", ".boto", "rclone.conf", ".aws", ".azure", ".docker", ".gnupg", ".kube",
    ".ssh",
)  # fmt: skip
"""Names of files and folders that may let somebody in somewhere, in small letters."""

JUNK = (
    "__pycache__", "*.pyc", "*.pyo", "*.egg-info", "build", "dist", "node_modules", "*.tmp",
    "venv", "*.whl", "*.log", "ray_results",
)  # fmt: skip
DATA = (
    "*.h5", "*.hdf5", "*.npz", "*.npy", "*.ngi", "*.parquet", "*.zip", "*.tar", "*.gz", "*.bz2",
    "*.xz", "*.pt", "*.pth", "*.onnx", "campaign.json", "last.safetensors", "best.safetensors",
)  # fmt: skip
"""What the machines of a cluster find in their shared storage."""

PRIVATE_KEY = re.compile(rb"\s*-----BEGIN [A-Z ]*PRIVATE KEY")
MOST_BYTES = 100_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Package:
    """Files that travel with a job.

    Attributes:
        root: the folder that was packed.
        files: relative to it, in order.
        left_out: those that look like secrets, and links that lead out of the folder.
    """

    root: Path
    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def holds(self, name: str) -> bool:
        """Whether a relative name is one of its files, or a folder of some."""
        plain = os.path.normpath(name)
        return any(file == plain or file.startswith(f"{plain}/") for file in self.files)

    def write(self, path: Path) -> None:
        """Write it as a zip.

        Raises:
            InputError: it is too large, or a file cannot be read.
        """
        sizes = {name: (self.root / name).stat().st_size for name in self.files}
        if sum(sizes.values()) > MOST_BYTES:
            largest = max(sizes, key=lambda name: sizes[name])
            raise InputError(
                f"{self.root}: {sum(sizes.values()) / 1e6:.0f} MB to send to the cluster, more "
                f"than {MOST_BYTES / 1e6:.0f}; the largest is {largest} "
                f"({sizes[largest] / 1e6:.0f} MB): submit from a folder with code and settings "
                "only, or with --installed"
            )
        with replace_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name in self.files:
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                try:
                    archive.writestr(entry, (self.root / name).read_bytes())
                except OSError as error:
                    raise InputError(f"{self.root / name}: cannot be read ({error})") from None


def choose_files(root: Path) -> Package:
    """Choose the files of a folder that travel.

    Raises:
        InputError: there is nothing to send.
    """
    root = root.resolve()
    files: list[str] = []
    left_out: list[str] = []
    for name in sorted(set(_known_to_git(root) or _walk(root))):
        if name != name.encode(errors="ignore").decode():
            raise InputError(f"{root}: {name!r} cannot be sent under this name: rename it")
        target = (root / name).resolve()
        if not target.is_relative_to(root):
            left_out.append(name)
            continue
        paths = (name, target.relative_to(root).as_posix())
        names = [path.lower().split("/") for path in paths]
        is_secret = any(_matches(parts, SECRETS) for parts in names)
        if not is_secret and any(
            _matches(parts, JUNK) or _matches(parts[-1:], DATA) for parts in names
        ):
            continue
        (left_out if is_secret or _lets_in(target) else files).append(name)
    if not files:
        raise InputError(f"{root}: holds no code or settings to send; submit with --installed")
    return Package(root, tuple(files), tuple(left_out))


def _lets_in(path: Path) -> bool:
    """Whether a file is this machine's token of the cluster or a private key, by whatever name."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray/auth_token")
    if path == token.resolve():
        return True
    try:
        with path.open("rb") as file:
            return PRIVATE_KEY.match(file.read(200)) is not None
    except OSError:
        return False  # told when it is to be sent


def _matches(parts: Iterable[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in patterns)


def _known_to_git(root: Path) -> list[str]:
    """Files below a folder that git tracks or would add; none where it is no checkout.

    Raises:
        InputError: it is one, and git does not say: what is ignored there is not to be sent.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    plain = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, check=False, env=plain)
    except OSError:
        return []
    if done.returncode and b"not a git repository" not in done.stderr:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason"])[0]
        raise InputError(f"{root}: git does not list its files ({reason})")
    names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [name for name in names if name and (root / name).is_file()]


def _walk(root: Path) -> Iterator[str]:
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if not _matches([name.lower()], (".*", *JUNK))]
        for name in files:
            if not name.startswith(".") and Path(folder, name).is_file():
                yield Path(folder, name).relative_to(root).as_posix()
