"""The listener with real sockets, real TLS and a real database: from the invitation to the last word of a session."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import ANY

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidHandshake

from restante.core.ids import PointId, SourceId
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.edge.enrol import enrol, renew
from restante.edge.identity import Identity
from restante.hub.fleet import listener as module
from restante.hub.fleet.listener import PlainLineExposed, Socket, listening
from restante.hub.fleet.records import Beat, SessionTaken
from restante.hub.fleet.service import invite, replace_controller, revoke
from restante.wire import session as wire
from restante.wire.enrol import Invitation
from restante.wire.manifest import Pinned
from tests.hub.fleet.sites import PATIENCE_SECONDS, Running, dialled, running, until
from tests.hub.fleet.town import BANK, FIRST_PROMISE, POINT, Book, applied, parcel_id, promised, provisioning, ran

pytestmark = pytest.mark.postgres


async def enrolled(hub: Running, directory: Path) -> Identity:
    """A bank that was invited and enrolled over the wire."""
    invitation = await invite(hub.fleet, BANK, now=datetime.now(UTC), chance=secrets.token_bytes)
    assert isinstance(invitation, Invitation)
    identity = await enrol(invitation, directory)
    assert isinstance(identity, Identity)
    return identity


def pin(hub: Running) -> Pinned:
    """What a bank of this hub holds manifests against."""
    return Pinned(BANK, 1, hub.site.keys.manifest_public)


async def test_a_bank_enrols_speaks_and_is_told_of_changes_at_once(database: str, tmp_path: Path) -> None:
    """Given an invitation, when a bank enrols and dials, then manifests, entries, changes and renewals pass."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        identity = await enrolled(hub, tmp_path / "bank")
        book = Book()
        async with dialled(hub, identity) as bank:
            await bank.say(book.hello())
            welcome = await bank.hear(wire.Welcome)
            assert (welcome.resume_from, welcome.manifest_key) == (1, hub.site.keys.manifest_public)
            first = applied(None, [await bank.hear(wire.ManifestSent)], pin(hub))
            await ran(hub.site.ledger, promised(1))
            await hub.site.records.stir(POINT)
            change = await bank.hear(wire.ManifestSent)
            second = applied(first, [change], pin(hub))
            assert not change.full
            assert f"{parcel_id(1)}/{FIRST_PROMISE}/deposit" in second.manifest.grants
            book.put_in(1)
            await bank.say(book.batch())
            assert (await bank.hear(wire.Ack)).head_hash == book.head.hash
            change = await bank.hear(wire.ManifestSent)
            third = applied(second, [change], pin(hub))
            assert f"{parcel_id(1)}/{BANK}/1/1/collect" in third.manifest.grants
            [unacknowledged_seconds] = hub.listener.lines().unacknowledged
            assert unacknowledged_seconds >= 0
            assert hub.listener.lines().open == 1
        renewed = await renew(identity)
        assert isinstance(renewed, Identity)
        async with dialled(hub, renewed) as bank:
            await bank.say(book.hello(third))
            assert (await bank.hear(wire.Welcome)).resume_from == 2


async def test_a_revoked_bank_is_cut_off_and_stays_out(database: str, tmp_path: Path) -> None:
    """Given an open session, when its source is revoked, then the line closes and nothing lets it in again."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        identity = await enrolled(hub, tmp_path / "bank")
        async with dialled(hub, identity) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.Welcome)
            assert await revoke(hub.fleet, BANK, now=datetime.now(UTC)) == 1
            assert await bank.closed() == "certificate-revoked"
        async with dialled(hub, identity) as bank:
            assert (await bank.hear(wire.Rejected)).code == "certificate-revoked"
        assert await renew(identity) == Refusal("certificate-revoked")
        assert hub.listener.sources == frozenset()


async def test_a_new_controller_takes_over(database: str, tmp_path: Path) -> None:
    """Given a bank at work, when its controller is replaced, then the old one is out and the new one inherits."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, [*provisioning(), *promised(1)])
        old, book = await enrolled(hub, tmp_path / "old"), Book()
        book.put_in(1, door=6)
        async with dialled(hub, old) as bank:
            await bank.say(book.hello())
            await bank.say(book.batch())
            await bank.hear(wire.Ack)
            invitation = await replace_controller(
                hub.fleet, BANK, actor="operator", epoch=2, now=datetime.now(UTC), chance=secrets.token_bytes
            )
            assert await bank.closed() in {"certificate-revoked", "journal-epoch"}
        assert isinstance(invitation, Invitation)
        new = await enrol(invitation, tmp_path / "new")
        assert isinstance(new, Identity)
        async with dialled(hub, old) as bank:
            assert (await bank.hear(wire.Rejected)).code == "certificate-revoked"
        async with dialled(hub, new) as bank:
            await bank.say(Book().hello())
            assert (await bank.hear(wire.Welcome)).log_epoch == 2
            document = (await bank.hear(wire.ManifestSent)).document
            assert f"{parcel_id(1)}/{BANK}/1/1/collect" in document


async def test_a_second_session_ends_the_first_in_whatever_process_it_is(database: str, tmp_path: Path) -> None:
    """Given two hub processes, when a bank moves to and fro, then each time the older line closes."""
    async with AsyncExitStack() as stack:
        hubs = [await stack.enter_async_context(running(database, tmp_path / "hub")) for _ in range(2)]
        await ran(hubs[0].site.ledger, provisioning())
        identity, book = await enrolled(hubs[0], tmp_path / "bank"), Book()
        before = None
        for turn in range(4):
            book.write("door-shut", {"door": turn})
            bank = await stack.enter_async_context(dialled(hubs[turn % 2], identity))
            await bank.say(book.hello())
            welcome = await bank.hear(wire.Welcome)
            assert not welcome.forked
            await bank.say(book.batch(welcome.resume_from))
            assert (await bank.hear(wire.Ack)).seq == turn + 1
            if before is not None:
                assert await before.closed() == "displaced"
            before = bank
        await until(lambda: [hub.listener.sources for hub in hubs] == [frozenset(), {BANK}])


async def test_a_crowd_is_asked_to_come_again(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a hub that welcomes as many as it can, when one more dials, then it is told to wait, and let in later."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        identity = await enrolled(hub, tmp_path / "bank")
        with monkeypatch.context() as crowded:
            crowded.setattr(module, "WAITING_AT_MOST", 0)
            async with dialled(hub, identity) as bank:
                await bank.say(Book().hello())
                assert (await bank.hear(wire.Pending)).why == "hub-crowded"
                assert await bank.closed() == "hub-crowded"
        async with dialled(hub, identity) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.Welcome)


async def test_reconciling_looks_again_at_what_was_not_looked_at_for_long(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a change that nobody signalled, when the hub reconciles, then the bank gets it once it was long ago."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        async with dialled(hub, await enrolled(hub, tmp_path / "bank")) as bank:
            book = Book()
            await bank.say(book.hello())
            sent = applied(None, [await bank.hear(wire.ManifestSent)], pin(hub)).manifest
            book.write("manifest-applied", {"hub_epoch": sent.hub_epoch, "generation": sent.generation})
            await bank.say(book.batch())
            await bank.hear(wire.Ack)
            await hub.listener.reconcile()
            await ran(hub.site.ledger, promised(1))
            await hub.listener.reconcile()
            await bank.say(wire.Ping(7))
            assert wire.read_from_hub(await bank.connection.recv()) == wire.Pong(7, ANY)
            monkeypatch.setattr(module, "RENEW_SECONDS", 0.0)
            await hub.listener.reconcile()
            assert not (await bank.hear(wire.ManifestSent)).full


async def test_a_session_whose_end_was_not_signalled_ends_at_the_reconciling(database: str, tmp_path: Path) -> None:
    """Given a session another process took over unheard, when the hub reconciles, then its own line closes."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        async with dialled(hub, await enrolled(hub, tmp_path / "bank")) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.ManifestSent)
            await hub.site.records.tables.rows(b"UPDATE source_session SET session = 'another'", {})
            await hub.listener.reconcile()
            assert await bank.closed() == "displaced"


async def test_a_session_that_is_not_on_record_yet_is_not_taken_for_displaced(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a hub that looks at its sessions while one is being put on record, then that one goes on."""
    looked, looking = asyncio.Event(), list[asyncio.Task[None]]()
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        records, listener = hub.site.records, hub.listener
        enter, keep = records.enter, records.keep_sessions

        async def kept(beats: Sequence[Beat]) -> frozenset[str]:
            found = await keep(beats)
            looked.set()
            return found

        async def entering(source: SourceId, point: PointId, *, session: str, now: Instant) -> None:
            looking.append(asyncio.create_task(listener._keep_alive(listener._lines.states(), hub.site.clock.now())))
            looking[0].add_done_callback(lambda _: looked.set())
            await looked.wait()
            await enter(source, point, session=session, now=now)

        monkeypatch.setattr(records, "enter", entering)
        monkeypatch.setattr(records, "keep_sessions", kept)
        async with dialled(hub, await enrolled(hub, tmp_path / "bank")) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.ManifestSent)
            await looking[0]
            await bank.say(wire.Ping(7))
            assert (await bank.hear(wire.Pong)).number == 7


async def test_old_news_of_a_session_does_not_end_the_one_that_followed(database: str, tmp_path: Path) -> None:
    """Given a bank that came back at once, when the session before is heard of late, then the newer one goes on."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        async with dialled(hub, await enrolled(hub, tmp_path / "bank")) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.ManifestSent)
            await hub.listener._heed(SessionTaken(BANK, "the one before"))
            await bank.say(wire.Ping(7))
            assert (await bank.hear(wire.Pong)).number == 7


async def test_contact_is_lost_by_silence_and_regained_by_a_session(database: str, tmp_path: Path) -> None:
    """Given a bank that has left, when it was silent for too long, then its point is out of contact until it speaks."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        identity = await enrolled(hub, tmp_path / "bank")

        async def is_lost() -> bool:
            return (await hub.site.ledger.rooms([POINT]))[POINT].lost_at is not None

        async with dialled(hub, identity) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.ManifestSent)
            hub.shift.by = timedelta(hours=1)
            await hub.listener.reconcile()
            assert not await is_lost()
        await until(lambda: not hub.listener.sources)
        await hub.listener.reconcile()
        assert not await is_lost()
        hub.shift.by = timedelta(hours=2)
        await hub.listener.reconcile()
        assert await is_lost()
        async with dialled(hub, identity) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.Welcome)
            assert not await is_lost()


async def test_a_session_ends_with_its_certificate(database: str, tmp_path: Path) -> None:
    """Given a certificate past its end by the hub's clock, when the bank dials, then it is rejected by name."""
    async with running(database, tmp_path / "hub") as hub:
        await ran(hub.site.ledger, provisioning())
        identity = await enrolled(hub, tmp_path / "bank")
        hub.shift.by = timedelta(days=31)
        async with dialled(hub, identity) as bank:
            assert (await bank.hear(wire.Rejected)).code == "certificate-expired"


async def test_plain_lines_are_for_loopback_and_take_no_enrolments(database: str, tmp_path: Path) -> None:
    """Given a listener without TLS, when on loopback, then sessions pass but no enrolments; elsewhere it refuses."""
    async with running(database, tmp_path / "hub", plain=True) as hub:
        await ran(hub.site.ledger, provisioning())
        async with dialled(hub, None) as bank:
            await bank.say(Book().hello())
            assert (await bank.hear(wire.Welcome)).resume_from == 1
        plain = f"ws://127.0.0.1:{hub.listener.port}"
        async with connect(plain, subprotocols=["restante-enrol.v1"], proxy=None) as connection:  # type: ignore[list-item]
            await connection.wait_closed()
            assert connection.close_code == 1002
        with pytest.raises(InvalidHandshake):
            async with connect(plain, subprotocols=["other"], proxy=None):  # type: ignore[list-item]
                pass
        exposed = msgspec.structs.replace(hub.site.settings, bank_host="0.0.0.0")
        with pytest.raises(PlainLineExposed):
            async with listening(msgspec.structs.replace(hub.site, settings=exposed)):
                pass


async def test_nonsense_on_the_wire_ends_its_line_and_no_other(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a bank at work, when others send nonsense, then their lines end and the bank's goes on."""
    async with running(database, tmp_path / "hub", plain=True) as hub:
        await ran(hub.site.ledger, [*provisioning()])
        for frame in ("", "{}", "\x00", b"\xff\xfe", '{"type":"hello"}', '{"type":"welcome"}', "[" * 5000, "9" * 5000):
            async with dialled(hub, None) as bank:
                await bank.connection.send(frame)
                assert (await bank.hear(wire.Rejected)).code == "message-malformed"
                assert await bank.closed() == "message-malformed"
        async with dialled(hub, None) as bank:
            await bank.say(Book().hello())
            await bank.hear(wire.Welcome)
            await bank.say(wire.Ping(5))
            assert (await bank.hear(wire.Pong)).number == 5
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_bank_that_does_not_read_is_cut_off() -> None:
    """Given a peer that never reads, when its line is full, then it is cut off within the outlet's patience."""
    cut = asyncio.Event()

    async def receive(connection: ServerConnection) -> None:
        outlet = Socket(connection, patience_s=0.2)
        while not connection.transport.is_closing():
            await outlet.send("x" * 1_000_000)
        await outlet.send("after the end")
        cut.set()

    async with serve(receive, "127.0.0.1", 0, compression=None, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert b"101" in await reader.readline()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await cut.wait()
        writer.close()
