"""The machines of a cluster: whether they have the same code and share the same storage.

Asked before work begins, of every node that works; and of what they do not have yet, that of an
autoscaler.
"""

from __future__ import annotations

import hashlib
import re
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from odm.core.errors import OdmError
from odm.core.files import exists, local_path, write_bytes
from odm.core.progress import say
from ray_jobs.cluster.connection import ROOT
from ray_jobs.cluster.room import Cluster, ClusterError, room
from ray_jobs.internals import autoscaler_limits

ANSWER_S = 120.0
"""Seconds in which a node has to start a process and look."""
GROW_S = 900.0
"""Seconds in which a cloud has to bring machines."""
LOOK_S = 2.0
_PROBE = re.compile(r"/\.seen-[0-9a-f]{32}$")


@dataclass(frozen=True)
class Facts:
    """What a node has.

    Attributes:
        host: its name.
        version: of odm.
        code: digest of its source.
        unseen: of the paths it was asked for, those that it does not see.
    """

    host: str
    version: str
    code: str
    unseen: tuple[str, ...] = ()


def look(paths: Sequence[str] = ()) -> Facts:
    """Return facts of the machine that this runs on."""
    from odm import __version__

    unseen = tuple(path for path in paths if path and not is_seen(path))
    return Facts(socket.gethostname(), __version__, code_digest(), unseen)


def is_seen(path: str) -> bool:
    """Whether a file or folder, local or of a store, is there."""
    local = local_path(path)
    try:
        return local.exists() if local is not None else exists(path)
    except OSError:
        return False
    except OdmError:  # a store that does not answer for the moment is no missing mount
        return True


@lru_cache(maxsize=1)
def code_digest() -> str:
    """SHA-256 of the source that does the work, so that 0.1.0 is not just any 0.1.0."""
    import odm

    digest = hashlib.sha256()
    for package in (Path(odm.__file__).parent, ROOT / "ray_jobs", ROOT / "tuning"):
        for path in sorted(package.rglob("*.py")):
            digest.update(path.relative_to(package.parent).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def check_nodes(
    paths: Sequence[str] = (), *, written: Path | None = None, timeout_s: float = ANSWER_S
) -> None:
    """Ask every node that works whether it has this code and sees these paths.

    A path that this machine does not see itself is passed over, and so is a node that goes away
    meanwhile.

    Args:
        paths: files or folders, local or of a store, that all have to see.
        written: a folder that workers write to, and that has to be the same one for all: each may
            have one of that name on a disk of its own.
        timeout_s: for the answers.

    Raises:
        ClusterError: one does not; it names the node.
    """
    import ray

    own = ray.get_runtime_context().get_node_id()
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if [node["NodeID"] for node in nodes] == [own]:  # alone, it has what this process has
        return
    paths = [path for path in paths if is_seen(path)]
    if written is None:
        _check_nodes(nodes, paths, timeout_s)
        return
    probe = written.resolve() / f".seen-{uuid.uuid4().hex}"
    write_bytes(probe, b"")
    try:
        _check_nodes(nodes, [*paths, str(probe)], timeout_s)
    finally:
        probe.unlink(missing_ok=True)


def _check_nodes(nodes: Sequence[Mapping[str, Any]], paths: Sequence[str], limit_s: float) -> None:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = look()
    asking: Any = ray.remote(look)
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = asking.options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        asked[task.remote(tuple(paths))] = node
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=limit_s)
    for answer in ready:
        node = asked[answer]
        try:
            facts = ray.get(answer)
        except ray.exceptions.RayError as error:
            if not _is_alive(node["NodeID"]):
                continue
            raise ClusterError(_unable(named(node), error)) from None
        compare(named(node), facts, here)
    for answer in late:
        if _is_alive(asked[answer]["NodeID"]):
            raise ClusterError(
                f"{named(asked[answer])} does not answer in {limit_s:.0f} s: it is too busy, or "
                "cannot start processes"
            )


def compare(node: str, facts: Facts, here: Facts) -> None:
    """Compare a node with the driver.

    Raises:
        ClusterError: they differ, or the node does not see what it has to.
    """
    if facts.unseen:
        unseen = [_PROBE.sub("", path) for path in facts.unseen]
        raise ClusterError(
            f"{node} does not see {', '.join(unseen)}: all machines of the cluster have to "
            "share it under this name"
        )
    if (facts.version, facts.code) != (here.version, here.code):
        raise ClusterError(
            f"{node} has odm {facts.version} ({facts.code}), the driver on {here.host} "
            f"{here.version} ({here.code}): install the same on all machines, or send it along "
            "with odm submit"
        )


def named(node: Mapping[str, Any]) -> str:
    """What a node of `ray.nodes` is called."""
    host, address = node.get("NodeManagerHostname", ""), node.get("NodeManagerAddress", "")
    return f"node {host} ({address}, {node['NodeID'][:8]})"


def _is_alive(node_id: str) -> bool:
    import ray

    return any(node["NodeID"] == node_id and node["Alive"] for node in ray.nodes())


def _unable(node: str, error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines else type(error).__name__
    if "ModuleNotFoundError" in text or "No module named" in text:
        return f"{node} has no odm, or another one: {text}"
    return f"{node} cannot run a task: {text[:200]}"


def await_room(cluster: Cluster, number: int, each: Mapping[str, float], what: str) -> None:
    """See that workers fit, or have an autoscaler bring machines until they do.

    Args:
        cluster: connected.
        number: of workers.
        each: resources of one.
        what: they are called.

    Raises:
        ClusterError: they do not fit, and nothing can be done about it, or not in time.
    """
    most = {} if cluster.started else autoscaler_limits()
    is_beyond = any(amount * number > most.get(name, 0.0) for name, amount in each.items())
    if is_beyond or room(cluster.machines, each) >= number:
        cluster.check(number, each, what)
        return
    from ray.autoscaler.sdk import request_resources

    say(f"waiting for machines: {number} {what} wanted")
    request_resources(bundles=[{n: a for n, a in each.items() if n != "memory"}] * number)
    deadline = time.monotonic() + GROW_S
    try:
        while room(cluster.machines, each) < number:
            if time.monotonic() > deadline:
                cluster.check(number, each, what)
            time.sleep(LOOK_S)
    finally:
        request_resources(bundles=[])  # from now on the work itself says what it needs
