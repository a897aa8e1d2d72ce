"""Sources out of their box, new controllers, and counters: the same agent where it stands otherwise."""

from restante.core.bank import Condition, SourceKind
from restante.core.ids import StayKey
from restante.edge.boards.steel import Deed
from restante.edge.drivers.port import Door, DoorReading, Item
from restante.edge.inputs import Choice, DoorsSeen, Inspected, ManifestCame
from restante.edge.screens import IDLE
from restante.wire.manifest import Grant, GrantKind, ListedCompartment, difference, sign
from tests.edge.rig import (
    CARRIER,
    COURIER,
    KEY,
    SOURCE,
    Rig,
    collect,
    deposit,
    parcel,
    recall,
    service,
    verifier,
)

CODE = "12345678"


def test_before_the_first_session_nothing_is_written() -> None:
    """Given a bank out of its box, when people try, then words and no journal; the first session starts it."""
    rig = Rig()
    rig.code(CODE)
    rig.scan(1)
    assert rig.words == "This locker is not in service yet."
    assert rig.kinds() == []
    rig.open_session()
    assert rig.kinds() == ["started"]


def test_the_screen_says_at_once_that_the_bank_is_in_service() -> None:
    """Given a bank out of its box, then its screen says so from the start, and no more from the first manifest on."""
    rig = Rig()
    assert rig.words == "This locker is not in service yet."
    rig.open_session()
    assert rig.words == "This locker is not in service yet."
    rig.send(service=service())
    assert rig.agent.state.screen == IDLE
    rig.wake()
    assert rig.agent.state.screen == IDLE


def test_the_first_manifest_key_is_kept() -> None:
    """Given an installed bank, when a session names another manifest key, then manifests under the first one count."""
    rig = Rig()
    rig.install()
    before = rig.agent.state.installed
    rig.open_session()
    assert rig.agent.state.installed == before
    rig.send(d1=deposit(1))
    assert rig.agent.state.manifest is not None
    assert "d1" in rig.agent.state.manifest.manifest.grants


def test_a_difference_that_does_not_fit_asks_for_the_whole() -> None:
    """Given a manifest in force, when a difference against another comes, then the whole is asked for."""
    rig = Rig()
    rig.install()
    base = rig.manifest()
    rig.generation += 5
    odd = rig.manifest()
    rig.generation += 1
    rig.feed(ManifestCame(sign(difference(odd, rig.manifest()), KEY)))
    assert [wanted.why for wanted in rig.wanted] == ["manifest-base"]
    assert rig.agent.state.manifest is not None
    assert rig.agent.state.manifest.manifest == base


def test_a_new_controller_inherits_stays_and_doubts_the_rest() -> None:
    """Given a new controller, when the hub hands down a stay, then it can be collected and the rest is in doubt."""
    rig = Rig(epoch=2)
    old = StayKey(SOURCE, 1, 77)
    held = Grant(GrantKind.COLLECT, CARRIER, parcel(1), verifier=verifier(CODE, epoch=2), stay=old, door=2)
    rig.open_session()
    rig.send(c1=held, s=Grant(GrantKind.SERVICE, CARRIER, verifier=verifier(COURIER, epoch=2)), d2=deposit(2))
    assert rig.kinds()[:3] == ["started", "manifest-applied", "stay-inherited"]
    assert rig.agent.state.log_epoch == 2
    assert rig.agent.state.conditions == dict.fromkeys((1, 3, 4), Condition.UNKNOWN)
    rig.code(CODE)
    rig.do(2, Deed.TAKE, Deed.PUSH)
    assert rig.facts("parcel-taken-out")[0].data["stay"] == [SOURCE, 1, 77]
    rig.send(x=deposit(9))
    assert len(rig.facts("stay-inherited")) == 1, "a stay that has ended is not inherited again"
    assert rig.agent.state.conditions == dict.fromkeys((1, 3, 4), Condition.IN_ORDER), "content sensors saw them empty"


def test_a_person_ends_the_doubt_where_no_sensor_can() -> None:
    """Given a compartment in doubt and no content sensor, when a courier in a round looked, then it is in order."""
    rig = Rig()
    rig.install()
    rig.agent.state.conditions[1] = Condition.UNKNOWN
    rig.feed(Inspected(1))
    assert [rig.agent.state.conditions[1]] == [Condition.UNKNOWN]
    rig.code(COURIER)
    rig.feed(Inspected(1))
    assert [rig.agent.state.conditions[1]] == [Condition.IN_ORDER]


def counter() -> Rig:
    """A counter with one shelf of three places' room."""
    rig = Rig(kind=SourceKind.COUNTER)
    rig.listed = (ListedCompartment(1, 1, 2, 1000, capacity=3),)
    return rig


def test_a_counter_is_the_same_agent_with_staff() -> None:
    """Given a counter, when staff take in and hand over, then the same facts on their word, and no pulse."""
    rig = counter()
    rig.install(d1=deposit(1), d2=deposit(2), d3=deposit(3), d4=deposit(4), c2=collect(2, CODE, checks=("identity",)))
    for number in (1, 2, 3):
        rig.scan(number)
        rig.choose(Choice.DONE)
    rig.scan(4)
    assert rig.kinds()[-1] == "deposit-declined"
    rig.code(CODE, channel="desk")
    rig.choose(Choice.DONE)
    assert [entry.data["evidence"] for entry in rig.facts("parcel-put-in", "parcel-taken-out")] == ["staff"] * 4
    assert [entry.data["parcel"] for entry in rig.facts("parcel-taken-out")] == [parcel(2)]
    rig.scan(4)
    rig.choose(Choice.REFUSED)
    assert rig.kinds()[-1] == "deposit-declined"
    assert rig.pulses == []


def test_staff_read_which_parcel_and_where() -> None:
    """Given parcels on two places, when one's code is shown, then the screen names that parcel and its place."""
    rig = counter()
    rig.listed = tuple(ListedCompartment(place, 1, 1, 1000, capacity=1) for place in (1, 2))
    rig.install(d1=deposit(1), d2=deposit(2, holder="h"), c2=collect(2, CODE, holder="h"))
    for number in (1, 2):
        rig.scan(number)
        assert rig.words == f"Put parcel P{number} on place {number}, then press Done."
        rig.choose(Choice.DONE)
    rig.code(CODE, channel="desk")
    assert rig.words == "Parcel P2 is on place 2. Hand it over, then press Done."
    assert (rig.agent.state.screen.door, rig.agent.state.screen.choices) == (2, ("done",))
    rig.choose(Choice.DONE)
    assert rig.words == "Done. The parcel is handed over."


def test_parcels_on_one_place_are_all_named() -> None:
    """Given two parcels of one person on one place, when the code is shown, then both are named, by id if need be."""
    rig = counter()
    rig.install(d1=deposit(1, holder="h"), d2=deposit(2, holder="h"), c1=collect(1, CODE, holder="h"))
    for number in (1, 2):
        rig.scan(number)
        rig.choose(Choice.DONE)
    rig.send("d2")
    rig.code(CODE, channel="desk")
    assert rig.words.startswith(f"Parcel P1 is on place 1. Parcel {parcel(2)} is on place 1.")


def test_a_courier_is_handed_what_is_recalled_at_a_counter() -> None:
    """Given a recall at a counter, when the courier shows a code, then staff hand it over."""
    rig = counter()
    rig.install(d1=deposit(1), courier=service("33334444"))
    rig.scan(1)
    rig.choose(Choice.DONE)
    rig.send(r1=recall(1))
    rig.code("33334444", channel="desk")
    rig.choose(Choice.TAKE_BACK)
    rig.choose(Choice.DONE)
    assert rig.facts("parcel-taken-out")[0].data["by"] == "courier"


def test_readings_of_doors_nobody_listed_do_no_harm() -> None:
    """Given readings for a door of no compartment, when looked at, then nothing breaks and it is never chosen."""
    rig = Rig(doors=2)
    rig.listed = rig.listed[:1]
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.feed(DoorsSeen({}))
    assert rig.put_in(1) == 1
    rig.scan(2)
    assert rig.kinds()[-1] == "deposit-declined"


def inheriting(*, sensors: bool) -> Rig:
    """A new controller that took over the stay of a parcel behind door 2."""
    rig = Rig(epoch=2)
    held = Grant(GrantKind.COLLECT, CARRIER, parcel(1), verifier=verifier(CODE, epoch=2), stay=OLD, door=2)
    if not sensors:
        blind = {door: DoorReading(Door.CLOSED, Item.UNKNOWN) for door in range(1, 5)}
        rig.feed(DoorsSeen(blind))
        rig.feed(DoorsSeen(blind))
    rig.open_session()
    rig.send(c1=held)
    assert [stay.door for stay in rig.agent.state.stays.values()] == [2]
    return rig


OLD = StayKey(SOURCE, 1, 77)


def test_a_stay_the_hub_lists_no_more_is_let_go_and_its_door_is_in_doubt() -> None:
    """Given an inherited stay, when the hub hears it ended before, then its door is in doubt until a person looked."""
    rig = inheriting(sensors=False)
    rig.send("c1")
    assert rig.agent.state.stays == {}
    assert rig.agent.state.conditions[2] is Condition.UNKNOWN
    assert rig.facts("condition-seen")[-1].data["stays"] == []
    assert rig.facts("parcel-taken-out") == []


def test_a_content_sensor_spares_the_doubt() -> None:
    """Given an inherited stay and a sensor that sees nothing there, when it is let go, then the door is free."""
    rig = inheriting(sensors=True)
    rig.send("c1")
    assert rig.agent.state.stays == {}
    assert rig.agent.state.conditions.get(2, Condition.IN_ORDER) is Condition.IN_ORDER


def test_a_stay_is_not_let_go_while_its_door_is_dealt_with() -> None:
    """Given an inherited parcel being taken out, when the hub lists it no more, then the withdrawal is told first."""
    rig = inheriting(sensors=True)
    rig.code(CODE)
    rig.send("c1")
    assert list(rig.agent.state.stays) == [str(OLD)]
    rig.do(2, Deed.TAKE, Deed.PUSH)
    assert [entry.data["stay"] for entry in rig.facts("parcel-taken-out")] == [[SOURCE, 1, 77]]
    assert rig.agent.state.stays == {}


def test_a_stay_let_go_may_be_handed_down_again() -> None:
    """Given a stay that was let go, when a restored hub lists it again, then it is taken over again."""
    rig = inheriting(sensors=False)
    held = rig.grants["c1"]
    rig.send("c1")
    rig.send(c1=held)
    assert list(rig.agent.state.stays) == [str(OLD)]
    assert len(rig.facts("stay-inherited")) == 2


def test_what_was_seen_to_end_here_is_not_inherited() -> None:
    """Given a collection the hub has not heard of, when a new epoch hands its stay down, then it stays ended."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE))
    door = rig.put_in(1)
    stay = rig.stay(1)
    rig.choose(Choice.CLOSE_ROUND)
    rig.code(CODE)
    rig.do(door, Deed.TAKE, Deed.PUSH)
    assert rig.agent.state.stays == {}
    rig.epoch = 2
    rig.open_session()
    rig.wake()
    rig.send(c1=Grant(GrantKind.COLLECT, CARRIER, parcel(1), stay=stay, door=door))
    assert rig.agent.state.stays == {}
    assert rig.facts("stay-inherited") == []


def test_another_disks_parcel_under_our_number_puts_its_door_in_doubt() -> None:
    """Given a stay of ours, when the hub hands down another parcel's under its number, then that door is in doubt."""
    rig = Rig()
    rig.install(d1=deposit(1))
    door = rig.put_in(1)
    other = door % 4 + 1
    rig.epoch = 2
    rig.open_session()
    rig.send(c9=Grant(GrantKind.COLLECT, CARRIER, parcel(9), stay=rig.stay(1), door=other))
    assert rig.agent.state.conditions[other] is Condition.UNKNOWN
    assert [stay.parcel for stay in rig.agent.state.stays.values()] == [parcel(1)]
