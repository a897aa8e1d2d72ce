"""`restante db retire`: old days of the log, exported to files and dropped."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from restante.cli.database import Json, database
from restante.cli.ending import Stop, say

if TYPE_CHECKING:
    from restante.core.ids import Lane
    from restante.store.retention import Kept, Retired

_WHY = {
    "epoch-young": "a backup was restored less than a week ago, and sources may still send again what it had not",
    "reader-behind": "a reader of the feed has not come past it",
    "task-owed": "a task that follows from it is not done",
}


def retire(
    *,
    to: Annotated[Path, Parameter(help="Folder for the files, one a day; keep it as long as your audits ask.")],
    keep_days: Annotated[int, Parameter(help="How many days of the log stay in the database, at least 30.")] = 400,
    reader: Annotated[
        tuple[str, ...], Parameter(help="A cursor that a reader of the feed holds; may be repeated.")
    ] = (),
    json: Json = False,
) -> None:
    """Export and drop days of the log that nobody needs any more, the oldest first; the hub may run meanwhile.

    Events stay whose parcel is not over, and those about points. It ends at the first day that somebody needs.
    """
    from restante.hub.programs import real_now
    from restante.store.retention import LEAST_DAYS, Kept
    from restante.store.retention import retire as retire_days

    if keep_days < LEAST_DAYS:
        raise Stop("days-too-few", field="--keep-days", rule=f"At least {LEAST_DAYS} days of the log stay.")
    readers, told = [_positions(cursor) for cursor in reader], []
    with database(os.environ) as dsn:
        for one in retire_days(dsn, to, keep_days=keep_days, now=real_now(), readers=readers):
            told.append(msgspec.to_builtins(one))
            if not json:
                print(_kept(one) if isinstance(one, Kept) else _gone(one))
    if json:
        say(told)


def _kept(one: "Kept") -> str:
    return f"{one.day} stays: {_WHY[one.why]}."


def _gone(one: "Retired") -> str:
    return f"{one.day}: {one.events:,} events, of which {one.kept:,} stay; all are in {one.file}"


def _positions(cursor: str) -> "dict[Lane, int]":
    """The positions that a cursor of the feed stands for."""
    from restante.core.ids import Lane
    from restante.hub.paging import read_cursor
    from restante.hub.problems import Refused

    try:
        return {Lane(lane): seq for lane, seq in read_cursor("feed", cursor, dict[int, int]).items()}
    except Refused:
        raise Stop("cursor-malformed", field="--reader", rule="A cursor is what an answer of the feed told.") from None
