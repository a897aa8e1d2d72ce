"""The first parcel, from announcement to receipt: the product's own steps, one after the other, in virtual time.

Read it from top to bottom. What a carrier, a courier and a recipient do stands in the test; hub, bank, doors and mail
are real code in one process. Time passes only where the test says so, and no link, disk or clock fails here: the
stories of `tests/sim` see to that.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from restante.core.bank import RoomClass
from restante.core.commands import AnnounceParcel, ReserveRoom
from restante.core.events import NoticeKind
from restante.core.ids import CommandId, ContactId, OrgId, ParcelId
from restante.core.parcel import Collected, Direction, Held, Parcel, Promised, stage_of
from restante.core.reservation import Firmness, Window
from restante.edge.boards.steel import Deed
from restante.edge.inputs import Choice, Chosen, CodeEntered, ParcelScanned
from restante.hub.engine import Accepted
from restante.sim.clock import MINUTE_MS, SECOND_MS
from restante.sim.ground import Hands
from restante.sim.mailbox import Letter
from restante.sim.plot import Plot
from restante.sim.run import come_to_rest, judge
from restante.sim.telling import Telling
from restante.sim.world import World
from restante.store.vault import ContactDetails

PARCEL_CODE = "K3YB0XED"
SMALL = RoomClass("0")


@pytest.fixture
def world() -> Iterator[World]:
    """A network of one locker bank with two small doors and a large one, and a counter; everything has started."""
    loop = asyncio.new_event_loop()
    quiet = Plot(days=1, lanes=1, carriers=1, doors=((0, 0, 2), (0,)), errands=(), rounds=())
    world = World(1, loop, telling=Telling(1, quiet))
    world.set_up()
    pass_time(world, minutes=1)
    yield world
    loop.close()


def pass_time(world: World, *, minutes: int = 0, seconds: int = 0) -> None:
    """Let the story go on."""
    world.clock.run(world.clock.now_ms + minutes * MINUTE_MS + seconds * SECOND_MS)


def test_a_parcel_is_announced_promised_deposited_told_of_and_collected(world: World) -> None:
    """Given a network at rest, when a parcel goes its whole way, then hub, bank and ground agree at every step."""
    bank = world.machines[0]
    letters: list[Letter] = []
    world.mail.on_letter = letters.append
    name, recipient = parcel_and_recipient(world)

    # A carrier tells of a parcel and asks for room. Room is promised, not a door.
    world.ground.appear(name, Hands.CARRIER)
    announced, reserved = world.hub.submit(announcement(world, name, recipient)) or ()
    assert isinstance(announced, Accepted)
    assert isinstance(reserved, Accepted)
    assert isinstance(stage_of(known(world, name)), Promised)

    # The manifest goes down: the bank may take the parcel in, and let its recipient have it, network or not.
    pass_time(world, minutes=1)
    assert bank.agent is not None
    assert bank.agent.state.manifest is not None
    grants = bank.agent.state.manifest.manifest.grants
    promise = f"{name}/{known(world, name).promises}"
    assert {f"{promise}/deposit", f"{promise}/collect"} <= grants.keys()

    # A courier opens a round and scans the parcel. The bank writes its intent down, then opens the smallest door.
    bank.give(CodeEntered(world.rounds[0, 0]))
    bank.give(ParcelScanned(PARCEL_CODE))
    pass_time(world, seconds=3)
    [door] = bank.steel.open_doors()
    assert bank.screen is not None
    assert bank.screen.texts()[0] == f"Door {door} is open."

    # The courier puts it in and shuts the door. What the sensors saw is in the book before the screen says so.
    bank.steel.put(name, door)
    bank.steel.touch(door, Deed.PUSH)
    pass_time(world, seconds=3)
    bank.give(Chosen(Choice.CLOSE_ROUND))
    [stay] = bank.agent.state.stays.values()
    assert (stay.parcel, stay.door) == (name, door)

    # The journal went up, and the hub adopted it: a stay is open, and it is named after the entry that told of it.
    pass_time(world, seconds=3)
    parcel = known(world, name)
    assert [one.key for one in parcel.stays] == [stay.key]

    # The recipient is told, which starts the hold; the code is in the mail and nowhere else.
    [ready] = letters
    assert (ready.kind, ready.parcel_code, ready.point) == (NoticeKind.READY, PARCEL_CODE, "Point 0")
    assert isinstance(stage_of(parcel), Held)

    # The recipient types the code, takes the parcel out, and shuts the door.
    assert ready.code is not None
    bank.give(CodeEntered(ready.code))
    pass_time(world, seconds=3)
    assert bank.steel.open_doors() == [door]
    bank.steel.take(name, door, Hands.RECIPIENT)
    bank.steel.touch(door, Deed.PUSH)
    pass_time(world, seconds=5)
    assert bank.agent.state.stays == {}

    # The hub knows, and says so. The code is dead: it opens nothing any more.
    assert isinstance(stage_of(known(world, name)), Collected)
    assert letters[-1].kind is NoticeKind.RECEIPT
    bank.give(CodeEntered(ready.code))
    pass_time(world, seconds=3)
    assert bank.steel.open_doors() == []

    # Nothing is left to do, and nothing is in disagreement: journals hash for hash, counters, order, custody.
    come_to_rest(world)
    assert {rule: breaches for rule, breaches in judge(world).items() if breaches} == {}
    assert not world.breaches


def parcel_and_recipient(world: World) -> tuple[ParcelId, ContactId]:
    """The names of the parcel and of a recipient whose address the vault keeps; both live in the bank's lane."""
    name, recipient = (
        ParcelId("019cad21-cf00-8000-8000-0000000a0000"),
        ContactId("019cad21-cf00-8000-8000-0000000b0000"),
    )
    person = ContactDetails("Kaisa", ("kaisa@people.example",), language="en")
    world.wait(world.hub.stores.vault.remember(recipient, person))
    return name, recipient


def announcement(world: World, name: ParcelId, recipient: ContactId) -> tuple[AnnounceParcel, ReserveRoom]:
    """What the carrier sends: the parcel, and that it is to go to the bank within a day."""
    now = world.clock.now
    a_day = Window(now, now + timedelta(days=1))
    parcel = AnnounceParcel(
        CommandId("announce-1"),
        "carrier-0",
        now,
        parcel=name,
        org=OrgId("carrier-0"),
        code=PARCEL_CODE,
        direction=Direction.DELIVERY,
        room_class=SMALL,
        weight_grams=800,
        recipient=recipient,
    )
    room = ReserveRoom(
        CommandId("reserve-1"),
        "carrier-0",
        now,
        parcel=name,
        point=world.points[0],
        window=a_day,
        firmness=Firmness.HARD,
        until=a_day.closes_at,
    )
    return parcel, room


def known(world: World, name: ParcelId) -> Parcel:
    """What the hub knows of a parcel."""
    return world.hub.parcels([name])[name]
