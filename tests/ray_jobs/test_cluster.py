"""Connecting: a cluster that is there, one that is not, and what is too much for it."""

from __future__ import annotations

import http.server
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import ray

from odm.core.errors import InputError
from odm.training.launch import Launch
from ray_jobs.cluster.connection import ROOT, connect
from ray_jobs.cluster.room import Cluster, ClusterError, room
from ray_jobs.training.launch import WorkerPlacement, place
from tests.ray_jobs.trainings import is_gone

LEAVES = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
from ray_jobs.cluster.connection import connect
import ray
with connect("local", num_cpus=1) as cluster:
    @ray.remote
    def pid():
        return os.getpid()
    print(ray.get(pid.remote()), flush=True)
    os.kill(os.getpid(), int(sys.argv[1]))
    signal.pause()
"""


def test_the_cluster_and_its_workers(cluster: Cluster) -> None:
    import os

    def look() -> tuple[str, str | None, bool]:
        import odm

        return odm.__file__, os.environ.get("NO_ALBUMENTATIONS_UPDATE"), "torch" in sys.modules

    assert cluster.started and cluster.cpus == 2 and cluster.gpus == 0
    where, updates, torch = ray.get(ray.remote(look).remote())
    assert Path(where).is_relative_to(ROOT) and updates == "1" and not torch
    with connect() as again:  # as it is
        assert again.address == cluster.address and not again.started
    assert ray.is_initialized()


def test_processes_are_kept_for_the_next_stage(cluster: Cluster, tmp_path: Path) -> None:
    """More of them than CPUs, which Ray by default ends after a second."""
    number = 4

    @ray.remote(num_cpus=0.4, max_retries=0)
    def pid(folder: Path) -> int:
        import os

        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < number:  # all at the same time
            time.sleep(0.05)
        return os.getpid()

    def processes(name: str) -> set[int]:
        folder = tmp_path / name
        folder.mkdir()
        return set(ray.get([pid.remote(folder) for _ in range(number)], timeout=240))

    before = processes("before")
    time.sleep(4)
    assert len(before) == number and processes("after") == before


def test_an_address_where_no_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # A process that is connected asks no more: look at the part that does.
    from ray_jobs.cluster.connection import _check_address

    begun = time.monotonic()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"no Ray cluster answers at {address}") as caught:
            _check_address(address, sized=False)
    assert caught.value.exit_code == 1
    for wrong in ("nonsense", "ray://head:10001", "head:port", "head:99999"):
        with pytest.raises(InputError, match="give host:port of its head"):
            _check_address(wrong, sized=False)
    with pytest.raises(InputError, match="is there already"):
        _check_address("auto", sized=True)
    assert time.monotonic() - begun < 5


def test_an_address_where_something_else_is(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would try for minutes: such as at a tunnel whose other end is gone, or a dashboard."""
    from ray_jobs.cluster.connection import _check_address

    _check_address(cluster.address, sized=False)
    monkeypatch.setattr("ray_jobs.cluster.connection.ANSWER_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ClusterError, match=r"no Ray cluster answers at .*: timed out"):
            _check_address(f"127.0.0.1:{silent.getsockname()[1]}", sized=False)
    plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=plain.serve_forever)
    thread.start()
    try:
        with pytest.raises(ClusterError, match="is no head of a Ray cluster: its port is 6379"):
            _check_address(f"127.0.0.1:{plain.server_address[1]}", sized=False)
    finally:
        plain.shutdown()
        thread.join()
        plain.server_close()


def test_too_much_is_a_sentence(cluster: Cluster) -> None:
    cluster.check(2, {"CPU": 1})
    with pytest.raises(ClusterError, match="8 workers of 1 CPU each, the cluster has 2 CPUs"):
        cluster.check(8, {"CPU": 1})
    with pytest.raises(ClusterError, match=r"1 reader of 1000.* GB of memory each"):
        cluster.check(1, {"memory": 1e12}, "readers")


def test_workers_are_not_spread_over_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [{"CPU": 3.0}, {"CPU": 3.0}, {"CPU": 8.0}, {"CPU": 2.0, "GPU": 2.0}]
    assert [room(machines, {"CPU": cpus}) for cpus in (1, 2, 3, 4, 9)] == [16, 7, 4, 2, 0]
    assert room(machines, {"CPU": 1.0, "GPU": 1.0}) == 2
    assert room([], {"CPU": 1.0}) == 0
    total = {"CPU": 16.0, "GPU": 2.0}
    monkeypatch.setattr(Cluster, "resources", property(lambda self: total))
    monkeypatch.setattr(Cluster, "machines", property(lambda self: machines))
    cluster = Cluster("head:6379", started=False)
    cluster.check(4, {"CPU": 3})
    for number, each, sentence in (
        (5, {"CPU": 3.0}, "5 workers of 3 CPUs each, .* have room for 4"),
        (1, {"CPU": 4.0, "GPU": 1.0}, "1 worker of 4 CPUs and 1 GPU each, .* have room for 0"),
    ):
        with pytest.raises(ClusterError, match=sentence):
            cluster.check(number, each)
    # CPUs of a machine without a GPU are none for a worker that needs one.
    assert place(cluster, Launch(), "auto") == WorkerPlacement(2, 2, 1, True)
    assert place(cluster, Launch(workers=1), "auto") == WorkerPlacement(1, 1, 2, True)
    assert place(cluster, Launch(workers=(2, 4)), "cpu") == WorkerPlacement(2, 4, 3, False)


class AuthenticationError(Exception):
    """Named as Ray's."""


def test_why_ray_could_not_be_had() -> None:
    from ray_jobs.cluster.connection import _sentence

    assert "ray start --head" in _sentence("auto", ConnectionError("no instance"))
    for address in ("auto", "head:6379"):
        assert "RAY_AUTH_MODE=token" in _sentence(address, AuthenticationError("bad token"))
    versions = "The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.11.7\nThis one: ..."
    said = _sentence("head:6379", RuntimeError(f"Version mismatch: {versions}"))
    assert "other versions" in said and "Ray: 2.9.0 Python: 3.11.7" in said and "\n" not in said
    assert _sentence("local", ValueError("too small\nat ...")).endswith("here: too small")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, str(int(number))], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode in (-number, 1), done.stderr
    worker = done.stdout.strip()
    assert worker.isdigit(), done.stderr
    deadline = time.monotonic() + 30
    while not is_gone(worker):
        assert time.monotonic() < deadline
        time.sleep(0.1)
