"""`restante doctor`: looks at an installation, and says what is well, to be looked at or broken."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from restante.cli.doctor.checks import State, Verdict, examined, is_well
from restante.cli.doctor.gather import gather
from restante.cli.ending import REFUSED, say

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]

_COLOURS: Final[Mapping[State, str]] = {State.OK: "green", State.LOOK: "yellow", State.BROKEN: "bold red"}


def doctor(*, json: Json = False) -> None:
    """Look at the installation that the settings name and say what to do; nothing is changed, no secret is told.

    Ends with 0 if nothing is broken, with 1 if something is.
    """
    verdicts = examined(gather(os.environ))
    if json:
        say(as_document(verdicts))
    else:
        Console().print(as_table(verdicts))
    if not is_well(verdicts.values()):
        sys.exit(REFUSED)


def as_document(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """The verdicts for a machine to read."""
    checks = [{"name": name, "state": one.state, "says": one.says, "do": one.do} for name, one in verdicts.items()]
    return {"well": is_well(verdicts.values()), "checks": checks}


def as_table(verdicts: Mapping[str, Verdict]) -> Table:
    """The verdicts for people."""
    table = Table(box=None, header_style="dim")
    for name in ("check", "", "found", "do"):
        table.add_column(name, overflow="fold")
    for name, one in verdicts.items():
        table.add_row(name, f"[{_COLOURS[one.state]}]{one.state}[/]", escape(one.says), escape(one.do))
    return table
