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
import urllib.request
from datetime import UTC, datetime, timedelta

METADATA = "http://169.254.169.254"
EVERY_S = 5.0
TIMEOUT_S = 2.0


def notice(metadata: str = METADATA) -> datetime | None:
    """Return when this machine is taken away; None while nothing is said of it."""

    def ask(method: str, name: str, header: str, value: str) -> str:
        headers = {f"X-aws-ec2-metadata-{header}": value}
        request = urllib.request.Request(f"{metadata}/latest/{name}", None, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode())

    try:
        token = ask("PUT", "api/token", "token-ttl-seconds", "60")
        content = json.loads(ask("GET", "meta-data/spot/instance-action", "token", token))
        return datetime.fromisoformat(content["time"].replace("Z", "+00:00"))
    except (OSError, ValueError, KeyError, TypeError):  # 404 is the usual answer
        return None


def drain(address: str, node: str, deadline: datetime) -> bool:
    """Have Ray drain a node, and say on standard output what it answers.

    Args:
        address: ``host:port`` of the cluster's head; empty for that of this machine's.
        node: its ID; empty for the node of this machine.
        deadline: time at which the machine goes.

    Returns:
        Whether Ray agrees.
    """
    from ray_jobs.cluster.connection import import_ray
    from ray_jobs.internals import drain_node, head_address, own_node

    import_ray()
    address = address or head_address()
    node_id = node or own_node(address)
    if node_id is None:
        raise SystemExit("no node of Ray runs on this machine")
    agreed, reason = drain_node(address, node_id, deadline)
    print(f"draining {node_id} until {deadline}: {'begun' if agreed else reason}", flush=True)
    return agreed


def main() -> None:
    """Ask until there is a notice, and drain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata", default=METADATA, help="address of the machine's metadata")
    parser.add_argument(
        "--address", default="", help="host:port of Ray's head [default: this machine's]"
    )
    parser.add_argument("--node", default="", help="ID of the node [default: this machine's]")
    parser.add_argument("--within", type=float, help="seconds until it goes: nobody is asked")
    options = parser.parse_args()
    deadline: datetime | None = None
    if options.within is not None:
        deadline = datetime.now(UTC) + timedelta(seconds=options.within)
    while deadline is None and (deadline := notice(options.metadata)) is None:
        time.sleep(EVERY_S)
    left = (deadline - datetime.now(UTC)).total_seconds()
    print(f"this machine is taken away in {left:.0f} s", flush=True)
    agreed = drain(options.address, options.node, deadline)
    if options.within is not None and agreed:
        time.sleep(max(0.0, (deadline - datetime.now(UTC)).total_seconds()))
    raise SystemExit(0 if agreed else 1)


if __name__ == "__main__":
    main()
