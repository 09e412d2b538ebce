"""The `focuskit` command."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from typing import Annotated

import typer

from focuskit.cli import _exit
from focuskit.cli._output import say
from focuskit.cli.bench import bench
from focuskit.cli.bridge import bridge
from focuskit.cli.catalog import catalog
from focuskit.cli.cull import cull_command
from focuskit.cli.detect import detect
from focuskit.cli.doctor import doctor
from focuskit.cli.edit import bokeh, deblur, magnify, refocus
from focuskit.cli.evaluate import evaluate
from focuskit.cli.gimp import gimp
from focuskit.cli.models import models
from focuskit.cli.names import names
from focuskit.cli.report import report
from focuskit.cli.review import review
from focuskit.cli.run import run
from focuskit.cli.score import score
from focuskit.cli.train import train
from focuskit.cli.weights import weights
from focuskit.errors import FocuskitError

__all__ = ["app", "main"]

app = typer.Typer(
    name="focuskit",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        import focuskit

        typer.echo(f"focuskit {focuskit.__version__}")
        raise typer.Exit


@app.callback()
def _focuskit(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find where photographs are in focus, and put that to work.

    Data goes to stdout, progress and messages to stderr. Exit codes: 0 all done, 1 fatal, 2 usage,
    3 some photos failed (each is listed, the rest are done), 4 nothing matched, 130 interrupted.
    """


app.add_typer(cull_command)
app.command()(score)
app.command()(detect)
app.command()(magnify)
app.command()(bokeh)
app.command()(deblur)
app.command()(refocus)
app.command()(report)
app.command()(review)
app.command()(run)
app.command()(evaluate)
app.command()(train)
app.command()(names)
app.command()(doctor)
app.command()(bridge)
app.add_typer(catalog)
app.add_typer(bench)
app.add_typer(gimp)
app.add_typer(models)
app.add_typer(weights)


_OBJECTS_PER_COLLECTION = 50_000


def _occupy_standard_descriptors() -> None:
    """Point closed standard descriptors at nothing, before a socket gets one of their numbers.

    C libraries print to descriptor 2 whatever it is: their words would end in dask's connections.
    """
    # The lowest free number comes first, so one above 2 says that there is no gap left.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def main() -> None:
    """Run the command line and leave with the documented exit code."""
    _occupy_standard_descriptors()
    # Records by the ten thousand hold no cycles; looking for some takes a seventh of the time.
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    try:
        app()
        sys.stdout.flush()
    except FocuskitError as exc:
        say(f"focuskit: {exc}")
        sys.exit(_exit.FATAL)
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        say(f"focuskit: the output could not be written ({exc.strerror}); free some space.")
        # What is left in the buffer cannot be written at exit either.
        os._exit(_exit.FATAL)
    except SystemExit as exc:
        # typer turns Ctrl-C into this code without a word.
        if exc.code == _exit.INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            say("focuskit: interrupted; repeat the command to go on.")
        raise
