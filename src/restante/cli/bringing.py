"""`restante import`: brings points, parcels, or a recorded day of a city into a network, through the public API."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from restante.cli.calling import Hub, KeyFile
from restante.cli.list_bringing import Asked, Delimiter, bring

app = App(name="import", help="Bring points, parcels or a day of a city in.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
ListFile = Annotated[Path, Parameter(help="CSV, GeoJSON or JSON; what it is exactly is found out.")]
Yes = Annotated[
    bool, Parameter(negative="", help="Bring in what is not rejected; without it, only the report is made.")
]
ReportFile = Annotated[
    Path | None, Parameter(help="Where to write a line for every row rejected, warned of or brought in: .csv or .jsonl")
]
Column = Annotated[
    tuple[str, ...], Parameter(help="What a column means: COLUMN=FIELD, or COLUMN= to leave it out. May be repeated.")
]
Encoding = Annotated[str, Parameter(help="The file's encoding, if what is found out is wrong.")]
Separator = Annotated[Delimiter | None, Parameter(help="What is between columns, if what is found out is wrong.")]


@app.command
def points(
    file: ListFile,
    *,
    yes: Yes = False,
    report: ReportFile = None,
    country: Annotated[str, Parameter(help="The country that the list is of, as AT; else the rows say it.")] = "",
    zone: Annotated[str, Parameter(help="Time zone of points that name none, else by country.")] = "",
    kind: Annotated[str, Parameter(help="Kind of points that name none.")] = "pick-up point",
    column: Column = (),
    encoding: Encoding = "",
    delimiter: Separator = None,
    json: Json = False,
    api: Hub = "",
    key_file: KeyFile = None,
) -> None:
    """Judge a list of points, and with --yes provision those that are not rejected.

    It may be run again: what is in the network already is left as it is. The exit code is 1 if a row was kept out.
    """
    from restante.carriers.lists.dialects import POINTS

    asked = Asked(
        file=file,
        yes=yes,
        json=json,
        report=report,
        encoding=encoding,
        delimiter=delimiter,
        column=column,
        country=country,
        zone=zone,
        kind=kind,
        api=api,
        key_file=key_file,
    )
    bring(asked, POINTS)


@app.command
def parcels(
    file: ListFile,
    *,
    yes: Yes = False,
    report: ReportFile = None,
    column: Column = (),
    encoding: Encoding = "",
    delimiter: Separator = None,
    json: Json = False,
    api: Hub = "",
    key_file: KeyFile = None,
) -> None:
    """Judge a list of parcels in flight, and with --yes announce those that are not rejected.

    It may be run again: what is announced already is left as it is. The exit code is 1 if a row was kept out.
    """
    from restante.carriers.lists.dialects import PARCELS

    asked = Asked(
        file=file,
        yes=yes,
        json=json,
        report=report,
        encoding=encoding,
        delimiter=delimiter,
        column=column,
        api=api,
        key_file=key_file,
    )
    bring(asked, PARCELS)


@app.command
def radom(
    instance: Annotated[Path, Parameter(help="An instance file of a Polish city's lockers and orders.")],
    *,
    repeat: Annotated[int, Parameter(help="Bring every order so many times, until banks overflow.")] = 1,
    banks_per_process: Annotated[int, Parameter(help="How many banks share a process, to save memory.")] = 27,
    seed: Annotated[int, Parameter(help="Which story is played.")] = 1,
    folder: Annotated[Path | None, Parameter(help="Where to keep the state; a temporary folder otherwise.")] = None,
    hub: Annotated[str, Parameter(help="The API of a running hub on this machine; one of its own otherwise.")] = "",
    hub_state: Annotated[Path | None, Parameter(help="That hub's state folder.")] = None,
    mail_port: Annotated[int, Parameter(help="The port that hub hands its mail to.")] = 0,
    json: Json = False,
) -> None:
    """Replay a real day of a Polish city through a hub and its banks, and account for every order.

    The exit code is 0 only if every order is accounted for and instance, hub, banks and people agree on all of them.
    """
    from restante.sim.radom import main

    told = main(
        instance,
        repeat=repeat,
        banks_per_process=banks_per_process,
        seed=seed,
        folder=folder,
        hub=hub,
        hub_state=hub_state,
        mail_port=mail_port,
        json=json,
    )
    sys.exit(told)
