"""A cluster of several nodes on this machine, started as one starts it by hand, with its own token.

`ray stop` would end every Ray of this machine: nodes are ended by their processes.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
TRIES = 4
"""A machine that is busy may miss the 30 s that Ray gives a node to start."""


class Machines:
    """A head that runs no work, and nodes that join it.

    Args:
        folder: for the token; Ray's own files go to a short path.
    """

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text(secrets.token_hex(16))
        # Sockets of Unix have short names only.
        self._temporary = tempfile.mkdtemp(prefix="odm-ray-", dir="/tmp")
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.port, self.dashboard_port = _free_port(), _free_port()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        return f"127.0.0.1:{self.dashboard_port}"

    @property
    def environment(self) -> dict[str, str]:
        """For a process that may come in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ADDRESS": self.address,
            "RAY_API_SERVER_ADDRESS": f"http://{self.dashboard}",
        }

    def start_head(self, cpus: int = 0) -> None:
        """The head, and its dashboard on loopback."""
        self._start(
            "head",
            "--head",
            f"--port={self.port}",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self.dashboard_port}",
            f"--ray-client-server-port={_free_port()}",
            f"--num-cpus={cpus}",
        )

    def join(self, name: str, cpus: int, *more: str) -> None:
        """Another node."""
        self._start(name, f"--address={self.address}", f"--num-cpus={cpus}", *more)

    def kill(self, name: str) -> None:
        """End a node as when its plug is pulled."""
        process = self.nodes.pop(name)
        doomed = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for one in doomed:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        psutil.wait_procs(doomed, timeout=20)

    def close(self) -> None:
        """End all."""
        for name in reversed(list(self.nodes)):
            self.kill(name)
        subprocess.run(["rm", "-rf", self._temporary], check=False)

    def odm(self, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """A command of odm, in the environment of somebody who may come in."""
        return subprocess.run(
            odm_words(*words), cwd=cwd, env=self.environment, capture_output=True, text=True
        )

    def _start(self, name: str, *words: str) -> None:
        common = ["--block", "--node-ip-address=127.0.0.1", "--object-store-memory=100000000",
                  "--dashboard-agent-listen-port=0", "--min-worker-port=0", "--max-worker-port=0",
                  f"--node-name={name}", "--disable-usage-stats",
                  # Else nodes of one machine would unpack the code of a job over each other.
                  f"--temp-dir={self._temporary}/{name}"]  # fmt: skip
        environment = {k: v for k, v in self.environment.items() if k != "RAY_ADDRESS"}
        log = Path(self._temporary, f"{name}.log")  # names are short: sockets lie below them
        for _ in range(TRIES):
            with log.open("w") as output:
                started = subprocess.Popen(
                    [sys.executable, "-m", "ray.scripts.scripts", "start", *words, *common],
                    env=environment,
                    cwd=ROOT,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            while started.poll() is None:
                if "Ray runtime started" in log.read_text():
                    self.nodes[name] = started
                    return
                time.sleep(0.2)
        raise AssertionError(f"{name} does not start: {log.read_text()}")


def odm_words(*words: str) -> list[str]:
    """The command odm of this tree, whatever is installed."""
    return [sys.executable, "-m", "tests.ray_jobs.command", *words]


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """Ended whatever happens."""
    made = Machines(folder)
    try:
        yield made
    finally:
        made.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
