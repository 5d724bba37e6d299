"""Files that are no HDF5 files, each with a reason of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from odm.archive.hdf5 import open_h5, open_h5_bytes
from odm.core.errors import ArchiveError

KINDS = [
    (b"\x89HDF\r", "truncated inside its HDF5 signature (5 of 8 bytes)"),
    (bytes(4096), "not an HDF5 file: it begins with zeros, as one that was never written does"),
    (b"<html>\nnot found", "not an HDF5 file: it is text, and begins with '<html>'"),
    ("Ä" * 400, "not an HDF5 file: it is text, and begins with '" + 40 * "Ä" + "'"),
    (b"\n \n" * 9, "not an HDF5 file: it is text, and begins with ''"),
    (b"PK\x03\x04\x00\xff\xfe\xfd\x00", "not an HDF5 file: it begins with bytes 50 4b 03 04 00 ff"),
]


@pytest.mark.parametrize(("data", "reason"), KINDS)
def test_reasons(tmp_path: Path, data: bytes | str, reason: str) -> None:
    content = data.encode() if isinstance(data, str) else data
    path = tmp_path / "file.h5"
    path.write_bytes(content)
    for name in (path, f"file://{path}"):
        with pytest.raises(ArchiveError) as caught, open_h5(name):
            pass
        assert caught.value.reason.startswith(reason)
    with pytest.raises(ArchiveError) as caught, open_h5_bytes(path, content):
        pass
    assert caught.value.reason.startswith(reason)
