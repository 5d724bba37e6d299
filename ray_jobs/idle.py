"""`python -m ray_jobs.idle --minutes 60 -- COMMAND`: run it when a head has had no job so long.

A cloud's autoscaler takes idle workers away, never the head.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable

from odm.core.errors import OdmError


def wait_until_idle(
    busy: Callable[[], bool], idle_s: float, every_s: float, clock: Callable[[], float]
) -> None:
    """Return when nothing has been busy for a while.

    Args:
        busy: whether anything is; raises `OdmError` where nobody can say, which counts as neither.
        idle_s: length of the while.
        every_s: seconds from one question to the next.
        clock: gives the time in seconds.
    """
    last = clock()
    while clock() - last < idle_s:
        try:
            if busy():
                last = clock()
        except OdmError as error:
            print(error, flush=True)
        time.sleep(every_s)


def main() -> None:
    """Ask every half minute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--address", default=None, help="host:port of the dashboard")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    def busy() -> bool:
        from ray_jobs.jobs.client import JobClient

        return any(not job.is_over for job in JobClient(options.address).list_all())

    wait_until_idle(busy, 60 * options.minutes, options.every, time.monotonic)
    raise SystemExit(subprocess.run(options.command, check=False).returncode)


if __name__ == "__main__":
    main()
