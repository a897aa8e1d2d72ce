"""Every check of the doctor: well on a sound installation, and each of its other words for what makes it say so."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from restante.cli.doctor import as_document, as_table
from restante.cli.doctor.checks import CHECKS, State, examined, is_well
from restante.cli.doctor.found import Folder, Found, Tried
from restante.hub.metrics.figures import AGES, Figures, Waiting
from restante.hub.settings import Settings
from restante.store.examine import Examined

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GIB = 2**30
SERVER = {"server_version_num": "150004", "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
EXAMINED = Examined(SERVER, 0.1, (), "", {"restante worker": 1}, 2)
FIGURES = Figures(
    at=0.0,
    heads={},
    outbox={"send-notice": Waiting(1, 3_000.0), "issue-code": Waiting(1, 2.0)},
    timers={"remind": Waiting(1, 3.0)},
    sources=dict.fromkeys(AGES, 0) | {"0s": 40, "1m": 2},
    cases={("door-stuck", "1h"): 2},
)
FOLDER = Folder("/srv/state", exists=True, free_bytes=200 * GIB, total_bytes=400 * GIB)
SOUND = Found(
    now=NOW,
    python=(3, 11),
    version="0.1.0",
    packages={},
    settings=Settings(smtp_host="mail.example"),
    folder=FOLDER,
    database=EXAMINED,
    figures=FIGURES,
    certificates={"authority": NOW + timedelta(days=7_000), "listener": NOW + timedelta(days=80)},
    api=Tried("http://127.0.0.1:8080"),
    listener=Tried("127.0.0.1:8443"),
    smtp=Tried("mail.example:25"),
)
replace = msgspec.structs.replace


def server(**changed: str) -> dict[str, Any]:
    """A database whose server has other settings."""
    return {"database": replace(EXAMINED, server=SERVER | changed)}


def base(**changed: Any) -> dict[str, Any]:
    """A database that is otherwise."""
    return {"database": replace(EXAMINED, **changed)}


def figures(**changed: Any) -> dict[str, Any]:
    """Other figures."""
    return {"figures": replace(FIGURES, **changed)}


def state(**changed: Any) -> dict[str, Any]:
    """A state folder that is otherwise."""
    return {"folder": replace(FOLDER, **changed)}


NO_DATABASE: dict[str, Any] = {"database": None, "figures": None, "database_wrong": "it does not answer"}
NO_SETTINGS: dict[str, Any] = {"settings": None, "settings_wrong": "RESTANTE_LANES: wrong"}
LOOK, BROKEN = State.LOOK, State.BROKEN

CASES: list[tuple[str, dict[str, Any], State, str]] = [
    ("python", {"python": (3, 10)}, BROKEN, "Python 3.10"),
    ("packages", {"packages": {"litestar": ">=2.25"}}, BROKEN, "litestar >=2.25"),
    ("settings", NO_SETTINGS, BROKEN, "RESTANTE_LANES"),
    ("state folder", {"folder": None}, LOOK, "not looked at"),
    ("state folder", state(exists=False), BROKEN, "/srv/state is not there"),
    ("state folder", state(exposed=("vault.key",)), BROKEN, "vault.key"),
    ("state folder", state(missing=("vault.key",)), BROKEN, "missing: vault.key"),
    ("disk", {"folder": None}, LOOK, "not looked at"),
    ("disk", state(free_bytes=4 * GIB), LOOK, "4.0 GiB free"),
    ("disk", state(free_bytes=GIB // 4), BROKEN, "0.2 GiB free"),
    ("database", NO_DATABASE, BROKEN, "it does not answer"),
    ("database", server(server_version_num="140010"), BROKEN, "PostgreSQL 14"),
    ("migrations", NO_DATABASE, LOOK, "not looked at"),
    ("migrations", base(pending=("0008_open_cases.sql",)), BROKEN, "0008_open_cases.sql"),
    ("migrations", base(fault="0002_people.sql: changed since"), BROKEN, "changed since"),
    ("durability", NO_DATABASE, LOOK, "not looked at"),
    ("durability", server(fsync="off"), BROKEN, "off: fsync"),
    ("durability", server(full_page_writes="off"), BROKEN, "off: full_page_writes"),
    ("durability", server(synchronous_commit="off"), BROKEN, "off: synchronous_commit"),
    ("durability", server(synchronous_commit="local"), LOOK, "local"),
    ("clock", NO_DATABASE, LOOK, "not looked at"),
    ("clock", base(ahead_seconds=2.5), LOOK, "2.5 s ahead"),
    ("clock", base(ahead_seconds=-40.0), BROKEN, "40.0 s behind"),
    ("lanes", NO_DATABASE, LOOK, "not looked at"),
    ("lanes", NO_SETTINGS, LOOK, "not looked at"),
    ("lanes", base(lanes=1), LOOK, "1 lanes, RESTANTE_LANES=2"),
    ("lanes", base(lanes=4), LOOK, "4 lanes, RESTANTE_LANES=2"),
    ("certificates", {"certificates_wrong": "authority.pem cannot be read"}, BROKEN, "cannot be read"),
    ("certificates", {"certificates": {"authority": None}}, LOOK, "none yet"),
    ("certificates", {"certificates": {"listener": NOW}}, BROKEN, "listener until 2026-03-02"),
    ("certificates", {"certificates": {"listener": NOW + timedelta(days=20)}}, LOOK, "listener until"),
    ("certificates", {"certificates": {"authority": NOW + timedelta(days=300)}}, LOOK, "authority until"),
    ("API", {"api": Tried("http://h:1", "ConnectError")}, BROKEN, "http://h:1: ConnectError"),
    ("API", {"api": Tried("http://h:0", unknown=True)}, LOOK, "chosen at the start"),
    ("API", {"api": None}, LOOK, "not looked at"),
    ("banks' listener", {"listener": Tried("h:1", "its certificate does not hold")}, BROKEN, "does not hold"),
    ("mail", {"smtp": Tried("h:25", "ConnectionRefusedError")}, BROKEN, "h:25: ConnectionRefusedError"),
    ("mail", {"settings": Settings()}, LOOK, "no mail server is named"),
    ("worker", NO_DATABASE, LOOK, "not looked at"),
    ("worker", base(programs={"restante fleet": 4}), BROKEN, "no worker"),
    ("outbox", NO_DATABASE, LOOK, "not looked at"),
    ("outbox", figures(outbox={"issue-code": Waiting(1, 700.0)}), LOOK, "issue-code for 12 min"),
    ("outbox", figures(outbox={"issue-code": Waiting(1, 90_000.0)}), BROKEN, "issue-code for 1 d"),
    ("outbox", figures(outbox={"send-notice": Waiting(1, 15_000.0)}), LOOK, "send-notice for 4 h"),
    ("timers", NO_DATABASE, LOOK, "not looked at"),
    ("timers", figures(timers={"remind": Waiting(1, 700.0)}), LOOK, "remind late by 12 min"),
    ("timers", figures(timers={"remind": Waiting(1, 7_300.0)}), BROKEN, "remind late by 2 h"),
    ("banks", NO_DATABASE, LOOK, "not looked at"),
    ("banks", figures(sources={"0s": 3, "1h": 1}), LOOK, "3 of 4"),
    ("banks", figures(sources={"10m": 3}), BROKEN, "0 of 3"),
    ("cases", NO_DATABASE, LOOK, "not looked at"),
    ("cases", figures(cases={("door-stuck", "1d"): 2}), LOOK, "2 open, 2 for more than a day"),
    ("cases", figures(cases={("forked", "0s"): 1}), BROKEN, "1 of doubtful custody"),
]


def test_a_sound_installation_is_well() -> None:
    """Given everything as it should be, then every check says so, and nothing is to be done."""
    verdicts = examined(SOUND)
    assert {name: one.says for name, one in verdicts.items() if one.state is not State.OK} == {}
    assert not any(one.do for one in verdicts.values())
    assert is_well(verdicts.values())


@pytest.mark.parametrize(("name", "changed", "state", "says"), CASES)
def test_a_check_says_what_is_wrong(name: str, changed: Mapping[str, Any], state: State, says: str) -> None:
    """Given one thing that is not as it should be, then its check tells how bad that is, what it is, and what to do."""
    verdict = CHECKS[name](replace(SOUND, **changed))
    assert (verdict.state, says in verdict.says) == (state, True), verdict
    assert verdict.do.endswith((".", "migrate")) or "…" in verdict.do or ")" in verdict.do, verdict.do


def test_every_check_can_fail() -> None:
    """Given the cases above, then no check is without one in which it finds something broken or to look at."""
    assert {name for name, *_ in CASES} == CHECKS.keys()
    assert {name for name, _, state, _ in CASES if state is BROKEN} >= CHECKS.keys() - {"lanes"}


def test_small_and_large_disks_are_judged_by_what_is_left() -> None:
    """Given a small disk with a good share, or a large one with much left, then nothing is said against it."""
    for free, total in ((GIB, 4 * GIB), (40 * GIB, 4_000 * GIB)):
        found = replace(SOUND, folder=replace(FOLDER, free_bytes=free, total_bytes=total))
        assert CHECKS["disk"](found).state is State.OK


def test_keys_are_not_missed_before_the_first_start() -> None:
    """Given a folder without keys and a database without lanes, then nothing was lost."""
    found = replace(SOUND, folder=replace(FOLDER, missing=("vault.key",)), database=replace(EXAMINED, lanes=0))
    assert CHECKS["state folder"](found).state is State.OK


def test_the_table_and_the_document_tell_the_same() -> None:
    """Given verdicts, then people and machines are told all of them, signs of markup included."""
    verdicts = examined(replace(SOUND, api=Tried("http://[::1]:80", "no [such] host")))
    assert as_table(verdicts).row_count == len(CHECKS)
    told = as_document(verdicts)
    assert told["well"] is False
    assert [one["name"] for one in told["checks"]] == list(CHECKS)
