"""The command line: one program, `restante`, whose commands import what they run only when they run it.

So `restante bank` starts from the base wheel alone. What goes wrong is said in one line and by the exit code: 1 when a
rule said no, 2 when the command was not understood, 3 when the world failed, 4 when trying again may help.
"""

import sys

from cyclopts import App
from cyclopts.exceptions import CycloptsError
from rich.console import Console

from restante import __version__
from restante.cli.ending import MISUSED, ended

app = App(
    name="restante",
    help="Run a network of parcel lockers and staffed pick-up points.",
    version=__version__,
    help_format="plaintext",
)
app.command("restante.cli.show:demo", name="demo", help="Watch a living network in the terminal.")
app.command("restante.cli.programs:hub", name="hub", help="Run the hub: API, engine, listener for banks.")
app.command("restante.cli.programs:worker", name="worker", help="Run a worker: timers, codes, notices.")
app.command("restante.cli.programs:bank", name="bank", help="Run the program in a locker bank.")
app.command("restante.cli.programs:counter", name="counter", help="Run the program on a counter.")
app.command("restante.cli.programs:banks", name="banks", show=False)
app.command("restante.cli.doctor:doctor", name="doctor", help="Look at an installation and say what to do.")
app.command("restante.cli.database:app", name="db", help="Start, stop, migrate and check the database.")
app.command("restante.cli.bringing:app", name="import", help="Bring points, parcels or a day of a city in.")
app.command("restante.cli.network:points", name="points", help="Find pick-up points and the room they have.")
app.command("restante.cli.parcels:app", name="parcel", help="Announce, show and follow parcels.")
app.command("restante.cli.show:bench", name="bench", help="Measure custody transitions per second.")
app.command("restante.cli.proving:prove", name="prove", help="Run one long proof.")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that was typed, and leave with its exit code."""
    errors = Console(stderr=True, soft_wrap=True)
    with ended(errors):
        try:
            app(arguments, exit_on_error=False, error_console=errors)
        except CycloptsError:
            sys.exit(MISUSED)  # cyclopts has said what was not understood
