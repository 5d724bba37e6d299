"""The command `odm`: own commands here, those of the floors above by entry points.

`ray_jobs` and `tuning` register theirs in the entry-point group ``odm.commands``; the name of the
entry point is the name of the command and its module is imported when the command is first asked
for. Nothing is imported upward.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from odm.commands import campaign, dataset, ionogram, label, reprocess, review, simulate, train
from odm.commands.adapt import adapt
from odm.commands.evaluate import evaluate
from odm.commands.inspect import inspect
from odm.commands.pipeline import pipeline
from odm.commands.report import report
from odm.commands.score import score
from odm.core.errors import InputError, OdmError

ENTRY_POINTS = "odm.commands"


class AssembledGroup(TyperGroup):
    """A command group that looks the commands of other packages up when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Own commands first, then the others by name."""
        own = super().list_commands(ctx)
        return own + sorted(set(_others()) - set(own))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """An own command, or the one an entry point gives."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _others():
            return own
        try:
            loaded = _others()[cmd_name].load()
        except ImportError as error:
            loaded = _missing(cmd_name, str(error.name or error))
        command = typer.main.get_command(loaded)
        command.name = cmd_name
        return command


def _others() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _missing(name: str, package: str) -> typer.Typer:
    """Stands in for a command whose package is not installed, so that the others still work."""
    stand_in = typer.Typer()

    @stand_in.command(
        help=f"(not available: needs {package})",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def missing() -> None:
        raise InputError(f"the command {name} needs {package}, which is not installed")

    return stand_in


app = typer.Typer(
    name="odm",
    cls=AssembledGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ionospheric anomaly detection on satellite spectrograms and backscatter ionograms.",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from odm import __version__

        print(f"odm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    pass


for command in (
    inspect, evaluate, adapt, pipeline, campaign.status, campaign.catalog, campaign.diff, score,
    report, campaign.compact,
):  # fmt: skip
    app.command()(command)
for module in (simulate, label, dataset, train, ionogram, reprocess, review):
    app.add_typer(module.app, name=module.__name__.rpartition(".")[2])


def main() -> NoReturn:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 wrong use, 3 stopped."""
    # A job scheduler ends with SIGTERM; leaving by an exception removes what is half-written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except OdmError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader (``odm … | head``) has left; closing must not complain again.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error).splitlines()[0]
        _fail(f"{where}{reason[:1].lower()}{reason[1:]}", 1)
    sys.exit(0)


def _fail(sentence: str, code: int) -> NoReturn:
    print(f"odm: {sentence}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
