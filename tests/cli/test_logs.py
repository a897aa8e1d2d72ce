"""The log of every program: one shape, names from a table, and nothing in it that a person or a library put there."""

import ast
import io
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from restante.cli import logs
from restante.cli.log_events import EVENTS
from restante.cli.logs import entry_of, lead_structlog, log_to
from tests.house.tidy import ROOT

MARK: Final = "Zqxmarked"
LEVELS: Final = {"debug", "info", "warning", "error", "critical", "exception"}
OUTSIDE_CODE: Final = {"library", "unlisted"}
NEVER_FIELDS: Final = {
    "name",
    "email",
    "phone",
    "address",
    "body",
    "query",
    "url",
    "host",
    "password",
    "key",
    "token",
    "dsn",
}


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


@pytest.fixture
def written() -> io.StringIO:
    """What is logged by everybody while a test runs, as a program has it; the suite puts loggers back after each."""
    stream = io.StringIO()
    log_to(stream, "hub")
    lead_structlog()
    return stream


def entries(written: io.StringIO) -> list[dict[str, Any]]:
    """The entries that were written."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


class Call(ast.NodeVisitor):
    """Finds every event that a module logs: its name, its level and its fields."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, set[str] | None]] = []

    def visit_Call(self, node: ast.Call) -> None:
        """Look at a call."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="_log" | "_LOG" | "LISTENER_LOG"), attr=level) if level in LEVELS:
                name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else "no literal"
                self.found.append((str(name), level, _fields(node)))
        self.generic_visit(node)


def _fields(node: ast.Call) -> set[str] | None:
    """The names of the fields; None where they are put together elsewhere."""
    extra = next((one.value for one in node.keywords if one.arg == "extra"), None)
    if extra is None:
        return {one.arg for one in node.keywords if one.arg not in {None, "exc_info"}}
    return (
        {str(one.value) for one in extra.keys if isinstance(one, ast.Constant)} if isinstance(extra, ast.Dict) else None
    )


def logged() -> list[tuple[str, str, set[str] | None]]:
    """Every event that the programs log."""
    seen = Call()
    for path in sorted((ROOT / "src" / "restante").rglob("*.py")):
        seen.visit(ast.parse(path.read_text(encoding="utf-8")))
    return seen.found


def test_programs_log_what_the_table_says() -> None:
    """Given every call that logs, then its name, level and fields are those of the table, and no name is left over."""
    calls = logged()
    assert len(calls) > 20
    assert {name for name, *_ in calls} == EVENTS.keys() - OUTSIDE_CODE
    for name, level, fields in calls:
        assert {"exception": "error"}.get(level, level) == EVENTS[name].level, name
        assert fields is None or fields <= set(EVENTS[name].fields), (name, fields)


def test_no_field_is_made_for_what_belongs_in_no_log() -> None:
    """Given the table, then no field is named for a person's or a secret thing, nor for what a record has anyway."""
    for name, note in EVENTS.items():
        assert not set(note.fields) & NEVER_FIELDS, name
        assert not set(note.fields) & vars(logging.makeLogRecord({})).keys(), name
        assert note.meaning.endswith(".")


def test_both_ways_of_logging_look_alike(written: io.StringIO) -> None:
    """Given a call through structlog and one through the standard library, then both are lines of one shape."""
    structlog.get_logger("restante.hub.worker").warning("timer-failed", errand="0.1.0", fault="StoreDown")
    logging.getLogger("restante.edge").info("no-line", extra={"fault": "TimeoutError"})
    first, second = entries(written)
    assert first | {"at": ""} == {
        "at": "",
        "level": "warning",
        "event": "timer-failed",
        "program": "hub",
        "errand": "0.1.0",
        "fault": "StoreDown",
    }
    assert datetime.fromisoformat(first["at"]).tzinfo == UTC
    assert second | {"at": ""} == {
        "at": "", "level": "info", "event": "no-line", "program": "hub", "fault": "TimeoutError",
    }  # fmt: skip


def test_fields_and_names_that_no_table_has_are_left_out(written: io.StringIO) -> None:
    """Given a field that is not listed, or a name that is none, then neither is written, and somebody hears of it."""
    log = structlog.get_logger("restante.hub.planted")
    log.error("task-failed", errand="0.1.0", person=MARK)
    log.error(f"{MARK} failed", fault="StoreDown")
    first, second = entries(written)
    assert first["errand"] == "0.1.0"
    assert (second["event"], second["logger"]) == ("unlisted", "restante.hub.planted")
    assert MARK not in written.getvalue()


def test_libraries_speak_without_what_they_were_given(written: io.StringIO) -> None:
    """Given libraries that log addresses, rows and requests, then their templates are logged and nothing else."""
    logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", MARK, f"password={MARK}")
    logging.getLogger("uvicorn.error").error(f'"GET /v1/points?near={MARK} HTTP/1.1" from 10.1.2.3:80 failed')
    logging.getLogger("asyncio").error(
        f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{MARK}')>"
    )
    logging.getLogger("httpx").info("HTTP Request: %s", f"http://h/{MARK}")
    logging.getLogger("mail.log").error(f"to {MARK}@people.example from ::ffff:10.1.2.3")
    found = entries(written)
    assert [one["event"] for one in found] == ["library"] * 4
    assert [one["says"] for one in found] == [
        "error connecting in %r: %s", "… from … failed", "Task exception was never retrieved", "to … from …",
    ]  # fmt: skip
    assert MARK not in written.getvalue()


def test_an_exception_is_told_by_kind_and_place(written: io.StringIO) -> None:
    """Given an exception whose words quote what was sent, then its kinds and places are told, and not its words."""
    try:
        try:
            raise ValueError(MARK)
        except ValueError as wrong:
            raise RuntimeError(f"{MARK} again") from wrong
    except RuntimeError:
        logging.getLogger("restante.fleet.listener").exception("listener-bug")
    [entry] = entries(written)
    assert [one.split()[0] for one in entry["trace"]] == ["RuntimeError", "ValueError"]
    assert all("test_logs.py:" in one for one in entry["trace"])
    assert MARK not in written.getvalue()


def test_people_at_a_terminal_read_a_line() -> None:
    """Given a terminal, then an entry is one line that begins with the time, the level and the event."""
    stream = Terminal()
    log_to(stream, "hub")
    logging.getLogger("restante.edge").warning("serial-port-failed", extra={"path": "/dev/a\nb", "fault": "x"})
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue()[8:] == " warning  serial-port-failed  path=/dev/ab fault=x\n"


@given(
    st.text(), st.dictionaries(st.sampled_from(["fault", "errand", "person"]), st.text() | st.integers() | st.none())
)
def test_whatever_is_logged_is_one_line_of_json(name: str, fields: dict[str, Any]) -> None:
    """Given any name and fields, of ours or of a library, then an entry is one line, with a name from the table."""
    for logger in ("restante.hub", "library"):
        record = logging.makeLogRecord({"name": logger, "msg": name, "levelname": "INFO", "created": 0.0, **fields})
        line = logs.Lines("hub").format(record)
        assert "\n" not in line
        assert json.loads(line)["event"] in EVENTS
        assert entry_of(record, "hub")["program"] == "hub"


def test_a_bank_needs_no_library_for_its_log() -> None:
    """Given the module, then it imports nothing at its top that a bank does not have."""
    tree = ast.parse(Path(logs.__file__).read_text(encoding="utf-8"))
    tops = {one.names[0].name.partition(".")[0] for one in tree.body if isinstance(one, ast.Import)}
    tops |= {str(one.module).partition(".")[0] for one in tree.body if isinstance(one, ast.ImportFrom)}
    assert tops - sys.stdlib_module_names == {"restante"}
