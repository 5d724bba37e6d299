"""Jobs on a cluster, over its dashboard: submit, follow, list, stop.

The dashboard listens on the head alone; from elsewhere it is reached by a tunnel such as
``ray dashboard cluster.yaml`` or ``ssh -L 8265:localhost:8265 head`` makes.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from odm.core.errors import InputError, Stopped
from odm.core.faults import first_line
from ray_jobs.cluster.connection import REACH_S, import_ray
from ray_jobs.cluster.room import ClusterError
from ray_jobs.internals import head_versions, jobs_client

PORT = 8265
ANSWER_S = 60.0
"""Seconds in which the dashboard has to answer a question; Ray's own client waits for ever."""
QUIET_S = 60.0
"""Seconds without a line after which a log is asked for anew: its connection may be dead."""
LOST_S = 60.0
"""Seconds for which a tunnel may break while logs are followed."""
STOP_WAIT_S = 300
"""Seconds that a job has to commit what it has at hand, before Ray kills it."""
_OF_RAY = re.compile(r"-- Runtime env is setting up\.$|^Running entrypoint for job ")


@dataclass(frozen=True)
class SubmittedJob:
    """A job as the cluster knows it. ``started``, ``ended``: s since 1970; None if not yet."""

    id: str
    status: str
    command: str
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    message: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ("SUCCEEDED", "FAILED", "STOPPED")

    @property
    def code(self) -> int:
        """Exit code for who waited for it: the command's own where it has one."""
        own = self.exit_code if self.exit_code and 0 < self.exit_code < 256 else 1
        return {"STOPPED": Stopped.exit_code, "SUCCEEDED": 0}.get(self.status, own)


class JobClient:
    """The jobs of a cluster.

    Args:
        address: ``http://host:port`` or ``host:port`` of its dashboard; None for that of
            ``RAY_API_SERVER_ADDRESS``, else the one on this machine or at the end of a tunnel.

    Raises:
        InputError: an address that cannot be one.
        ClusterError: nobody answers, or does not let this process in.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = dashboard_address(address)
        import_ray()
        # Ray lets this variable overrule what it is given.
        os.environ["RAY_API_SERVER_ADDRESS"] = self.address
        with self._told():
            self._client: Any = jobs_client(self.address, ANSWER_S)

    def versions(self) -> dict[str, str]:
        """Return the versions of ``Ray`` and ``Python`` on the head, as far as it tells them."""
        with self._told():
            return head_versions(self._client)

    def submit(
        self,
        entrypoint: str,
        name: str,
        *,
        package: Path | None = None,
        environment: Mapping[str, str] | None = None,
        command: str = "",
    ) -> None:
        """Start a job.

        Args:
            entrypoint: a shell command.
            name: of the job.
            package: a zip that is unpacked where it runs, on every machine of it.
            environment: variables, which everybody sees who sees the dashboard.
            command: what it is called in lists.
        """
        variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **(environment or {})}
        sent = {} if package is None else {"working_dir": str(package)}
        with self._told():
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=name,
                runtime_env={"env_vars": variables, **sent},
                metadata={"command": command or entrypoint},
            )

    def get(self, name: str) -> SubmittedJob:
        """Return one job.

        Raises:
            InputError: there is none of that name.
        """
        with self._told(name):
            return _job(self._client.get_job_info(name))

    def list_all(self) -> list[SubmittedJob]:
        """Return all jobs, the oldest first; a driver started by hand is one with an empty ID."""
        with self._told():
            jobs = [_job(details) for details in self._client.list_jobs()]
        return sorted(jobs, key=lambda job: job.started or 0.0)

    def list_submitted(self) -> list[SubmittedJob]:
        """Return the jobs that were submitted, the oldest first."""
        return [job for job in self.list_all() if job.id]

    def stop(self, name: str) -> bool:
        """Ask a job to stop: it commits what it has at hand. False if it was over already."""
        with self._told(name):
            return bool(self._client.stop_job(name))

    def logs(self, name: str) -> str:
        """Return what a job has said so far."""
        with self._told(name):
            text = str(self._client.get_job_logs(name))
        return "".join(line for line in text.splitlines(keepends=True) if not _OF_RAY.search(line))

    def wait(self, name: str, limit_s: float) -> SubmittedJob:
        """Return a job when it is over, or as it is after ``limit_s`` seconds."""
        deadline = time.monotonic() + limit_s
        while not (job := self.get(name)).is_over and time.monotonic() < deadline:
            time.sleep(0.5)
        return job

    def follow(self, name: str, say: Callable[[str], object]) -> SubmittedJob:
        """Say what a job says until it is over; a connection that breaks is made again.

        Raises:
            ClusterError: the connection is gone for long. The job goes on.
        """
        lines = _Lines(say)
        heard = time.monotonic()
        while True:
            before = lines.seen
            try:
                asyncio.run(self._tail(name, lines))
                job = self.get(name)
                if job.is_over:
                    with self._told(name):
                        lines.hear_last(str(self._client.get_job_logs(name)))
                    return job
                heard = time.monotonic()
            except InputError:
                raise
            except _Unheard:
                raise BrokenPipeError from None
            except Exception as error:  # whatever a broken connection is called at each level
                heard = time.monotonic() if lines.seen > before else heard
                if time.monotonic() - heard > LOST_S:
                    raise ClusterError(
                        f"lost the cluster at {self.address} ({first_line(error)}); the job goes "
                        f"on: odm jobs logs {name} --follow"
                    ) from None
            time.sleep(1.0)

    async def _tail(self, name: str, lines: _Lines) -> None:
        lines.rewind()
        texts = self._client.tail_job_logs(name)
        try:
            while (text := await asyncio.wait_for(anext(texts, None), QUIET_S)) is not None:
                lines.hear_more(text)
        except TimeoutError:
            return  # the caller asks how the job stands, and listens anew
        finally:
            await texts.aclose()

    @contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        """Turn what the client raises into one sentence."""
        from ray.exceptions import AuthenticationError

        try:
            yield
        except AuthenticationError:
            raise ClusterError(
                f"the cluster at {self.address} does not let this process in: set "
                "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to a copy of ~/.ray/auth_token of its "
                "head"
            ) from None
        except OSError:
            raise ClusterError(
                f"what answers at {self.address} is no dashboard of a Ray cluster, or it breaks "
                f"off, or takes more than {ANSWER_S:.0f} s"
            ) from None
        except (RuntimeError, ValueError) as error:
            if name and "404" in str(error):
                raise InputError(f"{self.address} knows no job {name}: see odm jobs list") from None
            text = first_line(error)
            raise ClusterError(f"the cluster at {self.address} refuses: {text}") from None


class _Unheard(Exception):
    """Nobody reads what is said any more; the connection to the cluster is well."""


class _Lines:
    """Says each line of a job's log once, without Ray's own; a tail starts from its first again."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say = say
        self.seen = 0
        self._at = 0
        self._rest = ""

    def rewind(self) -> None:
        self._at = 0

    def hear_more(self, text: str) -> None:
        start, self._at = self._at, self._at + len(text)
        self._add(text[max(0, self.seen - start) :])
        self.seen = max(self.seen, self._at)

    def hear_last(self, whole: str) -> None:
        self.rewind()
        self.hear_more(whole)
        if self._rest:
            self._add("\n")

    def _add(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            try:
                if not _OF_RAY.search(line):
                    self.say(line)
            except BrokenPipeError:
                raise _Unheard from None


def _job(details: Any) -> SubmittedJob:
    return SubmittedJob(
        id=details.submission_id or "",
        status=str(getattr(details.status, "value", details.status)),
        command=(details.metadata or {}).get("command", details.entrypoint),
        started=None if details.start_time is None else details.start_time / 1e3,
        ended=None if details.end_time is None else details.end_time / 1e3,
        exit_code=details.driver_exit_code,
        message=details.message or "",
    )


def dashboard_address(address: str | None) -> str:
    """Return the whole address of a dashboard, after checking that somebody listens there.

    Raises:
        InputError: it cannot be one.
        ClusterError: nobody listens there.
    """
    given = (address or os.environ.get("RAY_API_SERVER_ADDRESS") or "").strip()
    text = f"http://127.0.0.1:{PORT}" if given in ("", "auto") else given
    text = text if "://" in text else f"http://{text}"
    parts = urlsplit(text)
    try:
        port = parts.port or (443 if parts.scheme == "https" else PORT)
    except ValueError:
        port = 0
    host = parts.hostname
    if not (port and host and parts.scheme in ("http", "https") and parts.path in ("", "/")):
        raise InputError(
            f"{given!r} is no address of a Ray dashboard: give host:port, such as 127.0.0.1:{PORT} "
            "at the end of a tunnel"
        )
    try:
        socket.create_connection((host, port), REACH_S).close()
    except (OSError, UnicodeError) as error:
        raise ClusterError(
            f"no dashboard of a Ray cluster answers at {text}: {first_line(error)}; is the tunnel "
            "open (ray dashboard cluster.yaml)?"
        ) from None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
