"""Options of what other machinery can run, and where that is found."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from odm.training.launch import Launch

RUNNERS = "odm.runners"
"""Entry points of packages that run commands on other machinery, by the name of the command."""

Local = Annotated[
    bool, typer.Option("--local", help="Without Ray: here, or in what torchrun started.")
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|MIN:MAX",
        help="Ray workers, or as many as there is room for [default: one per GPU, else one].",
        show_default=False,
    ),
]
CpusPerWorker = Annotated[
    int | None,
    typer.Option(help="CPUs of a Ray worker [default: all, shared out].", show_default=False),
]
Gpu = Annotated[
    bool | None,
    typer.Option("--gpu/--no-gpu", help="A GPU for every Ray worker [default: if there are any]."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="A Ray cluster, or auto [default: RAY_ADDRESS, else one on this machine].",
        show_default=False,
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(help="Times that lost Ray workers are replaced [default: 3].", show_default=False),
]


def parse_launch(
    workers: str | None,
    cpus: int | None,
    gpu: bool | None,
    address: str | None,
    max_failures: int | None,
) -> Launch:
    """The options as one.

    Raises:
        InputError: one of them cannot be.
    """
    from odm.training.launch import Launch, parse_workers

    failures = {} if max_failures is None else {"max_failures": max_failures}
    return Launch(parse_workers(workers), cpus, gpu, address, **failures)


def check_local(launch: Launch) -> None:
    """Refuse what only Ray can do.

    Raises:
        InputError: one of the options is given.
    """
    from odm.core.errors import InputError
    from odm.training.launch import Launch

    if launch != Launch():
        raise InputError("workers, their CPUs, GPUs, failures and address are Ray's: not --local")


def find_runner(command: str, doing: str = "training") -> Any:
    """The runner of another package, such as one that takes a plan and a `Launch`.

    Args:
        command: as in ``train segmenter``.
        doing: what it is called in a sentence.

    Raises:
        InputError: none is installed.
    """
    from odm.core.errors import InputError

    here = f"add --local for {doing} in this process"
    for point in entry_points(group=RUNNERS):
        if point.name == command:
            try:
                return point.load()
            except ImportError as error:
                raise InputError(
                    f"{doing} on Ray needs {error.name or error}, which is not installed; {here}"
                ) from None
    raise InputError(f"{doing} on Ray is not installed here; {here}")
