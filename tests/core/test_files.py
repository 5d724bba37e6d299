"""Files appear whole or not at all, locally and in an object store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

import odm
from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import read_orbit
from odm.core.errors import ArchiveError, InputError
from odm.core.files import exists, join, read_bytes, replace_file, status, write_bytes
from tests.lookalike import NAME, contents, renamed, write


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """URI of a bucket on an S3 server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="archive")
    saved = dict(os.environ)
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    yield "s3://archive"
    os.environ.clear()
    os.environ.update(saved)
    server.stop()


def test_an_archive_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    local = write(tmp_path, contents())
    write_bytes(f"{bucket}/2021/04/{NAME}", local.read_bytes())
    write_bytes(f"{bucket}/2021/05/{renamed(18000)}", b"not hdf5")
    write_bytes(f"{bucket}/notes.txt", b"hello")
    listing = list_orbits(bucket)
    assert [entry.path for entry in listing.entries] == [
        f"{bucket}/2021/04/{NAME}",
        f"{bucket}/2021/05/{renamed(18000)}",
    ]
    assert listing.entries[0].size == local.stat().st_size
    assert listing.entries[0].modified_ns > 0
    assert listing.other_files == (f"{bucket}/notes.txt",)
    assert [e.path for e in list_orbits(f"{bucket}/2021/04/").entries] == [
        f"{bucket}/2021/04/{NAME}"
    ]

    from_store = odm.open_orbit(listing.entries[0].path)
    from_disk = odm.open_orbit(local)
    assert from_store.drop_attrs().identical(from_disk.drop_attrs())
    with pytest.raises(ArchiveError, match="not an HDF5 file"):
        odm.open_orbit(listing.entries[1].path)
    with pytest.raises(ArchiveError, match="no such file"):
        odm.open_orbit(f"{bucket}/2021/04/{renamed(17000)}")


def test_a_truncated_object_says_how_much_is_there(bucket: str, tmp_path: Path) -> None:
    whole = write(tmp_path, contents()).read_bytes()
    write_bytes(f"{bucket}/cut/{NAME}", whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match=r"truncated: .*\(50 % is there, "):
        read_orbit(f"{bucket}/cut/{NAME}")


@pytest.mark.parametrize("uri", ["s3://no-such-bucket", "s3://archive/no/such/folder"])
def test_what_the_store_does_not_have(bucket: str, uri: str) -> None:
    with pytest.raises(InputError) as caught:
        list_orbits(uri)
    assert "\n" not in str(caught.value)


def test_read_write_and_status_in_the_store(bucket: str) -> None:
    uri = join(bucket, "a", "b.txt")
    assert uri == f"{bucket}/a/b.txt"
    assert not exists(uri)
    write_bytes(uri, b"12345")
    assert read_bytes(uri) == b"12345"
    file = status(uri)
    assert file is not None
    assert (file.size, file.is_folder) == (5, False)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    target.parent.mkdir()
    target.write_bytes(b"old")

    def fail() -> None:
        with replace_file(target) as temporary:
            temporary.write_bytes(b"half")
            assert target.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]
    assert target.read_bytes() == b"old"
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"


def test_a_result_is_readable_for_others(tmp_path: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    write_bytes(tmp_path / "result", b"x")
    assert stat.S_IMODE((tmp_path / "result").stat().st_mode) == 0o666 & ~umask


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="in the way"):
        write_bytes(tmp_path / "file" / "below", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_bytes(tmp_path / "folder", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_join_keeps_the_options_of_a_uri_at_its_end() -> None:
    assert join("s3://b/x?region=r", "y.h5") == "s3://b/x/y.h5?region=r"
    assert join("folder", "y.h5") == str(Path("folder/y.h5"))
