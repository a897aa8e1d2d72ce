"""The log of every program in one shape: one event a line, named by a table, with the fields that the table lists.

Theory of operation. Programs log through the standard library, the hub's slices through structlog, which is led there.
An event of ours is a name and fields; a name that is not in the table, or a field that is not listed with it, is left
out, so that nothing comes into the log by a slip. What a library says is known by its template alone: its arguments are
where addresses, query strings and rows stand, and they are never put in. Of an exception the kinds are told and the
places in the code, not its words.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from itertools import pairwise
from traceback import walk_tb
from typing import Any, Final, TextIO

from restante.cli.log_events import EVENTS

OURS: Final = "restante"
LONGEST_CHARACTERS: Final = 200
MOST_FRAMES: Final = 12
_QUOTED: Final = re.compile(
    r"""'[^']*' | "[^"]*" | <[^>]*> | [\w.+-]+@[\w.-]+ | \?\S*
    | \d+(?:\.\d+){3}(?::\d+)? | [\da-fA-F.]*(?::[\da-fA-F.]*){2,}""",
    re.VERBOSE,
)
"""What a library may have put into its own words: texts in quotes, mailboxes, query strings, addresses."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

Entry = dict[str, Any]


def entry_of(record: logging.LogRecord, program: str) -> Entry:
    """A record as it is written: when, how grave, what, by which program, and the fields that belong to it."""
    name, fields = _ours(record) if _is_ours(record) else ("library", _foreign(record))
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry: Entry = {"at": at, "level": record.levelname.lower(), "event": name, "program": program, **fields}
    if record.exc_info and record.exc_info[1] is not None:
        entry["trace"] = list(_traced(record.exc_info[1]))
    return entry


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == OURS


def _ours(record: logging.LogRecord) -> tuple[str, Entry]:
    note = EVENTS.get(str(record.msg))
    if note is None:
        return "unlisted", {"logger": record.name}
    given = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return str(record.msg), {key: _plain(given[key]) for key in note.fields if key in given}


def _foreign(record: logging.LogRecord) -> Entry:
    """A library's words: the first line of its template, without whatever it put in itself."""
    first = str(record.msg).strip().partition("\n")[0]
    return {"library": record.name.partition(".")[0], "says": _QUOTED.sub("…", first)[:LONGEST_CHARACTERS]}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return "".join(letter for letter in str(value)[:LONGEST_CHARACTERS] if letter.isprintable())


def _traced(raised: BaseException) -> Iterator[str]:
    """The kinds of an exception and of what caused it, each with the places it passed; the innermost places last."""
    seen: set[int] = set()
    at: BaseException | None = raised
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = [f"{frame.f_code.co_filename.rpartition('/')[2]}:{line}" for frame, line in walk_tb(at.__traceback__)]
        yield f"{type(at).__name__} {' '.join(_once(frames)[-MOST_FRAMES:])}".strip()
        at = at.__cause__ or at.__context__


def _once(places: list[str]) -> list[str]:
    """Places in order, a run of the same one as one."""
    return places[:1] + [place for before, place in pairwise(places) if place != before]


class Lines(logging.Formatter):
    """One line of JSON an entry, for programs that read logs."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return json.dumps(entry_of(record, self._program), ensure_ascii=False)


class Readable(Lines):
    """One line an entry for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        entry = entry_of(record, self._program)
        at, level, event, _, *names = entry
        said = " ".join(f"{name}={entry[name]}" for name in names)
        return f"{entry[at][11:19]} {entry[level]:8} {entry[event]}  {said}".rstrip()


def log_to(stream: TextIO, program: str) -> logging.Handler:
    """Have all loggers write to a stream: JSON lines, or lines for people if it is a terminal. Gives the handler."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter((Readable if stream.isatty() else Lines)(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # A library's chatter is worth its warnings; what concerns us of a line has an event of ours.
    for name in ("asyncio", "httpx", "httpcore", "psycopg", "uvicorn", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def lead_structlog() -> None:
    """Have what is logged through structlog written as the rest is."""
    import structlog

    structlog.configure(
        processors=[_as_record],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _as_record(_logger: object, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """What structlog hands to the standard library: the name of the event, and its fields beside it."""
    name, exc_info = str(event.pop("event")), event.pop("exc_info", None)
    return (name,), {"extra": dict(event), "exc_info": exc_info}


def log_program(program: str) -> None:
    """Have this program log to standard error."""
    log_to(sys.stderr, program)
