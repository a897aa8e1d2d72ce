"""A day with a marked person: what is known of them is found nowhere but in their mail."""

import base64
import logging
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from prometheus_client import generate_latest
from psycopg import sql

from restante.core import commands as cmd
from restante.core.facts import AnyFact, ParcelPutIn, ParcelTakenOut
from restante.core.ids import CommandId, ParcelId, PointId, StayKey
from restante.core.parcel import Collected, stage_of
from restante.core.stay import By, Evidence
from restante.hub.engine import Accepted
from restante.hub.metrics.catalogue import Seen
from restante.hub.metrics.figures import Collector
from restante.hub.metrics.page import registry_of
from restante.hub.notices.mail import read_code
from restante.hub.notices.sink import Sink, open_sink
from restante.hub.worker.opening import Site, open_worker
from restante.hub.worker.program import Worker
from restante.store.connect import pools
from restante.store.tables import open_tables
from tests.hub.api import DIMENSIONS, Api, an_api

NAME, MAIL, PHONE = "Zqxmarked Zqxmarked", "zqxmarked@people.example", "+358 7313370924"
BOUNCING, LOST = "zqxmarked.old@bounce.example", "zqxmarked.lost@bounce.example"
STREET, REFERENCE = "Zqxmarked Street 99", "ZQXMARKED-1"
MARKS = ("zqxmarked", "Zqxmarked", "ZQXMARKED", "7313370924")
"""Long enough that chance does not write one into a key or a digest."""


class Bank:
    """The journal of a point's source, told straight to the engine."""

    def __init__(self, api: Api, point: PointId) -> None:
        self._api = api
        self._point = point
        self._seq = 0
        self._hash = ""

    async def tell(self, fact: AnyFact) -> StayKey:
        """Have one fact adopted; the stay it would open."""
        view = await self._api.ledger.view(self._point)
        assert view is not None
        source, previous = view.head.source, self._hash
        self._seq += 1
        entry = msgspec.json.encode({"seq": self._seq, "previous": previous, "fact": fact})
        self._hash = sha256(entry).hexdigest()
        by: dict[str, Any] = {"id": CommandId(""), "actor": "bank", "at": self._api.time.now()}
        where: dict[str, Any] = {"source": source, "point": self._point, "epoch": 1, "seq": self._seq}
        command = cmd.AdoptFact(**by, **where, previous_hash=previous, hash=self._hash, fact=fact, entry=entry)
        assert isinstance(await self._api.parts.engine.submit(command), Accepted)
        return StayKey(source, 1, self._seq)


async def announce(api: Api, point: str, reference: str, *, emails: list[str]) -> ParcelId:
    """Announce a parcel for the marked person, as their carrier."""
    person = {"name": NAME, "emails": emails, "phone": PHONE, "street_address": STREET, "language": "en"}
    body = {"reference": reference, "dimensions": DIMENSIONS, "point": point, "recipient": person}
    headers = {"Idempotency-Key": f"key{reference.removeprefix('ZQXMARKED')}"}
    made = await api.post("/parcels", body, by="swift", headers=headers)
    return ParcelId(made["parcel"])


async def a_day(api: Api, worker: Worker, sink: Sink) -> None:
    """One parcel told of after a bounce and collected, one that nobody can be told of, one under a used reference."""
    point = await api.point()
    bank = Bank(api, PointId(point))
    told = await announce(api, point, REFERENCE, emails=[BOUNCING, MAIL])
    lost = await announce(api, point, REFERENCE + "-B", emails=[LOST])
    again = {"reference": REFERENCE, "dimensions": DIMENSIONS, "weight_grams": 7, "point": point}
    assert (await api.ask("POST", "/parcels", again, by="swift")).status_code == 409
    await worker.drain()
    room_class = (await api.ledger.parcels([told]))[told].room_class
    stays = [
        await bank.tell(ParcelPutIn(parcel, "g", door, room_class, By.COURIER, Evidence.SENSOR))
        for door, parcel in enumerate((told, lost), start=1)
    ]
    await worker.drain()
    (mail,) = sink.inbox(MAIL)
    assert read_code(mail.mail()) is not None
    assert NAME in str(mail.mail()["To"])
    await api.get(f"/parcels/{told}", by="swift")
    await bank.tell(ParcelTakenOut(told, stays[0], "g", 1, By.RECIPIENT, Evidence.SENSOR))
    await worker.drain()
    assert len(sink.inbox(MAIL)) == 2
    parcels = await api.ledger.parcels([told, lost])
    assert isinstance(stage_of(parcels[told]), Collected)
    assert "notice-bounced" in parcels[lost].cases


def rows(database: str) -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as the bytes its columns hold."""
    with psycopg.connect(database) as db:
        tables = db.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            found = db.execute(sql.SQL("TABLE {}").format(sql.Identifier(schema, table)), binary=True)
            for row in found:
                yield f"{schema}.{table}", b"\x00".join(_bytes(column) for column in row)


def _bytes(column: object) -> bytes:
    return bytes(column) if isinstance(column, bytes | memoryview) else str(column).encode()


def files(folder: Path, *, but: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, except below another one."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(but):
            yield path.name, path.name.encode() + path.read_bytes()


def findings(held: Iterator[tuple[str, bytes]]) -> list[str]:
    """Where a mark is found: as it is, in hexadecimal or in base 64, in any case."""
    return [place for place, body in held if any(form in body.lower() for mark in MARKS for form in _forms(mark))]


def _forms(mark: str) -> Iterator[bytes]:
    yield mark.lower().encode()
    yield mark.encode().hex().encode()
    for shift in range(3):
        # In base 64 a text looks different at each of three places; its ends mix with its neighbours.
        whole = base64.b64encode(bytes(shift) + mark.encode())
        yield whole[-(-shift * 8 // 6) : (shift + len(mark)) * 8 // 6].lower()


@pytest.mark.postgres
async def test_a_marked_person_is_found_nowhere(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given a day with bounces, when all tables, logs and files are searched, then no mark is found but in the mail."""
    caplog.set_level(logging.DEBUG)
    async with an_api(database, tmp_path) as api, await open_sink(tmp_path / "mail") as sink:
        # After the sink, which quietens its library's log for the sake of people: nothing here may undo that.
        parts = api.parts
        site = Site(
            parts.dsn, parts.settings, parts.ledger, parts.engine, parts.vault, lambda *_: bytes(32),
            refresh=api.ledger.tell, points=api.ledger.points, now=api.time.now, smtp_port=sink.port,
            work=parts.measures.work,
        )  # fmt: skip
        async with open_worker(site) as worker, open_tables(database, name="metrics", size=1) as tables:
            await a_day(api, worker, sink)
            await worker.reconcile()
            collector = Collector(api.ledger, tables, now=api.time.now, real=time.time)
            await collector.collect()
            seen = Seen(parts.engine, parts.measures, collector.figures, pools())
            metrics = generate_latest(registry_of(lambda: seen))
    assert b'restante_notices_total{channel="email",outcome="bounced"}' in metrics
    assert b'restante_tasks_total{kind="send-notice",outcome="done"}' in metrics
    assert b"restante_round_timestamp_seconds" in metrics
    assert b'restante_cases_open{age="0s",kind="notice-bounced"} 1.0' in metrics
    assert findings(iter([("metrics", metrics)])) == []
    assert re.findall(rb"[0-9a-f]{8}-[0-9a-f]{4}-", metrics) == [], "no id of a parcel, a point or a source"
    assert not any(org in metrics for org in (b"swift", b"slow"))
    assert findings(rows(database)) == []
    assert findings(files(tmp_path, but=tmp_path / "mail")) == []
    said = capfd.readouterr()
    assert (
        findings(iter([("log", caplog.text.encode()), ("stdout", said.out.encode()), ("stderr", said.err.encode())]))
        == []
    )
    assert "notice-not-taken" in said.out + said.err + caplog.text, "the log is not empty because nobody wrote to it"


def test_the_search_finds_what_is_there(database: str, tmp_path: Path) -> None:
    """Given marks in a table, a file and a log line, in each form, when searched, then each is found."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("CREATE TABLE planted (what bytea, said text)")
        forms = [base64.b64encode(b"." * shift + NAME.encode()) for shift in range(3)]
        for body in (NAME.encode(), MAIL.encode().hex().encode(), *forms):
            db.execute("INSERT INTO planted VALUES (%s, '')", [body])
        db.execute("INSERT INTO planted VALUES ('', %s)", [PHONE.replace(" ", "")])
    assert findings(rows(database)) == ["public.planted"] * 6
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.eml").write_text(NAME)
    (tmp_path / "note").write_text(STREET)
    assert findings(files(tmp_path, but=tmp_path / "mail")) == ["note"]
