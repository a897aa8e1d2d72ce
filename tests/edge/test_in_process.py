"""The program of a source in this very process: what it is told, what it says at its loopback door, how it ends."""

import asyncio
import os
import random
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from restante.core.bank import SourceKind
from restante.edge import bank as program
from restante.edge import loopback_server
from restante.edge import person as person_module
from restante.edge.bank import ConfigWrong, SourceConfig, config_from, run_source, take_in_book
from restante.edge.boards.steel import Deed
from restante.edge.book import create_book, open_book
from restante.edge.drivers.xor8a import XorBoard
from restante.edge.enrol import HubUnreachable, enrol
from restante.edge.inputs import Choice
from restante.edge.link import LineUnsafe, plain_address
from restante.edge.loopback import LOOPBACK_FILE, Address, LoopbackClosed, SeenAt, find_address, read_answer
from restante.edge.person import Person
from restante.edge.running import Running
from restante.wire import session as wire
from tests.edge.small_hub import SOURCE, SmallHub
from tests.edge.test_program import COURIER, AtWork, code, grants

pytestmark = pytest.mark.enable_socket


@asynccontextmanager
async def running(directory: Path, **settings: str) -> AsyncIterator[AtWork]:
    """The program as a task of this process, until it is told to stop."""
    named = {"STATE_DIRECTORY": str(directory), "BOARD": "emulated:3", **settings}
    config, stop = config_from({f"RESTANTE_{name}": value for name, value in named.items()}), asyncio.Event()
    source = asyncio.create_task(run_source(config, stop=stop))
    try:
        async with Person(directory) as person:
            yield AtWork(person)
    finally:
        stop.set()
        await asyncio.wait_for(source, 20)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[SmallHub]:
    """A hub with TLS."""
    async with SmallHub(tmp_path / "hub", doors=3).listening() as small:
        yield small


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[SmallHub]:
    """A hub on this very machine, without TLS."""
    small = SmallHub(tmp_path / "hub", doors=3)
    protocols: Any = [Subprotocol(wire.SUBPROTOCOL)]
    async with serve(small.receive, "127.0.0.1", 0, subprotocols=protocols) as server:
        small.port = next(iter(server.sockets)).getsockname()[1]
        yield small


def by(hub: SmallHub) -> dict[str, str]:
    """The settings of a source with a plain line to this hub."""
    return {"HUB_URL": f"ws://127.0.0.1:{hub.port}", "SOURCE": SOURCE}


# --- a day at work


async def test_a_bank_enrols_works_through_a_cut_and_starts_again(hub: SmallHub, tmp_path: Path) -> None:
    """Given an invitation, when parcels come and go, also without a line, then the hub holds all of it in the end."""
    directory = tmp_path / "deep" / "bank"
    await hub.grant(**grants(hub, 1, 2))
    async with running(directory, INVITATION=hub.invite().text) as bank:
        first = await bank.person.until(lambda status: status.generation == 1)
        assert (first.source, first.boot, first.log_epoch, first.forked, first.fault) == (SOURCE, 1, 1, False, "")
        assert first.doors == dict.fromkeys((1, 2, 3), SeenAt("closed", "no"))
        door = await bank.put_in(1)
        cut = await bank.person.set_link(up=False)
        assert not cut.is_link_up
        await bank.person.until(lambda status: not status.online)
        held = len(hub.entries)
        await bank.put_in(2)
        closed = await bank.person.choose(Choice.CLOSE_ROUND)
        assert closed.texts == ("Your round is closed.",)
        assert await bank.take_out(1) == door
        assert len(hub.entries) == held
        await bank.person.set_link(up=True)
        last = await bank.person.until(lambda status: status.acknowledged == status.head)
        assert (last.stays, last.online, last.is_link_up) == (1, True, True)
        assert last.head == len(hub.entries) > held
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert not (directory / LOOPBACK_FILE).exists()
    async with running(directory) as bank:
        again = await bank.person.until(lambda status: status.online and status.acknowledged == status.head)
        assert (again.boot, again.stays, again.generation) == (2, 1, 1)
    assert [hello.boot for hello in hub.hellos] == [1, 1, 2]
    assert hub.kinds().count("started") == 2
    assert hub.hellos[-1].software == hub.entries[0].data["software"] == program.SOFTWARE


async def test_a_counter_has_no_doors_and_goes_on(plain: SmallHub, tmp_path: Path) -> None:
    """Given a counter with a plain line, when it runs, then it is online without a board, and its doors are none."""
    async with running(tmp_path / "desk", **by(plain), BOARD="none", KIND="counter") as desk:
        status = await desk.person.until(lambda status: status.online and status.generation is not None)
        assert status.doors == {}
        with pytest.raises(LoopbackClosed, match="the doors here are real"):
            await desk.person.touch(1, Deed.PUSH)
    assert [hello.abilities for hello in plain.hellos] == [("staff",)]


async def test_what_people_do_at_the_loopback_door_is_answered(plain: SmallHub, tmp_path: Path) -> None:
    """Given a running bank, when people do what they may and what they may not, then each is answered in words."""
    directory = tmp_path / "bank"
    await plain.grant(**grants(plain, 1))
    async with running(directory, **by(plain)) as bank:
        await bank.person.until(lambda status: status.generation == 1)
        before = await bank.person.status()
        typed = await bank.person.enter_code("0000")
        assert typed.screen_number == before.screen_number + 1
        assert typed.texts[0].startswith("That code does not open a door here.")
        for door in (0, 4):
            with pytest.raises(LoopbackClosed, match="no such door"):
                await bank.person.touch(door, Deed.PUSH)
        await bank.person.touch(3, Deed.FORCE)
        await bank.person.until(lambda status: status.doors[3] == SeenAt("open", "no"))
        await bank.person.enter_code("00000000", channel="qr")
        address = find_address(directory)
        assert stat.S_IMODE((directory / LOOPBACK_FILE).stat().st_mode) == 0o600
        assert sorted(path.name for path in directory.iterdir() if path.name.startswith(".")) == []
        for guess in ("", "guess", address.token[:-1], f"{address.token}x"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{address.port}/{guess}")
            assert refused.value.response.status_code == 401
        async with connect(address.url) as line:
            await line.send('{"type":"watch","after":-1}')
            assert read_answer(await line.recv()) == await bank.person.status()
            await line.send("what?")
            assert '"not-done"' in str(await line.recv())
            await line.send('{"type":"inspect","door":1}')
            assert '"status"' in str(await line.recv())
        await bank.person.leave()
        assert (await bank.person.enter_code(COURIER)).screen.page == "round"
    assert [entry.data["channel"] for entry in plain.entries if entry.kind == "code-refused"] == ["qr"]
    assert "door-forced" in plain.kinds()


async def test_who_watches_hears_of_the_next_screen(plain: SmallHub, tmp_path: Path) -> None:
    """Given somebody who watches the screen, when another types, then the one who watches is told."""
    directory = tmp_path / "bank"
    await plain.grant(**grants(plain, 1))
    async with running(directory, **by(plain)) as bank:
        shown = await bank.person.until(lambda status: status.generation == 1)
        async with connect(find_address(directory).url) as line:
            await line.send(f'{{"type":"watch","after":{shown.screen_number}}}')
            typed = await bank.person.enter_code(code(9))
            seen = read_answer(await asyncio.wait_for(line.recv(), 20))
    assert seen == typed


async def test_what_is_not_so_in_time_is_told_with_how_things_are(plain: SmallHub, tmp_path: Path) -> None:
    """Given somebody who waits in vain, then the fault says how things are; and with nobody there, that."""
    directory = tmp_path / "bank"
    async with running(directory, **by(plain)) as bank:
        await bank.person.until(lambda status: status.online)
        with pytest.raises(LoopbackClosed, match=r"not so within 0\.2 s: Status\(source='bank-1'"):
            await bank.person.until(lambda status: status.boot == 9, seconds=0.2)
    async with Person(directory) as person:
        with pytest.raises(LoopbackClosed, match="not so within 0 s: nothing"):
            await person.until(lambda _: True, seconds=0)
        with pytest.raises(LoopbackClosed, match="does not answer"):
            await person.status()


async def test_time_that_is_over_is_over_at_its_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a clock that stands at the end of the time, when somebody waits until then, then it is over."""
    monkeypatch.setattr(person_module, "time", SimpleNamespace(monotonic=lambda: 5.0))
    async with Person(tmp_path) as person:
        with pytest.raises(LoopbackClosed, match="not so within 0 s: nothing"):
            await person.until(lambda _: True, seconds=0)


async def test_a_bank_whose_loop_breaks_ends_with_what_broke_it(
    plain: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a program one of whose loops fails, then it ends with that fault, its book closed and its door shut."""

    async def breaks(_running: object) -> None:
        raise ZeroDivisionError

    url = by(plain)["HUB_URL"]
    for loop in ("tick_for_ever", "look_for_ever"):
        with monkeypatch.context() as broken:
            broken.setattr(Running, loop, breaks)
            with pytest.raises(ZeroDivisionError):
                await run_source(SourceConfig(state_directory=tmp_path / "bank", hub_url=url, source=SOURCE))
        assert not (tmp_path / "bank" / LOOPBACK_FILE).exists()
        open_book(tmp_path / "bank" / program.BOOK_FILE, source=SOURCE).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_end_ends_it_in_order(
    plain: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Given the program as it is started, when it is told to end, then it closes its door and its book, and ends."""
    told = {"STATE_DIRECTORY": str(tmp_path / "bank"), "BOARD": "emulated:1", **by(plain)}
    for name, value in told.items():
        monkeypatch.setenv(f"RESTANTE_{name}", value)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        source = asyncio.create_task(program._main())
        async with Person(tmp_path / "bank") as person:
            await person.until(lambda status: status.online)
            os.kill(os.getpid(), number)
            await asyncio.wait_for(source, 20)
    finally:
        signal.signal(number, before)
    assert not (tmp_path / "bank" / LOOPBACK_FILE).exists()
    open_book(tmp_path / "bank" / program.BOOK_FILE, source=SOURCE).close()


# --- what it is told


def test_a_source_is_told_by_its_environment(tmp_path: Path) -> None:
    """Given variables, when read, then those that are set count, the others are as usual, and the rest is no matter."""
    environ = {"RESTANTE_STATE_DIRECTORY": str(tmp_path), "PATH": "/bin", "RESTANTE_KIND": ""}
    usual = SourceConfig(state_directory=tmp_path)
    assert config_from(environ) == usual
    assert (usual.board, usual.kind, usual.pace, usual.max_pages) == ("emulated:8", SourceKind.BANK, 1.0, 0)
    told = {"BOARD": "none", "KIND": "counter", "MAX_PAGES": "48", "PACE": "60", "PACE_FROM": "2026-03-01T00:00:00Z"}
    config = config_from(environ | {f"RESTANTE_{name}": value for name, value in told.items()})
    assert (config.board, config.kind, config.max_pages, config.pace) == ("none", SourceKind.COUNTER, 48, 60.0)
    assert config.pace_from == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [{}, {"PACE": "0.5"}, {"PACE": "100001"}, {"PACE_FROM": "2026-03-01T00:00:00"}, {"KIND": "shop"}, {"PACE": "x"}],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, told: dict[str, str]) -> None:
    """Given no state folder, a pace out of bounds, a time without a zone or a kind that is none, then a fault."""
    environ = {"RESTANTE_STATE_DIRECTORY": str(tmp_path)} if told else {}
    with pytest.raises(ConfigWrong):
        config_from(environ | {f"RESTANTE_{name}": value for name, value in told.items()})


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ("emulated:0", "at least one door"),
        ("emulated:", "cannot be read"),
        ("emulated", "cannot be read"),
        ("xor8a:/dev/null:1x8", "cannot be read"),
        ("xor8a:/dev/null:1x8x3,1x8x3", "two boards have one address"),
        ("xor8a:/dev/null:0x8x3", "cannot be read"),
        ("abacus:3", "no family of lock boards is called 'abacus'"),
        ("", "no family"),
    ],
)
async def test_a_board_that_cannot_be_is_named(tmp_path: Path, board: str, words: str) -> None:
    """Given a board of no family, no doors or one address twice, when the source starts, then a fault names it."""
    config = SourceConfig(state_directory=tmp_path / "s", board=board, hub_url="ws://127.0.0.1:9", source=SOURCE)
    with pytest.raises(ConfigWrong, match=words):
        await run_source(config)


async def test_boards_are_wired_as_they_were_found(tmp_path: Path) -> None:
    """Given two boards on one line, when the source starts, then their doors are theirs, in the order named."""
    config = SourceConfig(state_directory=tmp_path, board="xor8a:/dev/ttyUSB0:1x8x3,2x12x2")
    board, live = program._board(config)
    assert live is None
    assert board is not None
    assert set(await board.read_all()) == set(range(1, 21))
    assert program._xor_boards("1x8x3,2x12x2") == (
        XorBoard(address=1, locks=8, status_bytes=3),
        XorBoard(address=2, locks=12, status_bytes=2),
    )
    await board.close()


async def test_a_source_that_cannot_begin_says_why(tmp_path: Path) -> None:
    """Given a folder that is a file, a plain line without a name, or no invitation, when started, then a fault."""
    (tmp_path / "file").touch()
    for config, words in (
        (SourceConfig(state_directory=tmp_path / "file"), "cannot be made or is none"),
        (SourceConfig(state_directory=tmp_path / "a", hub_url="ws://localhost:9"), "needs the name of the source"),
        (SourceConfig(state_directory=tmp_path / "b", invitation="hello"), "no invitation can be read"),
    ):
        with pytest.raises(ConfigWrong, match=words):
            await run_source(config)


@pytest.mark.parametrize("url", ["wss://127.0.0.1:1", "ws://192.0.2.7:1", "http://localhost", "ws://", "localhost"])
def test_a_line_without_tls_leads_to_this_machine_only(url: str) -> None:
    """Given an address elsewhere or of another kind, when it is to be dialled without TLS, then a fault."""
    with pytest.raises(LineUnsafe):
        plain_address(url)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://[::1]:1", "ws://localhost:1/x"])
def test_a_line_without_tls_may_lead_to_this_machine(url: str) -> None:
    """Given an address of this machine, then it may be dialled without TLS."""
    assert plain_address(url) == (url, None)


# --- enrolment and certificates


async def test_a_used_invitation_is_refused_in_words(hub: SmallHub, tmp_path: Path) -> None:
    """Given an invitation that another machine used, when a source starts with it, then the fault says so."""
    invitation = hub.invite().text
    async with running(tmp_path / "one", INVITATION=invitation) as bank:
        await bank.person.until(lambda status: status.online)
    with pytest.raises(ConfigWrong, match="the hub refused the invitation"):
        await run_source(SourceConfig(state_directory=tmp_path / "two", invitation=invitation))


async def test_a_machine_out_of_its_box_tries_until_the_hub_answers(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a hub that answers at the second try, when a machine is started, then it is enrolled by then."""
    tries = list[bool]()

    async def at_the_second_try(invitation: Any, directory: Path, *, is_clock_trusted: bool) -> Any:
        tries.append(is_clock_trusted)
        if len(tries) == 1:
            raise HubUnreachable
        return await enrol(invitation, directory, is_clock_trusted=is_clock_trusted)

    monkeypatch.setattr(program, "enrol", at_the_second_try)
    monkeypatch.setattr(random, "uniform", lambda least, most: 0.0 if (least, most) == (1, 30.0) else 1e9)
    async with running(tmp_path / "bank", INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.online)
    assert tries == [False, False], "a clock out of a box is not believed"
    assert "enrolment-waits" in caplog.messages


@pytest.mark.parametrize("answers", [True, False])
async def test_a_certificate_is_renewed_in_its_time(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, answers: bool
) -> None:
    """Given a certificate that is due, when the source runs, then it asks for the next one, and says what came."""
    asked = asyncio.Event()

    async def renew(_identity: object) -> object:
        asked.set()
        if not answers:
            raise HubUnreachable
        return _identity

    monkeypatch.setattr(program, "needs_renewal", lambda _identity, _at: True)
    monkeypatch.setattr(program, "renew", renew)
    caplog.set_level("INFO")
    async with running(tmp_path / "bank", INVITATION=hub.invite().text) as bank:
        await asyncio.wait_for(asked.wait(), 20)
        await bank.person.until(lambda status: status.online)
    asked_for = [vars(record)["answer"] for record in caplog.records if record.message == "certificate-asked"]
    assert asked_for == (["done"] if answers else [])
    assert ("certificate-not-renewed" in caplog.messages) == (not answers)


async def test_a_young_certificate_is_not_renewed(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a certificate that has long to go, when the source runs, then it asks for no other."""
    renewed = list[object]()
    monkeypatch.setattr(program, "renew", renewed.append)
    async with running(tmp_path / "bank", INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.online)
    assert renewed == []


async def test_an_old_book_is_taken_in_once_its_controller_is_enrolled(hub: SmallHub, tmp_path: Path) -> None:
    """Given a replaced controller's book, when taken in, then a fault before enrolment, and afterwards what it held."""
    directory = tmp_path / "bank"
    create_book(tmp_path / "old.sqlite", source=SOURCE).close()
    with pytest.raises(ConfigWrong, match="not enrolled yet"):
        take_in_book(directory, tmp_path / "old.sqlite")
    async with running(directory, INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.online)
    assert take_in_book(directory, tmp_path / "old.sqlite") == ()


# --- the loopback door's file


def test_the_token_is_never_readable_by_others_nor_left_half_written(tmp_path: Path) -> None:
    """Given an earlier file, or a link in its way, when the address is written, then it is private, whole and alone."""
    path = tmp_path / LOOPBACK_FILE
    for body in (b'{"port":1,"token":"t"}', b'{"port":2,"token":"u"}'):
        (tmp_path / f".{LOOPBACK_FILE}.new").symlink_to(tmp_path / "elsewhere")
        loopback_server._write_private(path, body)
        assert path.read_bytes() == body
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [one.name for one in tmp_path.iterdir()] == [LOOPBACK_FILE]
    assert find_address(tmp_path) == Address(2, "u")
    assert find_address(tmp_path).url == "ws://127.0.0.1:2/u"
