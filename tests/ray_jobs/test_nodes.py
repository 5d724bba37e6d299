"""Machines that differ, that do not see the archive, that leave, and heads that are idle."""

from __future__ import annotations

import http.server
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import ray

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import OdmError
from ray_jobs.cluster import nodes
from ray_jobs.cluster.nodes import Facts, await_room, check_nodes, compare, look
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.idle import wait_until_idle
from ray_jobs.preemption import notice
from ray_jobs.reprocessing.stages import Reader, root_of
from tests.reprocess import small

HERE = Facts("head", "0.1.0", "3f2a")


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (Facts("b", "0.1.0", "9ab1"), r"node b has odm 0\.1\.0 \(9ab1\), the driver on"),
        (Facts("b", "0.2.0", "3f2a"), r"node b has odm 0\.2\.0 .*install the same"),
        (Facts("b", "0.1.0", "3f2a", ("/data",)), "node b does not see /data: all mach"),
        (
            Facts("b", "0.1.0", "3f2a", ("/runs/a/.seen-" + 32 * "0",)),
            "node b does not see /runs/a: all machines",
        ),
    ],
)
def test_a_node_that_differs_is_named(facts: Facts, sentence: str) -> None:
    compare("node b", Facts("b", "0.1.0", "3f2a"), HERE)
    with pytest.raises(ClusterError, match=sentence):
        compare("node b", facts, HERE)


def test_what_a_node_says_of_itself(tmp_path: Path) -> None:
    facts = look([str(tmp_path), str(tmp_path / "none"), ""])
    assert facts.unseen == (str(tmp_path / "none"),)
    assert len(facts.code) == 12 and facts.code == look().code


def test_this_cluster_is_fit(cluster: Cluster, tmp_path: Path) -> None:
    check_nodes([str(tmp_path)], written=tmp_path)
    assert not list(tmp_path.iterdir())
    # Each machine may have a folder of that name: it is a file in it that has to be seen.
    elsewhere = str(tmp_path / "runs/.seen-") + 32 * "0"
    with pytest.raises(ClusterError, match=rf"node .* does not see {tmp_path}/runs: all machines"):
        nodes._check_nodes(ray.nodes(), [elsewhere], 60.0)
    await_room(cluster, 2, {"CPU": 1.0}, "workers")
    with pytest.raises(ClusterError, match="3 workers of 1 CPU each, the cluster has 2 CPUs"):
        await_room(cluster, 3, {"CPU": 1.0}, "workers")


def test_a_reader_that_does_not_see_the_archive_condemns_nothing(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 2)
    small.write_model(tmp_path / "model")
    order = small.order(tmp_path)
    one = order.listing.inputs[0]
    assert root_of(one) == str(tmp_path / "archive")
    batch = pa.table({"input": pa.array([pickle.dumps(one)], pa.binary())})
    (row,) = Reader(order.stages, root_of(one))(batch)
    assert row["draft"][0].as_py()
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    (row,) = Reader(order.stages, root_of(one))(batch)
    result = pickle.loads(row["result"][0].as_py())
    assert result.outcome is None and f"does not see {tmp_path / 'archive'}" in result.undone


def test_roots_of_stores(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 1)
    small.write_model(tmp_path / "model")
    (one,) = small.order(tmp_path).listing.inputs
    from dataclasses import replace

    name = OrbitKey.parse(one.name).stem + ".h5"
    stored = replace(one, path=f"s3://b/a/2021/{name}?region=x", source=f"2021/{name}")
    assert root_of(stored) == "s3://b/a?region=x"
    assert root_of(replace(stored, source="elsewhere.h5")) == ""


class Metadata(http.server.BaseHTTPRequestHandler):
    """What AWS answers a machine: 404 until its time has come."""

    taken: dict[str, str] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        self._say(200 if self.path == "/latest/api/token" else 404, b"secret")

    def do_GET(self) -> None:
        known = self.headers.get("X-aws-ec2-metadata-token") == "secret"
        asked = self.path == "/latest/meta-data/spot/instance-action"
        code = 401 if not known else 200 if asked and self.taken else 404
        self._say(code, json.dumps(self.taken).encode())

    def _say(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metadata() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    Metadata.taken = {}


def test_the_notice_of_a_spot_machine(metadata: str) -> None:
    assert notice(metadata) is None
    Metadata.taken = {"action": "terminate", "time": "2026-11-22T20:00:00Z"}
    assert notice(metadata) == datetime(2026, 11, 22, 20, tzinfo=UTC)
    Metadata.taken = {"action": "terminate", "time": "soon"}
    assert notice(metadata) is None
    assert notice("http://127.0.0.1:1") is None


def test_a_machine_that_is_taken_away_is_drained(metadata: str, cluster: Cluster) -> None:
    """Ray agrees to drain its only node; the deadline is so far ahead that no work is ended."""
    Metadata.taken = {
        "action": "terminate",
        "time": (datetime.now(UTC) + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    words = [sys.executable, "-m", "ray_jobs.preemption", "--metadata", metadata]
    done = subprocess.run(
        [*words, "--address", cluster.address, "--node", "0" * 55 + "1"],
        capture_output=True,
        text=True,
    )
    assert "this machine is taken away in 32" in done.stdout, done.stderr
    assert "draining" in done.stdout


def test_a_head_without_jobs_is_idle() -> None:
    now = [0.0]
    looks = iter([False, True, False, OdmError("no answer"), False, False, False])

    def busy() -> bool:
        now[0] += 10
        found = next(looks)
        if isinstance(found, OdmError):
            raise found
        return found

    wait_until_idle(busy, 30.0, 0.0, lambda: now[0])
    # Busy at 20 s: idle from then on, whoever could not say.
    assert now[0] == 50.0
