"""Makes a job on a cluster of a command line as it is given here."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from odm.core.errors import InputError
from ray_jobs.cluster.connection import import_ray
from ray_jobs.cluster.room import ClusterError
from ray_jobs.jobs.client import JobClient
from ray_jobs.jobs.pack import Package, choose_files

COMMANDS = ("reprocess", "train", "tune", "estimate")
"""Commands that run on a cluster."""
OWN_VARIABLES = ("RAY_", "PYTHONPATH", "OPENCV_FOR_THREADS_NUM", "NO_ALBUMENTATIONS_UPDATE")
"""Variables, or beginnings of them, that are set for every job already."""
READ = ("--config", "--data", "--init", "--model", "--rates", "--space")
"""Options whose files may travel. What a command writes, and archives, lie on the cluster, even
where something of that name was packed: the folder of a job is thrown away."""


@dataclass(frozen=True)
class Submission:
    """A command that is to run on a cluster.

    Attributes:
        command: words after ``odm``.
        folder: on the cluster, where it runs: relative names are below it.
        moved: whether that is another folder than the one submitted from. Then what an option of
            `READ` names is taken from the package where it is in it.
        package: what travels; None for what the cluster has installed.
        environment: variables.
    """

    command: tuple[str, ...]
    folder: str
    moved: bool = False
    package: Package | None = None
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def entrypoint(self) -> str:
        """Line of a shell that runs the command."""
        folder = shlex.quote(self.folder)
        missing = shlex.quote(
            f"odm: the cluster's head does not see {self.folder}: give --folder, one that all "
            "machines of the cluster share"
        )
        words = " ".join(self._words())
        return (
            f'here="$PWD"; cd {folder} 2>/dev/null || {{ echo {missing} >&2; exit 2; }}; '
            f"exec odm {words}"
        )

    @property
    def shown(self) -> str:
        """The command as a person wrote it."""
        return shlex.join(["odm", *self.command])

    def _words(self) -> Iterator[str]:
        written = any(word.partition("=")[0] == "--calibrate" for word in self.command)
        read = [option for option in READ if not (written and option == "--rates")]
        before = ""
        for word in self.command:
            option, equals, value = word.partition("=")
            if before in read:
                yield self._placed(word)
            elif equals and option in read:
                yield f"{shlex.quote(option)}={self._placed(value)}"
            else:
                yield shlex.quote(word)
            before = word

    def _placed(self, name: str) -> str:
        is_packed = self.moved and self.package is not None and self.package.holds(name)
        return ('"$here"/' if is_packed else "") + shlex.quote(name)


def make_submission(
    command: Sequence[str],
    *,
    folder: str | None = None,
    installed: bool = False,
    environment: Sequence[str] = (),
) -> Submission:
    """Choose what travels with a command.

    Args:
        command: words after ``odm``, checked.
        folder: on the cluster, where it runs; None for the name of this one.
        installed: send nothing: the cluster has the code.
        environment: ``NAME=VALUE``, or the name of a variable that is set here.

    Raises:
        InputError: nothing to send, a variable that is not set, or one that is not to be set.
    """
    here = str(Path.cwd())
    if folder is not None and not Path(folder).is_absolute():
        raise InputError(f"--folder {folder}: give an absolute path on the cluster")
    return Submission(
        command=tuple(command),
        folder=folder or here,
        moved=folder is not None and folder != here,
        package=None if installed else choose_files(Path.cwd()),
        environment=tuple(_variable(text) for text in environment),
    )


def submit(submission: Submission, jobs: JobClient) -> str:
    """Start the job.

    Returns:
        Its new name, such as ``odm-train-1122-2031-4f1c``.

    Raises:
        OdmError: the cluster refuses, or has another Ray or Python.
    """
    name = f"odm-{submission.command[0]}-{time.strftime('%m%d-%H%M')}-{secrets.token_hex(2)}"
    with tempfile.TemporaryDirectory() as folder:
        path = None
        if submission.package is not None:
            check_versions(jobs)
            path = Path(folder) / "odm.zip"
            submission.package.write(path)
        jobs.submit(
            submission.entrypoint,
            name,
            package=path,
            environment=dict(submission.environment),
            command=submission.shown,
        )
    return name


def check_versions(jobs: JobClient) -> None:
    """Compare the cluster's Ray and Python with those of this machine, whose code is sent.

    Raises:
        ClusterError: they differ.
    """
    here = {"Ray": import_ray().__version__, "Python": platform.python_version()}
    for name, there in jobs.versions().items():
        # A patch of Python changes nothing; one of Ray does.
        places = 3 if name == "Ray" else 2
        if there.split(".")[:places] != here[name].split(".")[:places]:
            raise ClusterError(
                f"the cluster at {jobs.address} has {name} {there}, this machine {here[name]}: "
                "install the same on both, or run what the cluster has with --installed"
            )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.isidentifier():
        raise InputError(f"--env {text}: give NAME=VALUE, or the name of a variable")
    if name.startswith(OWN_VARIABLES):
        raise InputError(f"--env {name}: is set for every job already")
    if not equals and name not in os.environ:
        raise InputError(f"--env {name}: is not set here; give {name}=VALUE")
    return name, value if equals else os.environ[name]
