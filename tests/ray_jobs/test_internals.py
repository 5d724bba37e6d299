"""What is used of Ray without being public: it is there, and its absence is no traceback."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import ray.data

from ray_jobs import internals
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.internals import (
    autoscaler_limits,
    head_resource,
    head_versions,
    iterate_blocks,
    jobs_client,
    lines_hidden,
    map_with_retries,
    own_node,
    private,
)

NOISE = (
    b"[2026-11-22 19:03:45,842 E 21393 21673] core_worker.cc:2465: Actor with class name: "
    b"'MapWorker(MapBatches(Modeller))' and ID: '120b' has constructor arguments in the object "
    b"store and max_restarts > 0. If the arguments go out of scope or are lost, ...\n"
)


def test_a_part_that_this_ray_lacks_is_one_sentence_with_its_version() -> None:
    assert private("ray._private.services", "get_node_ip_address")()
    for module, name in (("ray._private.services", "no_such"), ("ray._no_such", "x")):
        with pytest.raises(ClusterError, match=rf"Ray {ray.__version__} has no {module}.{name}"):
            private(module, name)


@pytest.fixture
def another_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Ray with nothing private that this one has."""

    def missing(module: str, name: str) -> Any:
        raise ClusterError(f"Ray 9.9 has no {module}.{name}")

    monkeypatch.setattr(internals, "private", missing)


def test_what_can_be_done_without_private_parts_is_done(another_ray: None) -> None:
    assert autoscaler_limits() == {}
    assert head_resource() == "node:__internal_head__"
    assert head_versions(object()) == {}
    for needing in (
        internals.head_address,
        lambda: own_node("127.0.0.1:1"),
        lambda: map_with_retries(None, dict, 1, {}),
        lambda: next(iterate_blocks(None)),
    ):
        with pytest.raises(ClusterError, match=r"Ray 9\.9 has no"):
            needing()


def test_the_head_has_its_resource(cluster: Cluster) -> None:
    assert autoscaler_limits() == {}  # there is none
    assert cluster.resources[head_resource()] == 1
    assert own_node(cluster.address) == ray.get_runtime_context().get_node_id()
    with pytest.raises(ClusterError, match=r"has no ray\._raylet\.GcsClient\.no_such"):
        internals._ask_head(cluster.address, "no_such")


def test_blocks_are_mapped_with_a_limit_of_retries(cluster: Cluster) -> None:
    numbers = ray.data.range(6, override_num_blocks=2)
    doubled = map_with_retries(numbers, _double, 1, {"num_cpus": 0.5})
    blocks = [ray.get(reference) for reference in iterate_blocks(doubled)]
    assert sorted(int(i) for block in blocks for i in block["id"]) == [0, 2, 4, 6, 8, 10]


def _double(batch: dict[str, Any]) -> dict[str, Any]:
    return {"id": 2 * batch["id"]}


def test_requests_of_the_jobs_client_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray import job_submission

    class Client:
        """Ray's, as far as it is used."""

        def __init__(self, address: str) -> None:
            self.address = address

        def _do_request(self, *args: Any, **options: Any) -> Any:
            data = {"rayVersion": "2.60.0", "pythonVersion": ""}
            answer = {"data": data} if options["timeout"] == 7.0 else {}
            return SimpleNamespace(status_code=200, json=lambda: answer)

    monkeypatch.setattr(job_submission, "JobSubmissionClient", Client)
    assert head_versions(jobs_client("http://head:8265", 7.0)) == {"Ray": "2.60.0"}
    monkeypatch.delattr(Client, "_do_request")
    assert type(jobs_client("http://head:8265", 7.0)) is Client


def test_one_line_is_hidden(capfd: pytest.CaptureFixture[str]) -> None:
    with lines_hidden():
        os.write(2, b"[E] core_worker.cc:2465: something else\n")
        os.write(2, NOISE[:70])
        os.write(2, NOISE[70:] + b"last")
        print("from Python", file=sys.stderr)
    os.write(2, b"\nafter\n" + NOISE)
    said = capfd.readouterr().err
    assert said.count("something else") == said.count("from Python") == said.count("after") == 1
    assert "last\nafter\n" in said or said.index("last") < said.index("after")
    assert said.count("MapWorker") == 1
    assert said.index("MapWorker") > said.index("after")
