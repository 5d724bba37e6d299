"""From a command line to a job, up to the cluster."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
import tomllib
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from odm.core.errors import InputError
from ray_jobs.cluster.connection import import_ray
from ray_jobs.cluster.room import ClusterError
from ray_jobs.commands.estimate import app as estimate_app
from ray_jobs.commands.jobs import check_command, jobs_app, submit_app
from ray_jobs.jobs.client import JobClient, SubmittedJob, _Lines, dashboard_address
from ray_jobs.jobs.pack import Package
from ray_jobs.jobs.submit import Submission, check_versions, make_submission

ROOT = Path(__file__).parents[2]


def run(submission: Submission, here: Path) -> subprocess.CompletedProcess[str]:
    """The entry point as the cluster runs it, with an odm that says what it is given."""
    fake = here / "bin/odm"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text('#!/bin/sh\npwd\nfor word in "$@"; do echo "$word"; done\nexit 7\n')
    fake.chmod(0o755)
    return subprocess.run(
        submission.entrypoint,
        shell=True,
        cwd=here,
        env={**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )


def test_the_words_arrive_as_they_were_written(tmp_path: Path) -> None:
    folder = tmp_path / "it's shared"
    folder.mkdir()
    words = ("train", "segmenter", "a b", "$HOME", "x='1'", "--config", "configs/a b.yaml",
             "--config=configs/a b.yaml", "--data", "dataset.yaml", "configs/no")  # fmt: skip
    package = Package(tmp_path, ("configs/a b.yaml",))
    done = run(Submission(words, str(folder), True, package), tmp_path)
    packed = f"{tmp_path}/configs/a b.yaml"
    assert done.stdout.splitlines() == [
        str(folder), *words[:6], packed, f"--config={packed}", *words[8:]
    ]  # fmt: skip
    assert done.returncode == 7
    # Where the command runs in the folder that it was submitted from, names are left alone.
    same = run(Submission(words, str(tmp_path), False, package), tmp_path)
    assert same.stdout.splitlines() == [str(tmp_path), *words]


def test_what_a_command_writes_is_not_in_the_folder_of_the_job(tmp_path: Path) -> None:
    """That is thrown away; so is a word that happens to be the name of a folder that was sent."""
    (tmp_path / "shared").mkdir()
    package = Package(
        tmp_path, ("campaign/log.jsonl", "rates.json", "runs/a.yaml", "train/a.py", "m/model.json")
    )

    def words(*given: str) -> list[str]:
        made = Submission(given, str(tmp_path / "shared"), True, package)
        return run(made, tmp_path).stdout.splitlines()[1:]

    for given in (
        ("reprocess", "orbits", "archive", "campaign"),
        ("train", "segmenter", "--out", "runs"),
        ("estimate", "--calibrate", "archive", "--rates", "rates.json"),
    ):
        assert words(*given) == list(given)
    read = words("estimate", "--rates", "rates.json", "--model=m")
    assert read == ["estimate", "--rates", f"{tmp_path}/rates.json", f"--model={tmp_path}/m"]


def test_a_folder_that_the_cluster_does_not_see(tmp_path: Path) -> None:
    done = run(Submission(("train",), str(tmp_path / "no'where")), tmp_path)
    assert done.returncode == 2 and not done.stdout
    assert "no'where: give --folder" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["inspect", "file.h5"], "odm inspect does not run on a cluster"),
        (["reprocess"], "what\\? See odm reprocess --help"),
        (["reprocess", "orbits", "a", "b", "--local"], "leave out --local"),
        (["train", "segmenter", "--address", "h:1"], "on the cluster that it is submitted to"),
    ],
)
def test_what_cannot_run_there_is_refused_here(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_command(words)


def test_what_the_command_would_refuse_is_refused_here() -> None:
    for words in (
        ["reprocess", "orbits", "/data", "campaign", "--limit", "3"],
        ["train", "detector", "data.batch_size=4", "--workers", "2:4"],
        ["tune", "segmenter", "--space", "mine.yaml"],
    ):
        assert check_command(words) == words
    spelt = ["tune", "detector", "--space", "configs/space_detector.yaml"]
    assert check_command(spelt[:2]) == spelt
    for words in (["reprocess", "orbts"], ["reprocess", "orbits", "a", "b", "--limt", "3"]):
        with pytest.raises(typer.TyperException):  # a usage error, told as any
            check_command(words)


@pytest.mark.parametrize("app", [submit_app, jobs_app, estimate_app])
def test_help_is_as_of_the_other_commands(app: typer.Typer) -> None:
    """Rich takes square brackets for markup, and leaves the defaults out."""
    words = ["list"] if app is jobs_app else []
    shown = CliRunner().invoke(app, [*words, "--help"]).stdout
    assert "[default: " in shown
    assert "--install-completion" not in CliRunner().invoke(app, ["--help"]).stdout


def test_a_space_that_is_not_here_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_command(["tune", "segmenter"]) == ["tune", "segmenter"]


def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    wanted = ["AWS_REGION", "LEVEL=a=b"]
    made = make_submission(["train"], installed=True, environment=wanted)
    assert dict(made.environment) == {"AWS_REGION": "eu-central-1", "LEVEL": "a=b"}
    assert made.folder == str(tmp_path) and not made.moved and made.package is None
    for text, sentence in (
        ("NOT_SET_ANYWHERE", "is not set here"),
        ("RAY_AUTH_TOKEN=x", "is set for every job already"),
        ("a-b=1", "give NAME=VALUE"),
    ):
        with pytest.raises(InputError, match=sentence):
            make_submission(["train"], installed=True, environment=[text])
    with pytest.raises(InputError, match="absolute path on the cluster"):
        make_submission(["train"], folder="shared", installed=True)


def test_addresses_of_dashboards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    with socket.socket() as listening, socket.socket() as free:
        for one in (listening, free):
            one.bind(("127.0.0.1", 0))
        listening.listen()
        port, closed = (one.getsockname()[1] for one in (listening, free))
        for given in (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/"):
            assert dashboard_address(given) == f"http://127.0.0.1:{port}"
        with pytest.raises(ClusterError, match=f":{closed}: connection refused; is the tunnel"):
            dashboard_address(f"127.0.0.1:{closed}")
    for wrong in ("ray://head:10001", "http://", "head:port", "head:99999", "http://head/jobs"):
        with pytest.raises(InputError, match="no address of a Ray dashboard"):
            dashboard_address(wrong)


def test_a_token_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    empty = tmp_path / "empty"
    empty.touch()
    for path, sentence in ((tmp_path / "none", "is no file with a token"), (empty, "is empty")):
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        with pytest.raises(InputError, match=sentence):
            import_ray()


class Versions:
    """What is asked of a cluster of other versions than are at hand."""

    address = "head"

    def __init__(self, **versions: str) -> None:
        self.found = versions

    def versions(self) -> dict[str, str]:
        return self.found


def test_another_ray_or_python_is_a_sentence() -> None:
    import platform

    ray, python = import_ray().__version__, platform.python_version()
    check_versions(Versions(Ray=ray, Python=".".join([*python.split(".")[:2], "99"])))  # type: ignore[arg-type]
    check_versions(Versions())  # type: ignore[arg-type]
    for there in ({"Ray": "2.1.0"}, {"Ray": ray, "Python": "3.8.1"}):
        with pytest.raises(ClusterError, match=r"has (Ray 2\.1\.0|Python 3\.8\.1), this machine"):
            check_versions(Versions(**there))  # type: ignore[arg-type]


def test_exit_codes_of_jobs() -> None:
    codes = {
        ("SUCCEEDED", 0): 0, ("FAILED", 2): 2, ("FAILED", 127): 127, ("FAILED", None): 1,
        ("FAILED", -9): 1, ("STOPPED", None): 3, ("STOPPED", 143): 3,
    }  # fmt: skip
    for (status, exit_code), code in codes.items():
        assert SubmittedJob("id", status, "odm", exit_code=exit_code).code == code


def test_a_log_that_begins_again_is_said_once() -> None:
    said: list[str] = []
    lines = _Lines(said.append)
    text = (
        "INFO job_manager.py:5 -- Runtime env is setting up.\nRunning entrypoint for job x: y\na\n"
    )
    for tail in (text + "b", text + "b\nc\n"):
        lines.rewind()
        for letter in tail:
            lines.hear_more(letter)
    lines.hear_last(text + "b\nc\nlast")
    assert said == ["a", "b", "c", "last"]


def test_nobody_hears_what_a_job_says() -> None:
    """``odm submit … | head``: not taken for a cluster that is lost."""

    def gone(line: str) -> None:
        raise BrokenPipeError

    jobs = object.__new__(JobClient)
    jobs.address, jobs._client = "head", Tail(["a\n"])
    with pytest.raises(BrokenPipeError):
        jobs.follow("x", gone)


def test_a_log_whose_connection_is_dead_is_listened_to_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray_jobs.jobs.client.QUIET_S", 0.1)
    said: list[str] = []
    jobs = object.__new__(JobClient)
    jobs.address, jobs._client = "head", Tail(["a\n"], ["a\n", "b\n"])
    assert jobs.follow("x", said.append).status == "SUCCEEDED"
    assert said == ["a", "b"]


class Tail:
    """A client whose logs fall silent, but for the last."""

    def __init__(self, *texts: list[str]) -> None:
        self.texts = list(texts)

    async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
        for text in self.texts.pop(0):
            yield text
        if self.texts:
            await asyncio.sleep(60)

    def get_job_info(self, name: str) -> Any:
        return SimpleNamespace(
            submission_id=name, status="RUNNING" if self.texts else "SUCCEEDED", metadata=None,
            entrypoint="", start_time=None, end_time=None, driver_exit_code=None, message=None,
        )  # fmt: skip

    def get_job_logs(self, name: str) -> str:
        return "a\nb\n"


def test_a_dashboard_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a tunnel whose other end is gone, or another service."""
    monkeypatch.setattr("ray_jobs.jobs.client.ANSWER_S", 0.5)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")  # is set, and then is as it was
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ClusterError, match="is no dashboard of a Ray cluster, or it breaks"):
            JobClient(address)
        assert time.monotonic() - begun < 10


def test_the_commands_are_registered() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.commands"]
    for name, app in (("submit", submit_app), ("jobs", jobs_app)):
        assert EntryPoint(name, points[name], "odm.commands").load() is app
    estimate = EntryPoint("estimate", points["estimate"], "odm.commands").load()
    assert typer.main.get_command(estimate).name == "estimate"
