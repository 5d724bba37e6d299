"""All uses of what Ray does not promise to keep: private modules, functions and words of its logs.

Each function says what it needs it for. Where another version of Ray lacks it, the function raises
a `ClusterError` that names the version, or gives an answer that is safe without it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from typing import Any

from ray_jobs.cluster.room import ClusterError

TESTED = "2.60"
"""Version of Ray with which everything here was tested."""
DRAIN_REASON_PREEMPTION = 2
"""``DRAIN_NODE_REASON_PREEMPTION`` of Ray's autoscaler protocol."""
ALIVE = 0
"""``ALIVE``, the state of a node in Ray's protocol of the head."""
RESTARTED_ACTORS = re.compile(
    rb"core_worker\.cc:\d+: Actor with class name: 'MapWorker\(.*has constructor arguments in the "
    rb"object store and max_restarts > 0"
)
"""Warning of Ray's C++ part about what Ray Data itself does: it passes its operators to its actors
so, and holds them until the end."""
FLUSH_S = 2.0


def private(module: str, name: str) -> Any:
    """Return a part of Ray that is not public.

    Args:
        module: such as ``ray._private.services``.
        name: of the part in it; may have dots.

    Raises:
        ClusterError: this version of Ray has none.
    """
    try:
        part: Any = import_module(module)
        for attribute in name.split("."):
            part = getattr(part, attribute)
    except (ImportError, AttributeError):
        raise _lacking(f"{module}.{name}") from None
    return part


def _lacking(name: str) -> ClusterError:
    import ray

    return ClusterError(
        f"Ray {ray.__version__} has no {name}, which is not public: install Ray {TESTED}, with "
        "which odm was tested"
    )


def start_settings(idle_s: float) -> dict[str, Any]:
    """Return arguments of `ray.init` for a cluster that works for one program only.

    Args:
        idle_s: seconds after which Ray ends a worker process that has nothing to do.
    """
    return {
        "_system_config": {
            # Idle processes that Ray starts at once would have another environment than ours.
            "prestart_worker_first_driver": False,
            # By default workers stand back behind everything else on the machine; here they are
            # the work.
            "worker_niceness": 0,
            # On a few cores Ray ends a process that is idle for a second, and another one takes
            # three to start when the next stage has something to do.
            "idle_worker_killing_time_threshold_ms": round(idle_s * 1000),
        }
    }


def head_address() -> str:
    """Return ``host:port`` of the head of the cluster to which this machine belongs.

    Raises:
        ClusterError: this version of Ray cannot say.
    """
    find = private("ray._private.services", "canonicalize_bootstrap_address_or_die")
    return str(find("auto"))


def own_node(address: str) -> str | None:
    """Return the ID of the node on this machine, in hexadecimal; None where there is none.

    Args:
        address: ``host:port`` of the cluster's head.

    Raises:
        ClusterError: this version of Ray cannot say.
    """
    here = private("ray._private.services", "get_node_ip_address")()
    node_id = private("ray._raylet", "NodeID")
    for key, node in _ask_head(address, "get_all_node_info").items():
        if node.node_manager_address == here and node.state == ALIVE:
            identity = key if isinstance(key, node_id) else node_id(node.node_id)
            return str(identity.hex())
    return None


def drain_node(address: str, node: str, deadline: datetime) -> tuple[bool, str]:
    """Have Ray give a node no new work, since its machine is taken away.

    Args:
        address: ``host:port`` of the cluster's head.
        node: ID of the node, in hexadecimal.
        deadline: time at which the machine goes.

    Returns:
        Whether Ray agrees, and why not.

    Raises:
        ClusterError: this version of Ray cannot be asked to.
    """
    until_ms = int(deadline.timestamp() * 1000)
    agreed, reason = _ask_head(
        address, "drain_node", node, DRAIN_REASON_PREEMPTION, "the machine is taken away", until_ms
    )
    return bool(agreed), str(reason)


def _ask_head(address: str, question: str, *arguments: object) -> Any:
    client = private("ray._raylet", "GcsClient")(address=address)
    if not hasattr(client, question):
        raise _lacking(f"ray._raylet.GcsClient.{question}")
    return getattr(client, question)(*arguments)


def autoscaler_limits() -> dict[str, float]:
    """Return the most that an autoscaler can make of the cluster, by Ray's names of resources.

    Empty without an autoscaler, and where this version of Ray cannot say: then nobody waits for
    machines.
    """
    import ray

    if not ray.is_initialized():
        return {}
    try:
        ask = private("ray._private.state", "state.get_max_resources_from_cluster_config")
    except ClusterError:
        return {}
    return {name: float(number) for name, number in (ask() or {}).items()}


def head_resource() -> str:
    """Return the name of the resource that the head alone has."""
    try:
        return str(private("ray._common.constants", "HEAD_NODE_RESOURCE_NAME"))
    except ClusterError:
        return "node:__internal_head__"


def jobs_client(address: str, timeout_s: float) -> Any:
    """Return Ray's client of jobs, which logs no messages and does not wait for ever.

    Args:
        address: ``http://host:port`` of the dashboard.
        timeout_s: limit of each request; none where this version of Ray knows no such limit.
    """
    from ray.job_submission import JobSubmissionClient

    for name in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)  # that import has set them
    if not hasattr(JobSubmissionClient, "_do_request"):
        return JobSubmissionClient(address)

    class ClientWithLimit(JobSubmissionClient):
        def _do_request(self, *args: Any, **kwargs: Any) -> Any:
            return super()._do_request(*args, **{"timeout": timeout_s, **kwargs})

    return ClientWithLimit(address)


def head_versions(client: Any) -> dict[str, str]:
    """Return the versions of ``Ray`` and ``Python`` on the head, as far as it tells them.

    Args:
        client: as `jobs_client` gives it.
    """
    if not hasattr(client, "_do_request"):
        return {}
    answer = client._do_request("GET", "/api/v0/cluster_metadata")
    metadata = answer.json().get("data", {}) if answer.status_code == 200 else {}
    names = {"Ray": "rayVersion", "Python": "pythonVersion"}
    return {name: str(metadata[key]) for name, key in names.items() if metadata.get(key)}


def map_with_retries(
    dataset: Any, function: Callable[..., Any], retries: int, resources: dict[str, float]
) -> Any:
    """Map whole blocks of a Ray dataset in tasks, of which each is tried again so often at most.

    The public ``map_batches`` has no limit: it would try a block that kills its reader for ever.

    Args:
        dataset: a dataset of Ray Data.
        function: from a batch to a batch.
        retries: number of times that Ray starts a task again whose process has died.
        resources: ``num_cpus`` and ``memory`` of a task.

    Raises:
        ClusterError: this version of Ray cannot limit them.
    """
    private("ray.data", "Dataset.map_batches_internal")
    return dataset.map_batches_internal(function, batch_size=None, max_retries=retries, **resources)


def iterate_blocks(dataset: Any) -> Iterator[Any]:
    """Yield the references of a Ray dataset's blocks as they are made.

    Raises:
        ClusterError: this version of Ray does not give them.
    """
    private("ray.data", "Dataset.iter_internal_ref_bundles")
    for bundle in dataset.iter_internal_ref_bundles():
        yield from bundle.block_refs


@contextmanager
def lines_hidden() -> Iterator[None]:
    """Keep lines of `RESTARTED_ACTORS` from standard error, where C++ code writes them.

    Ray's C++ part writes to the file descriptor itself, so that is where lines are taken out.
    Python's own standard error goes around the filter: a terminal stays one, and a progress bar a
    bar. What is not a whole line when the body ends is passed on as it is.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    readable, writable = os.pipe()
    os.dup2(writable, 2)
    os.close(writable)
    reader = threading.Thread(target=_pass_lines, args=(readable, kept), daemon=True)
    reader.start()
    before = sys.stderr
    is_standard = _is_standard(before)
    if is_standard:
        sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, errors="backslashreplace")
    try:
        yield
    finally:
        if is_standard:
            sys.stderr.close()
            sys.stderr = before
        os.dup2(kept, 2)  # which ends the pipe, unless a process that was started here holds it
        reader.join(FLUSH_S)
        if not reader.is_alive():
            os.close(kept)


def _is_standard(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (AttributeError, OSError, ValueError):
        return False


def _pass_lines(readable: int, to: int) -> None:
    with os.fdopen(readable, "rb") as lines:
        for line in lines:
            if not RESTARTED_ACTORS.search(line):
                while line:
                    line = line[os.write(to, line) :]
