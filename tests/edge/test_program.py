"""The program itself, as a process of its own, over TLS, with a book on disk and an emulated board behind the door."""

import asyncio
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from restante.core.bank import RoomClass
from restante.core.ids import OrgId, ParcelId
from restante.edge.boards.steel import Deed
from restante.edge.book import open_book
from restante.edge.inputs import Choice
from restante.edge.loopback import LOOPBACK_FILE, LoopbackClosed, Status, find_address
from restante.edge.person import Person
from restante.wire.journal import Entry
from restante.wire.manifest import Grant, GrantKind, Settings
from tests.edge.small_hub import SOURCE, SmallHub

pytestmark = pytest.mark.enable_socket

CARRIER = OrgId("carrier-1")
COURIER = "11112222"
READY_SECONDS = 5.0


def parcel(number: int) -> ParcelId:
    """A parcel's id."""
    return ParcelId(f"00000000-0000-8000-8000-{number:08x}0001")


def grants(hub: SmallHub, *numbers: int) -> dict[str, Grant]:
    """A courier's code, and for each parcel a deposit and a collection with the code ``9000000<n>``."""
    found = {"service": Grant(GrantKind.SERVICE, CARRIER, verifier=hub.verifier(COURIER), max_uses=0)}
    for n in numbers:
        found[f"d{n}"] = Grant(GrantKind.DEPOSIT, CARRIER, parcel(n), f"P{n}", RoomClass("1"))
        found[f"c{n}"] = Grant(GrantKind.COLLECT, CARRIER, parcel(n), verifier=hub.verifier(code(n)))
    return found


def code(number: int) -> str:
    """The code of a parcel."""
    return f"9{number:07d}"


class AtWork:
    """A running bank and somebody in front of it."""

    def __init__(self, person: Person) -> None:
        self.person = person

    async def put_in(self, number: int) -> int:
        """A courier puts a parcel in; behind which door."""
        if (await self.person.status()).screen.page != "round":
            await self.person.enter_code(COURIER)
        await self.person.scan(f"P{number}")
        return await self.through_the_door(Deed.PUT)

    async def take_out(self, number: int) -> int:
        """A recipient takes a parcel out."""
        await self.person.enter_code(code(number))
        return await self.through_the_door(Deed.TAKE)

    async def through_the_door(self, deed: Deed) -> int:
        """Wait for the door, do something and shut it, wait for what the screen says then."""
        status = await self.person.until(is_door_open)
        door = status.screen.door
        assert door is not None
        await self.person.touch(door, deed, Deed.PUSH)
        await self.person.until(lambda seen: seen.screen.page != "door")
        return door


class Program(AtWork):
    """One that has a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, person: Person) -> None:
        super().__init__(person)
        self.process = process

    async def kill(self) -> None:
        """Pull the plug."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def resident_mb(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def is_door_open(status: Status) -> bool:
    """Whether the screen says that a door is open."""
    return status.screen.page == "door" and any("is open" in text for text in status.texts)


@asynccontextmanager
async def running(directory: Path, **settings: str) -> AsyncIterator[Program]:
    """A bank's program, until it is told to stop."""
    mine = {"STATE_DIRECTORY": str(directory), "BOARD": "emulated:6", **settings}
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RESTANTE_", "COV_"))}
    env |= {f"RESTANTE_{name}": value for name, value in mine.items()}
    with (directory.parent / f"{directory.name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "restante.edge.bank", env=env, stdout=log, stderr=log
        )
    try:
        async with Person(directory) as person:
            yield Program(process, person)
    finally:
        if process.returncode is None:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[SmallHub]:
    """A hub that listens."""
    async with SmallHub(tmp_path / "hub").listening() as small:
        yield small


def told(directory: Path) -> list[Entry]:
    """The entries in a bank's book, once its program has ended."""
    book = open_book(directory / "book.sqlite", source=SOURCE)
    entries = book.entries_from(1, 10_000)
    book.close()
    return list(entries)


async def test_a_day_with_and_without_a_network(hub: SmallHub, tmp_path: Path) -> None:
    """Given an invitation, when the bank enrols, is cut off, works on and is heard again, then the hub has it all."""
    directory = tmp_path / "bank"
    directory.mkdir(mode=0o700)
    await hub.grant(**grants(hub, 1, 2, 3))
    async with running(directory, INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.online and status.generation is not None)
        await bank.put_in(1)
        await bank.person.until(lambda status: status.acknowledged == status.head)
        await bank.person.set_link(up=False)
        await bank.person.until(lambda status: not status.online)
        held = len(hub.entries)
        await bank.put_in(2)
        await bank.put_in(3)
        await bank.person.choose(Choice.CLOSE_ROUND)
        await bank.take_out(1)
        assert len(hub.entries) == held
        hub.acks_lost = 1
        await bank.person.set_link(up=True)
        status = await bank.person.until(lambda status: status.acknowledged == status.head)
        assert status.stays == 2
    assert [entry.hash for entry in told(directory)][: len(hub.entries)] == [entry.hash for entry in hub.entries]
    assert hub.kinds().count("parcel-put-in") == 3
    assert hub.kinds().count("parcel-taken-out") == 1
    assert len(hub.hellos) >= 3, "an acknowledgement was lost on the way"
    assert hub.hellos[0].last_seq == 0


async def test_the_plug_is_pulled_at_an_open_door(hub: SmallHub, tmp_path: Path) -> None:
    """Given an open door, when the process is killed and started again, then nothing is unlocked again."""
    directory = tmp_path / "bank"
    directory.mkdir(mode=0o700)
    await hub.grant(**grants(hub, 1, 2))
    async with running(directory, INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.generation is not None)
        await bank.put_in(1)
        await bank.person.enter_code(code(1))
        await bank.person.until(is_door_open)
        await bank.kill()
    async with running(directory) as bank:
        status = await bank.person.until(lambda status: status.stays == 0)
        assert status.boot == 2
        await bank.person.until(lambda status: status.acknowledged == status.head)
    kinds = hub.kinds()
    assert kinds.count("started") == 2
    assert kinds.count("intent-recorded") == kinds.count("door-opened") == 2, "nothing was unlocked again"
    assert kinds.count("parcel-taken-out") == 1


async def test_a_full_disk_shows_out_of_service_and_loses_nothing(hub: SmallHub, tmp_path: Path) -> None:
    """Given a book with no room left, when people come, then out of service; with room again, work goes on."""
    directory = tmp_path / "bank"
    directory.mkdir(mode=0o700)
    await hub.grant(**grants(hub, 1, *range(100, 160)))
    async with running(directory, INVITATION=hub.invite().text, MAX_PAGES="48") as bank:
        await bank.person.until(lambda status: status.acknowledged == status.head > 0)
        await bank.put_in(1)
        status, channel = await bank.person.status(), 0
        while not status.fault:
            channel += 1
            status = await bank.person.enter_code("00000000", channel=f"channel-{channel}")
        assert status.screen.page == "out-of-service"
        assert status.texts[0] == "This locker is out of service for a moment. Your parcel is safe."
        before = await bank.person.enter_code(code(1))
        assert before.head == status.head
        assert before.screen.page == "out-of-service"
    entries = told(directory)
    assert [entry.hash for entry in hub.entries] == [entry.hash for entry in entries[: len(hub.entries)]]
    assert len(entries) == status.head
    async with running(directory) as bank:
        await bank.person.until(lambda status: status.online)
        await bank.take_out(1)
        await bank.person.until(lambda status: status.acknowledged == status.head)
    assert hub.kinds().count("parcel-taken-out") == 1


async def test_a_large_bank_is_small_and_quick(tmp_path: Path) -> None:
    """Given 150 doors, 300 grants and the full cost of a code, when it starts, then within its bounds."""
    directory = tmp_path / "bank"
    directory.mkdir(mode=0o700)
    async with SmallHub(tmp_path / "hub", doors=150, settings=Settings()).listening() as hub:
        await hub.grant(**grants(hub, *range(100)))
        async with running(directory, INVITATION=hub.invite().text, BOARD="emulated:150") as bank:
            await bank.person.until(lambda status: status.generation is not None)
            await bank.put_in(1)
        began = time.monotonic()
        async with running(directory, BOARD="emulated:150") as bank:
            await bank.person.until(lambda status: len(status.doors) == 150)
            ready_seconds = time.monotonic() - began
            asked = time.monotonic()
            await bank.person.enter_code(code(1))
            await bank.person.until(is_door_open)
            opened_seconds = time.monotonic() - asked
            resident_mb = bank.resident_mb()
    print(f"ready {ready_seconds:.2f} s, door {opened_seconds:.2f} s, resident {resident_mb:.1f} MB")
    assert ready_seconds <= READY_SECONDS
    assert resident_mb <= 100
    assert opened_seconds <= 2, "p99 under 1 s is measured by the bench; here the machine is shared"


async def test_the_loopback_door_is_for_those_who_can_read_its_file(hub: SmallHub, tmp_path: Path) -> None:
    """Given a running bank, when somebody without the token dials, then refused; nonsense is answered, not raised."""
    directory = tmp_path / "bank"
    directory.mkdir(mode=0o700)
    with pytest.raises(LoopbackClosed):
        find_address(directory)
    async with running(directory, INVITATION=hub.invite().text) as bank:
        await bank.person.until(lambda status: status.online)
        address = find_address(directory)
        assert stat.S_IMODE((directory / LOOPBACK_FILE).stat().st_mode) == 0o600
        assert address.token not in repr(address)
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{address.port}/guess")
        async with connect(address.url) as line:
            for nonsense in ("", "{}", '{"type":"open-all"}', '{"type":"touch-door","door":99,"deeds":["push"]}'):
                await line.send(nonsense)
                assert '"not-done"' in str(await line.recv())
            await line.send('{"type":"watch","after":-1}')
            assert '"status"' in str(await line.recv())
    with pytest.raises(LoopbackClosed):
        find_address(directory)


def test_the_edge_needs_the_base_packages_only() -> None:
    """Given the bank's program, when it is imported, then nothing of the hub's packages is."""
    import subprocess

    heavy = ["numpy", "litestar", "psycopg", "uvicorn", "structlog", "restante.hub", "restante.plan", "restante.store"]
    script = f"import sys, restante.edge.bank; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
