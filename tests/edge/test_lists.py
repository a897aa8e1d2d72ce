"""What a new manifest changes beside permissions: what is remembered of the old ones, inherited, and held in doubt."""

import pytest

from restante.core.bank import Condition, SourceKind
from restante.core.ids import StayKey
from restante.edge.boards.steel import Deed
from restante.edge.drivers.port import Door, DoorReading, Item
from restante.edge.inputs import Choice, DoorsSeen, ManifestCame
from restante.wire.manifest import Grant, GrantKind, ListedCompartment, sign
from tests.edge.rig import CARRIER, KEY, SOURCE, Rig, collect, deposit, parcel, service, verifier

CODE = "12345678"


def handed_down(number: int, *, seq: int, door: int, epoch: int = 1) -> Grant:
    """A permission to collect a parcel that an earlier controller took in."""
    key = StayKey(SOURCE, epoch, seq)
    return Grant(GrantKind.COLLECT, CARRIER, parcel(number), stay=key, door=door)


def successor(*, kind: SourceKind = SourceKind.BANK) -> Rig:
    """A new controller in epoch 2 that has met its hub and has no list yet."""
    rig = Rig(epoch=2, kind=kind)
    rig.open_session()
    return rig


# --- what is remembered


def test_a_used_grant_is_remembered_for_sixty_days_after_it_left_the_list() -> None:
    """Given a used grant that is on no list, when an old list brings it back within sixty days, then it stays used."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.put_in(1)
    rig.send("d1")
    rig.tick(days=60)
    rig.send(d1=deposit(1), service=service())
    assert "d1" in rig.agent.state.spent
    rig.scan(1)
    assert len(rig.pulses) == 1


def test_a_used_grant_is_forgotten_once_no_list_of_use_can_bring_it_back() -> None:
    """Given used grants, when sixty days have passed, then those on no list are forgotten and those listed are not."""
    rig = Rig()
    rig.install(d1=deposit(1), d2=deposit(2))
    rig.put_in(1)
    rig.put_in(2)
    rig.send("d1")
    assert rig.agent.state.spent.keys() >= {"d1", "d2"}
    rig.tick(days=61)
    rig.send(d3=deposit(3))
    assert "d1" not in rig.agent.state.spent
    assert "d2" in rig.agent.state.spent


def test_a_stay_that_ended_here_is_remembered_as_long() -> None:
    """Given stays that ended here, when sixty days have passed, then only those still handed down are remembered."""
    rig = Rig()
    rig.install(d1=deposit(1), c1=collect(1, CODE), d2=deposit(2), c2=collect(2, "87654321"))
    keys = []
    for number, code in ((1, CODE), (2, "87654321")):
        door = rig.put_in(number)
        keys.append(rig.stay(number))
        rig.code(code)
        rig.do(door, Deed.TAKE, Deed.PUSH)
    first, second = map(str, keys)
    rig.send(c1=Grant(GrantKind.COLLECT, CARRIER, parcel(1), stay=keys[0], door=1))
    rig.tick(days=60)
    rig.send(d3=deposit(3))
    assert set(rig.agent.state.ended) == {first, second}
    rig.tick(days=1)
    rig.send(d4=deposit(4))
    assert set(rig.agent.state.ended) == {first}


def test_the_same_list_again_is_no_news() -> None:
    """Given a manifest in force, when it comes once more, then nothing is written down."""
    rig = Rig()
    rig.install(d1=deposit(1))
    before = rig.kinds()
    rig.feed(ManifestCame(sign(rig.manifest(), KEY)))
    assert rig.kinds() == before


def test_a_list_before_the_first_session_is_not_taken() -> None:
    """Given a source that knows no manifest key, when a manifest comes, then it is passed over."""
    rig = Rig()
    rig.send(d1=deposit(1))
    assert rig.agent.state.manifest is None


# --- what is inherited


def test_every_stay_that_is_handed_down_is_inherited() -> None:
    """Given a list that hands down two stays, when it comes, then both are open here and on record, once each."""
    rig = successor()
    rig.send(c1=handed_down(1, seq=7, door=2), c2=handed_down(2, seq=9, door=3))
    assert [(stay.parcel, stay.door) for stay in rig.agent.state.stays.values()] == [(parcel(1), 2), (parcel(2), 3)]
    assert set(rig.agent.state.inherited) == set(rig.agent.state.stays)
    rig.send(c3=handed_down(3, seq=11, door=4))
    assert len(rig.facts("stay-inherited")) == 3
    assert set(rig.agent.state.inherited) == set(rig.agent.state.stays)


@pytest.mark.parametrize(
    "grant",
    [
        Grant(GrantKind.COLLECT, CARRIER, parcel(1), door=2),
        Grant(GrantKind.COLLECT, CARRIER, parcel(1), stay=StayKey(SOURCE, 1, 7)),
        Grant(GrantKind.COLLECT, CARRIER, stay=StayKey(SOURCE, 1, 7), door=2),
        handed_down(1, seq=7, door=2, epoch=2),
        handed_down(1, seq=7, door=2, epoch=3),
    ],
    ids=["no stay", "no door", "no parcel", "of this epoch", "of a later epoch"],
)
def test_only_a_whole_stay_of_an_earlier_epoch_is_inherited(grant: Grant) -> None:
    """Given a grant that names no whole stay, or one that this controller would have written, then none is taken."""
    rig = successor()
    rig.send(c1=grant)
    assert rig.agent.state.stays == {}


@pytest.mark.parametrize(
    ("number", "moves", "kind"),
    [(1, True, SourceKind.BANK), (9, False, SourceKind.BANK), (9, True, SourceKind.COUNTER)],
    ids=["the same parcel", "the same door", "a shelf"],
)
def test_our_own_stay_handed_down_puts_nothing_in_doubt(number: int, kind: SourceKind, *, moves: bool) -> None:
    """Given a stay of ours handed down, then only another parcel behind another door of a bank casts doubt."""
    rig = Rig(kind=kind)
    rig.listed = tuple(ListedCompartment(door, 1, 1, 1500) for door in (1, 2))
    rig.install(d1=deposit(1))
    if kind is SourceKind.BANK:
        rig.put_in(1)
    else:
        rig.scan(1)
        rig.choose(Choice.DONE)
    rig.epoch = 2
    rig.open_session()
    rig.send(c9=Grant(GrantKind.COLLECT, CARRIER, parcel(number), stay=rig.stay(1), door=2 if moves else 1))
    assert rig.agent.state.conditions == {}


# --- what is in doubt


def looked(rig: Rig, *, door: Door, item: Item) -> None:
    """Two looks that say the same of every door."""
    for _ in range(2):
        rig.feed(DoorsSeen({number: DoorReading(door, item) for number in range(1, 5)}))


@pytest.mark.parametrize(
    ("door", "item", "is_in_doubt"),
    [
        (Door.CLOSED, Item.NO, False),
        (Door.CLOSED, Item.YES, True),
        (Door.CLOSED, Item.UNKNOWN, True),
        (Door.OPEN, Item.NO, True),
    ],
)
def test_a_stay_let_go_leaves_doubt_unless_its_place_is_shut_and_empty(
    door: Door, item: Item, *, is_in_doubt: bool
) -> None:
    """Given an inherited stay that is listed no more, then its compartment is in doubt unless seen shut and empty."""
    rig = successor()
    rig.send(c1=handed_down(1, seq=7, door=2))
    looked(rig, door=door, item=item)
    rig.send("c1")
    assert (rig.agent.state.stays, rig.agent.state.inherited) == ({}, {})
    assert (rig.agent.state.conditions.get(2) is Condition.UNKNOWN) == is_in_doubt


def test_the_other_inherited_stays_are_kept() -> None:
    """Given two inherited stays, when one is listed no more, then the other stays inherited, and goes in its time."""
    rig = successor()
    rig.send(c1=handed_down(1, seq=7, door=2), c2=handed_down(2, seq=9, door=3))
    rig.send("c1")
    assert [stay.parcel for stay in rig.agent.state.stays.values()] == [parcel(2)]
    rig.send("c2")
    assert rig.agent.state.stays == {}


def test_a_shelf_is_never_in_doubt() -> None:
    """Given a new controller of a counter, when stays are handed down and let go, then staff look anyway."""
    rig = successor(kind=SourceKind.COUNTER)
    rig.send(c1=handed_down(1, seq=7, door=2))
    rig.send("c1")
    assert rig.agent.state.stays == {}
    assert rig.facts("condition-seen") == []


def test_a_bank_that_knows_its_doors_doubts_none_of_them_in_a_new_epoch() -> None:
    """Given a bank that took parcels in, when its log goes on in a later epoch, then its doors are known as ever."""
    rig = Rig()
    rig.install(d1=deposit(1))
    rig.put_in(1)
    rig.epoch = 2
    rig.open_session()
    rig.send(d2=deposit(2))
    assert rig.agent.state.conditions == {}


def test_a_code_of_an_inherited_stay_opens_its_door() -> None:
    """Given an inherited stay with a code, when the code is typed, then that door opens and the stay ends."""
    rig = successor()
    held = Grant(
        GrantKind.COLLECT, CARRIER, parcel(1), stay=StayKey(SOURCE, 1, 7), door=3, verifier=verifier(CODE, epoch=2)
    )
    rig.send(c1=held)
    rig.code(CODE)
    assert rig.pulses == [3]
    rig.do(3, Deed.TAKE, Deed.PUSH)
    assert rig.agent.state.stays == {}
    rig.send(c2=handed_down(2, seq=9, door=4))
    assert [stay.parcel for stay in rig.agent.state.stays.values()] == [parcel(2)]


def test_a_stay_whose_door_was_dealt_with_is_let_go_once_that_is_settled() -> None:
    """Given an inherited parcel behind a door that is being opened, when it is listed no more, then it goes later."""
    rig = successor()
    key = StayKey(SOURCE, 1, 7)
    rig.send(c1=Grant(GrantKind.COLLECT, CARRIER, parcel(1), stay=key, door=3, verifier=verifier(CODE, epoch=2)))
    rig.do(3, Deed.FORCE, Deed.PUT, Deed.PUSH)
    rig.code(CODE)
    rig.send("c1")
    assert str(key) in rig.agent.state.stays
    rig.do(3, Deed.PUSH)
    assert rig.words.startswith("A parcel is still behind door 3.")
    rig.tick(seconds=1)
    assert rig.agent.state.stays == {}
    assert rig.agent.state.conditions[3] is Condition.UNKNOWN


@pytest.mark.parametrize("item", [Item.YES, Item.UNKNOWN])
def test_doubt_stays_until_a_place_is_seen_empty(item: Item) -> None:
    """Given compartments in doubt, when sensors see them shut and not empty, then in doubt they stay; empty, not."""
    rig = successor()
    looked(rig, door=Door.CLOSED, item=item)
    rig.send(s=service())
    looked(rig, door=Door.CLOSED, item=item)
    assert rig.agent.state.conditions == dict.fromkeys(range(1, 5), Condition.UNKNOWN)
    looked(rig, door=Door.OPEN, item=Item.NO)
    assert rig.agent.state.conditions == dict.fromkeys(range(1, 5), Condition.UNKNOWN)
    looked(rig, door=Door.CLOSED, item=Item.NO)
    assert rig.agent.state.conditions == dict.fromkeys(range(1, 5), Condition.IN_ORDER)
