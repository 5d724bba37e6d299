"""`odm submit` and `odm jobs`."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from odm.commands.options import AsJson, print_json
from odm.core.errors import InputError
from odm.core.progress import say
from odm.core.text import duration, table
from ray_jobs.jobs.client import STOP_WAIT_S, JobClient, SubmittedJob
from ray_jobs.jobs.submit import COMMANDS, make_submission
from ray_jobs.jobs.submit import submit as start

Dashboard = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The cluster's dashboard [default: RAY_API_SERVER_ADDRESS, else 127.0.0.1:8265].",
    ),
]
Name = Annotated[str, typer.Argument(metavar="ID", help="As odm submit and odm jobs list say.")]

submit_app = typer.Typer(add_completion=False, rich_markup_mode=None)
jobs_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # would take [default: ...] for markup
    help="Jobs on a cluster: list, status, logs, stop.",
)


@submit_app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    }
)
def submit(
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND...", help="As without a cluster: reprocess, train, tune."),
    ],
    address: Dashboard = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait: say the job's ID and leave.")
    ] = False,
    folder: Annotated[
        str | None,
        typer.Option(
            help="On the cluster, where the command runs: relative names are below it, but of "
            "settings and models that are sent along [default: the name of this folder].",
        ),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Send nothing: run what the cluster has installed.")
    ] = False,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="A variable for the job; seen by all who see the dashboard: no secrets.",
        ),
    ] = None,
) -> None:
    """Run a command of odm on a Ray cluster: the same line as here, behind odm submit.

    Code and settings of this folder travel; secrets and data do not. The log is followed, and the
    exit code is the command's own, or 3 where the job was stopped. Leaving with Ctrl-C does not
    end the job.

    Example: odm submit --folder /shared reprocess orbits /data/cses campaign --max-quarantined 0.1
    """
    command = check_command(command)
    submission = make_submission(command, folder=folder, installed=installed, environment=env or [])
    if submission.package is not None and submission.package.left_out:
        left_out = ", ".join(submission.package.left_out)
        say(f"not sent, since they may be secrets or lead out of this folder: {left_out}")
    jobs = JobClient(address)
    name = start(submission, jobs)
    if detach:
        print(name)
        return
    say(f"job {name}: {submission.shown}")
    raise typer.Exit(_followed(jobs, name))


@jobs_app.command("list")
def list_jobs(address: Dashboard = None, json_: AsJson = False) -> None:
    """Jobs of the cluster, the oldest first.

    Example: odm jobs list
    """
    submitted = JobClient(address).list_submitted()
    if json_:
        print_json([asdict(job) for job in submitted])
        return
    rows = [(job.id, job.status.lower(), _times(job), job.command) for job in submitted]
    print(table([], rows) or "no jobs")


@jobs_app.command("status")
def job_status(job: Name, address: Dashboard = None, json_: AsJson = False) -> None:
    """How a job stands. The exit code is 0 whatever that is.

    Example: odm jobs status odm-train-1122-2031-4f1c
    """
    known = JobClient(address).get(job)
    if json_:
        code = known.code if known.is_over else None
        print_json({**asdict(known), "code": code})
        return
    ended = f", exit code {known.exit_code}" if known.exit_code is not None else ""
    print(f"{known.id}: {known.status.lower()}{ended}, {_times(known)}: {known.command}")


@jobs_app.command("logs")
def job_logs(
    job: Name,
    address: Dashboard = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Until the job is over; then its exit code.")
    ] = False,
) -> None:
    """What a job has said.

    Example: odm jobs logs odm-train-1122-2031-4f1c --follow
    """
    jobs = JobClient(address)
    jobs.get(job)
    if follow:
        raise typer.Exit(_followed(jobs, job))
    print(jobs.logs(job), end="")


@jobs_app.command("stop")
def stop_job(
    job: Name,
    address: Dashboard = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has stopped.")] = False,
) -> None:
    """Stop a job: it takes nothing new, commits what is done, and can be submitted again.

    Example: odm jobs stop odm-reprocess-1122-2031-4f1c --wait
    """
    jobs = JobClient(address)
    jobs.get(job)
    asked = jobs.stop(job)
    known = jobs.wait(job, STOP_WAIT_S + 60.0) if wait else jobs.get(job)
    print(f"{job}: {known.status.lower() if known.is_over or not asked else 'stopping'}")


def check_command(words: list[str]) -> list[str]:
    """Refuse, before anything is sent, what the command itself would refuse.

    Returns:
        The words, and what is searched by default: a file of the checkout, which is sent along.

    Raises:
        InputError: it does not run on a cluster, or is told to run elsewhere.
    """
    from odm.cli import app

    if words[0] not in COMMANDS:
        raise InputError(f"odm {words[0]} does not run on a cluster: {', '.join(COMMANDS)} do")
    command: Any = typer.main.get_command(app)
    context, rest = command.context_class(command, info_name="odm"), list(words)
    while hasattr(command, "resolve_command"):
        if not rest:
            raise InputError(f"odm {' '.join(words)}: what? See odm {words[0]} --help")
        name, command, rest = command.resolve_command(context, rest)
        context = command.context_class(command, info_name=name, parent=context)
    parsed = command.make_context(context.info_name, rest, parent=context.parent)
    if parsed.params.get("local"):
        raise InputError("--local runs without Ray: leave out --local, or odm submit")
    if parsed.params.get("address"):
        raise InputError("a job runs on the cluster that it is submitted to: give --address first")
    source = parsed.get_parameter_source("space")
    default = source is not None and source.name == "DEFAULT"
    if default and parsed.params["space"].exists():
        return [*words, "--space", str(parsed.params["space"])]
    return words


def _followed(jobs: JobClient, name: str) -> int:
    """Follow a job; return its exit code."""
    try:
        job = jobs.follow(name, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        say(f"job {name} goes on: odm jobs logs {name} --follow, or odm jobs stop {name}")
        return 130
    if job.status == "FAILED" and job.exit_code is None:
        lines = [line for line in job.message.splitlines() if line.strip()]
        say(f"job {name} failed: {lines[0] if lines else 'Ray does not say why'}")
    elif job.exit_code == 127:
        say(
            "the cluster's head found no odm command: install it there, or start Ray with the "
            "environment that has it on its PATH"
        )
    elif job.status != "SUCCEEDED":
        say(f"job {name} {job.status.lower()}, exit code {job.code}")
    return job.code


def _times(job: SubmittedJob) -> str:
    if job.started is None:
        return "not begun"
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started))
    return f"since {began}, {duration((job.ended or time.time()) - job.started)}"
