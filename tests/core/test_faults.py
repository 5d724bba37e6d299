"""A store that fails for a moment never makes a good file a bad one."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest

from odm.archive import hdf5 as orbit_h5
from odm.archive.orbit.reader import read_orbit
from odm.core.errors import ArchiveError, InputError, OdmError, TransientError
from odm.core.faults import is_full, is_transient, translated
from odm.core.files import replace_file
from tests.lookalike import NAME, contents, write

PATH = "s3://b/CSES_01_EFD_3_L02_A1_150031_20200101_000503_20200101_004503_000.h5"


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("slow"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError("AWS Error SLOW_DOWN during GetObject operation"),
        OSError(f"When reading {PATH}: AWS Error UNKNOWN (HTTP status 503)"),
        OSError("AWS Error NETWORK_CONNECTION: curlCode: 28, Timeout was reached"),
        OSError("Can't read data (file read failed: errno = 5, error message = 'I/O error')"),
        OSError("request timed out"),
    ],
)
def test_faults_that_pass(error: OSError) -> None:
    assert is_transient(error, PATH)
    with pytest.raises(TransientError), translated(PATH):
        raise error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(f"When reading {PATH}: AWS Error ACCESS_DENIED"), InputError),
        (OSError("ExpiredToken: the provided token has expired (HTTP status 400)"), InputError),
        (OSError(f"{PATH}: bad object header version 503"), ArchiveError),
        (FileNotFoundError(errno.ENOENT, "No such file"), ArchiveError),
        (OSError("Path does not exist 's3://b/500'"), ArchiveError),
        (PermissionError(errno.EACCES, "Permission denied"), ArchiveError),
    ],
)
def test_faults_that_stay(error: OSError, kind: type[OdmError]) -> None:
    assert not is_transient(error, PATH)
    with pytest.raises(kind), translated(PATH):
        raise error


class _Failing(io.BytesIO):
    """A store that answers so many reads and then no more."""

    answers = 0

    def readinto(self, buffer: Any) -> int:
        self.answers -= 1
        if self.answers < 0:
            raise OSError("AWS Error NETWORK_CONNECTION: curlCode: 28, Timeout was reached")
        return super().readinto(buffer)


def test_a_store_that_fails_while_reading_is_no_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write(tmp_path, contents()).read_bytes()

    class Store:
        def open_input_file(self, inside: str) -> _Failing:
            stream = _Failing(content)
            stream.answers = answers
            return stream

    monkeypatch.setattr(orbit_h5, "resolve", lambda path: (Store(), "inside"))
    reads = []
    for answers in range(200):
        try:
            read_orbit(f"s3://bucket/{NAME}", "xyz")
        except TransientError:
            reads.append(answers)
        else:
            break
    assert len(reads) > 20  # wherever it failed
    assert reads == list(range(len(reads)))


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    text = "Can't write data (file write failed: time = x\n, errno = 28, error message = 'No space"
    assert is_full(OSError(text))

    def fill() -> None:
        with replace_file(tmp_path / "file.h5"):
            raise OSError(text)

    with pytest.raises(OdmError) as caught:
        fill()
    assert str(caught.value) == f"{tmp_path / 'file.h5'}: no space left on the device"
    assert list(tmp_path.iterdir()) == []
