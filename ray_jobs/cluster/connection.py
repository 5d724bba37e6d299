"""The cluster that work runs on: one that is there, or a new one on this machine.

A local one is left as it was found: `connect` ends what it has started, also after an error or
Ctrl-C, and Ray's own processes end with the one that started them even where that was killed. Ray
listens on every address of a machine; what keeps others out is its token, which is on unless
``RAY_AUTH_MODE=disabled`` says otherwise. The dashboard is off, or on this machine only.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from odm.core.errors import InputError
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.internals import start_settings

ROOT = Path(__file__).resolve().parents[2]
REACH_S, ANSWER_S = 5.0, 20.0
"""Seconds to connect to a port, and to wait for the first bytes of the server."""
IDLE_S = 30
MIN_OBJECT_STORE = 80_000_000
"""Bytes; Ray starts with no smaller store."""


@contextmanager
def connect(
    address: str | None = None,
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    object_store_bytes: int | None = None,
    dashboard: bool | int = False,
    quiet: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Connect this process to a cluster.

    A process that is connected already stays so, and keeps its environment.

    Args:
        address: ``host:port`` of a head, ``auto`` for the one on this machine, ``local`` for a new
            one; None takes that of ``RAY_ADDRESS``, else a new one.
        num_cpus, num_gpus: of a new one; None for all of this machine.
        object_store_bytes: of a new one: shared memory, beyond which objects go to disk; None for
            Ray's share of the memory.
        dashboard: of a new one: whether it has one, on this machine only, or its port.
        quiet: say nothing but errors, and keep what workers print in Ray's logs.
        environment: variables of the workers, beside the usual ones.

    Yields:
        The cluster.

    Raises:
        InputError: an address that cannot be one, or a size given for a cluster that is there.
        ClusterError: the cluster does not answer, or does not let this process in.
    """
    ray = import_ray(address)
    address = (address or os.environ.get("RAY_ADDRESS") or "local").strip()
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": {**_environment(), **(environment or {})}},
        "log_to_driver": not quiet,
        "logging_level": logging.ERROR if quiet else logging.INFO,
    }
    if ray.is_initialized():
        yield Cluster(ray.get_runtime_context().gcs_address, started=False)
        return
    new = address == "local"
    if new:
        options |= _new(num_cpus, num_gpus, object_store_bytes, dashboard)
    else:
        sized = num_cpus is not None or num_gpus is not None or object_store_bytes is not None
        _check_address(address, sized=sized)
    with _own_sigterm(), nullcontext() if new else _hushed():
        try:
            _init(ray, address, options)
        except (Exception, SystemExit) as error:
            ray.shutdown()
            raise ClusterError(_sentence(address, error)) from None
    try:
        yield Cluster(ray.get_runtime_context().gcs_address, started=new)
    finally:
        ray.shutdown()


@contextmanager
def data_settings(**settings: Any) -> Iterator[None]:
    """Settings of Ray Data for a while: they are the whole process's, and others use it too."""
    from ray.data import DataContext

    context = DataContext.get_current()
    kept = {name: getattr(context, name) for name in settings}
    for name, value in settings.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(context, name, value)


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    """Start or join; a machine that is busy may miss Ray's fixed 30 s, and is given them again."""
    try:
        ray.init(address=address, **options)
    except Exception as error:
        if address != "local" or "timed out during startup" not in str(error):
            raise
        ray.shutdown()
        ray.init(address=address, **options)


def import_ray(address: str | None = "there") -> Any:
    """Return Ray, ready to talk to a cluster.

    It reads variables when it is first imported, and ends the process where a token's file that
    they name holds none.

    Args:
        address: as of `connect`; by default any that is there.

    Raises:
        InputError: it is not installed, or the token's file is not there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    # A thread of Ray's that outlives `connect` would else start another Ray by what it asks.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    token = os.environ.get("RAY_AUTH_TOKEN") or path
    if path and not os.environ.get("RAY_AUTH_TOKEN"):
        try:
            empty = not Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise InputError(f"RAY_AUTH_TOKEN_PATH: {path} is no file with a token") from None
        if empty:
            raise InputError(f"RAY_AUTH_TOKEN_PATH: {path} is empty")
    new = (address or os.environ.get("RAY_ADDRESS") or "local") == "local"
    if "ray" not in sys.modules and (new or token or (Path.home() / ".ray/auth_token").is_file()):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed: pip install 'odm[ray]'") from None
    return ray


def _environment() -> dict[str, str]:
    """What worker processes need: they do not see the environment of this one.

    Ray itself sets ``OMP_NUM_THREADS`` to the CPUs of a task.
    """
    variables = {"NO_ALBUMENTATIONS_UPDATE": "1", "OPENCV_FOR_THREADS_NUM": "1"}
    given = os.environ.get("PYTHONPATH", "")
    paths = [path for path in given.split(os.pathsep) if path]
    if not any(name in ROOT.parts for name in ("site-packages", "dist-packages")):
        # A checkout, which workers find where the machines share it.
        paths = [str(ROOT), *(path for path in paths if path != str(ROOT))]
    if paths:
        variables["PYTHONPATH"] = os.pathsep.join(paths)
    return variables


def _new(
    num_cpus: int | None,
    num_gpus: int | None,
    object_store_bytes: int | None,
    dashboard: bool | int,
) -> dict[str, Any]:
    if num_cpus is not None and num_cpus < 1:
        raise InputError(f"a cluster of {num_cpus} CPUs: give 1 or more")
    if object_store_bytes is not None and object_store_bytes < MIN_OBJECT_STORE:
        raise InputError(
            f"an object store of {object_store_bytes / 1e6:.0f} MB: give "
            f"{MIN_OBJECT_STORE / 1e6:.0f} MB or more"
        )
    return {
        "num_cpus": num_cpus,
        "num_gpus": num_gpus,
        "object_store_memory": object_store_bytes,
        "include_dashboard": bool(dashboard),
        "dashboard_port": None if isinstance(dashboard, bool) else dashboard,
        "dashboard_host": "127.0.0.1",
        **start_settings(IDLE_S),
    }


def _check_address(address: str, *, sized: bool) -> None:
    """See that a head may listen there: Ray itself tries for minutes and then ends the process.

    Raises:
        InputError: it is no address, or a size is given for a cluster that is there.
        ClusterError: nobody does, or something else.
    """
    if sized:
        raise InputError(
            f"the cluster at {address} is there already: its CPUs, GPUs and memory are given where "
            "it is started"
        )
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit() or int(port) > 65535:
        raise InputError(
            f"{address!r} is no address of a Ray cluster: give host:port of its head, such as "
            "10.0.0.5:6379, or auto for the one on this machine"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), REACH_S) as connection:
            speaks = "RAY_USE_TLS" in os.environ or _speaks_http2(connection)
    except OSError as error:
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        raise ClusterError(f"no Ray cluster answers at {address}: {reason}") from None
    if not speaks:
        raise ClusterError(
            f"what answers at {address} is no head of a Ray cluster: its port is 6379 unless ray "
            "start is told another; 8265 is that of its dashboard"
        )


def _speaks_http2(connection: socket.socket) -> bool:
    """Whether a server begins as one of gRPC does [1].

    [1] RFC 9113, section 3.4: both sides begin with a SETTINGS frame, whose type is 4.
    """
    connection.settimeout(ANSWER_S)
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    with connection.makefile("rb") as answer:
        begun = answer.read(4)
    return len(begun) == 4 and begun[3] == 4


def _sentence(address: str, error: BaseException) -> str:
    what = "cannot start Ray here" if address == "local" else f"no Ray cluster at {address}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    refused = type(error).__name__ == "AuthenticationError"
    if address == "auto" and not refused:
        return "no Ray cluster runs on this machine: start one with ray start --head"
    if refused or isinstance(error, SystemExit | ConnectionError) or not lines:
        return (
            f"{what}, or it does not let this process in: set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH to a copy of ~/.ray/auth_token of its head"
        )
    if "Version mismatch" in lines[0]:
        versions = " ".join(lines).removeprefix("Version mismatch: ")
        return f"{what}: other versions ({versions}): install the same on both"
    return f"{what}: {lines[0]}"


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this program's answer to SIGTERM: Ray sets its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing on standard error: a cluster that does not let us in is told of twenty times."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
