"""`python -m ray_jobs.preemption`: tell Ray to drain this machine before it is taken away.

AWS gives two minutes' notice before it takes a spot machine, at an address that every machine can
ask [1]. Ray itself does not ask. A drained machine gets no new work, and trainings on it write a
checkpoint. Where something else says when a machine goes, such as Kubernetes to a pod, it is called
with ``--within SECONDS`` and stays for so long.

[1] AWS, "Spot Instance interruption notices": instance-action in the instance metadata, version 2.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

METADATA = "http://169.254.169.254"
EVERY_S = 5.0
TIMEOUT_S = 2.0
PREEMPTION = 2
"""``DRAIN_NODE_REASON_PREEMPTION`` of Ray's autoscaler protocol."""


def notice(metadata: str = METADATA) -> datetime | None:
    """When this machine is taken away; None while nothing is said of it."""
    try:
        asking = urllib.request.Request(
            f"{metadata}/latest/api/token",
            method="PUT",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"},
        )
        with urllib.request.urlopen(asking, timeout=TIMEOUT_S) as answer:
            token = answer.read().decode()
        request = urllib.request.Request(
            f"{metadata}/latest/meta-data/spot/instance-action",
            headers={"X-aws-ec2-metadata-token": token},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            content = json.loads(answer.read())
        return datetime.fromisoformat(content["time"].replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError, TypeError):  # 404 is the usual answer
        return None


def drain(address: str, node: str, until: datetime) -> bool:
    """Have Ray drain a node.

    Args:
        address: of the cluster's head.
        node: its ID; empty for the node of this machine.
        until: when it goes.

    Returns:
        Whether Ray agrees.
    """
    from ray_jobs.cluster.connection import import_ray

    import_ray()
    import ray._raylet as raylet

    client: Any = raylet.GcsClient(address=address)  # type: ignore[attr-defined]
    found = node or _own_node(client)
    deadline_ms = int(until.timestamp() * 1000)
    agreed, why = client.drain_node(found, PREEMPTION, "the machine is taken away", deadline_ms)
    print(f"draining {found} until {until}: {'begun' if agreed else why}", flush=True)
    return bool(agreed)


def _own_node(client: Any) -> str:
    """The ID of the node on this machine."""
    import ray._private.services as services
    from ray._raylet import NodeID

    here = services.get_node_ip_address()
    for key, info in client.get_all_node_info().items():
        if info.node_manager_address == here and info.state == 0:
            return (key if isinstance(key, NodeID) else NodeID(info.node_id)).hex()
    raise SystemExit(f"no node of Ray runs on {here}")


def main() -> None:
    """Ask until there is a notice, and drain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata", default=METADATA, help="of the machine")
    parser.add_argument("--address", default="", help="of Ray's head [default: this machine's]")
    parser.add_argument("--node", default="", help="ID of the node [default: this machine's]")
    parser.add_argument("--within", type=float, help="seconds until it goes: nobody is asked")
    options = parser.parse_args()
    until: datetime | None = None
    if options.within is not None:
        until = datetime.now(UTC) + timedelta(seconds=options.within)
    while until is None and (until := notice(options.metadata)) is None:
        time.sleep(EVERY_S)
    left = (until - datetime.now(UTC)).total_seconds()
    print(f"this machine is taken away in {left:.0f} s", flush=True)
    address = options.address
    if not address:
        from ray_jobs.cluster.connection import import_ray

        import_ray()
        import ray._private.services as services

        address = services.canonicalize_bootstrap_address_or_die("auto")
    agreed = drain(address, options.node, until)
    if options.within is not None and agreed:
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
    raise SystemExit(0 if agreed else 1)


if __name__ == "__main__":
    main()
