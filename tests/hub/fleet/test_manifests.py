"""What a source may do follows from what the hub holds, and from nothing else."""

from datetime import timedelta
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.ids import ContactId, StayKey
from restante.core.parcel import Direction
from restante.core.reservation import Firmness, Promise, Room, Window
from restante.core.stay import RecallReason
from restante.core.world import SourceHead
from restante.hub.fleet.manifests import KEPT, Held, holder_of, manifest_for, next_manifest, step_to
from restante.store.ledger import Credential, OpenPromise, OpenStay, PointView
from restante.wire.manifest import Difference, GrantKind, Manifest, digest_of
from tests.hub.fleet.town import BANK, NOW, ORG, POINT, SETTINGS, a_point, a_source, an_id, parcel_id

ROOM_CLASS = a_source().modules[0].compartments[0].room_class


def a_promise(number: int, direction: str = "delivery", holder: str = "") -> OpenPromise:
    """Room promised to the parcel of this number."""
    window = Window(NOW, NOW + timedelta(days=1))
    promise = Promise(POINT, ROOM_CLASS, window, ORG, Firmness.HARD, NOW + timedelta(days=2))
    return OpenPromise(parcel_id(number), 1, promise, f"P{number}", direction, holder)


def a_stay(number: int, recall: RecallReason | None = None, direction: str = "delivery") -> OpenStay:
    """The parcel of this number behind a door."""
    key = StayKey(BANK, 1, number + 1)
    return OpenStay(
        key, parcel_id(number), POINT, ORG, f"P{number}", number + 1, ROOM_CLASS, direction, NOW, recall, an_id(number)
    )


def a_code(number: int) -> Credential:
    """The code of the parcel of this number."""
    return Credential(POINT, parcel_id(number), 1, f"verifier-{number}")


def a_view(
    *,
    promises: tuple[OpenPromise, ...] = (),
    stays: tuple[OpenStay, ...] = (),
    credentials: tuple[Credential, ...] = (),
    forked_at: int | None = None,
) -> PointView:
    """The point with these rows."""
    point = msgspec.structs.replace(a_point(), source=a_source())
    room = Room(POINT, point.status, point.calendar, point.hold, BANK)
    return PointView(point, room, SourceHead(BANK, POINT, forked_at=forked_at), promises, stays, credentials)


def held_of(manifest: Manifest) -> Held:
    """What a source says that has applied this manifest."""
    return Held(manifest.hub_epoch, manifest.generation, digest_of(manifest))


def built(view: PointView, generation: int = 1, hub_epoch: int = 1) -> Manifest:
    """The manifest of a view."""
    return manifest_for(view, SETTINGS, NOW, generation=generation, hub_epoch=hub_epoch)


def test_a_promise_to_deliver_is_a_deposit_and_a_collection() -> None:
    """Given room promised and a code, when built, then couriers may deposit and the code's holder collect."""
    view = a_view(promises=(a_promise(1, holder=an_id(7)),), credentials=(a_code(1),))
    grants = built(view).grants
    name = f"{parcel_id(1)}/1"
    deposit, collect = grants[f"{name}/deposit"], grants[f"{name}/collect"]
    assert (deposit.kind, deposit.org, deposit.parcel_code, deposit.verifier) == (GrantKind.DEPOSIT, ORG, "P1", "")
    assert (deposit.not_before, deposit.expires_at) == (NOW, NOW + timedelta(days=2))
    assert (collect.kind, collect.verifier, collect.expires_at) == (GrantKind.COLLECT, "verifier-1", None)
    assert deposit.holder == collect.holder == holder_of(ContactId(an_id(7)), POINT)
    assert an_id(7) not in msgspec.json.encode(grants).decode()


def test_a_drop_off_is_deposited_by_its_senders_code_and_taken_by_couriers() -> None:
    """Given a drop-off with a code, when built, then the code deposits; without one nobody may."""
    row = a_promise(1, Direction.DROP_OFF)
    grants = built(a_view(promises=(row,), credentials=(a_code(1),))).grants
    assert grants[f"{parcel_id(1)}/1/deposit"].verifier == "verifier-1"
    assert {grant.kind for grant in grants.values()} == {GrantKind.DEPOSIT, GrantKind.RECALL}
    without = built(a_view(promises=(row,))).grants
    assert {grant.kind for grant in without.values()} == {GrantKind.RECALL}


def test_a_lapsed_hold_changes_nothing_and_a_recall_ends_the_collection() -> None:
    """Given a stay, when it is recalled for any reason, then couriers may take it and its code no longer opens."""
    waiting = built(a_view(stays=(a_stay(1),), credentials=(a_code(1),))).grants
    [(name, collect)] = waiting.items()
    assert name == f"{parcel_id(1)}/{BANK}/1/2/collect"
    assert (collect.kind, collect.stay, collect.door, collect.verifier) == (
        GrantKind.COLLECT, StayKey(BANK, 1, 2), 2, "verifier-1",
    )  # fmt: skip
    for reason in RecallReason:
        [recall] = built(a_view(stays=(a_stay(1, reason),), credentials=(a_code(1),))).grants.values()
        assert (recall.kind, recall.verifier, recall.org) == (GrantKind.RECALL, "", ORG)
    [dropped] = built(a_view(stays=(a_stay(1, direction="drop-off"),))).grants.values()
    assert dropped.kind is GrantKind.RECALL


def test_a_forked_source_takes_no_deposits_and_lets_collections_go_on() -> None:
    """Given a fork, when built, then only what lies there already may be moved."""
    view = a_view(promises=(a_promise(1),), stays=(a_stay(2),), credentials=(a_code(1), a_code(2)), forked_at=9)
    assert {grant.kind for grant in built(view).grants.values()} == {GrantKind.COLLECT}


def test_couriers_codes_open_rounds_until_they_end() -> None:
    """Given a courier's code, when built, then it is a service grant of its organisation without a bound on uses."""
    until = NOW + timedelta(hours=24)
    [(name, grant)] = built(a_view(credentials=(Credential(POINT, f"org:{ORG}", 5, "v", until),))).grants.items()
    assert name == f"org:{ORG}/5/service"
    assert (grant.kind, grant.org, grant.max_uses, grant.expires_at) == (GrantKind.SERVICE, ORG, 0, until)


def test_compartments_and_settings_are_the_points() -> None:
    """Given a point, when built, then its doors, zone, name and cost of a code attempt are in it."""
    manifest = built(a_view())
    assert [one.door for one in manifest.compartments] == list(range(1, 13))
    assert (manifest.settings.zone, manifest.settings.name, manifest.settings.kdf_n) == ("Europe/Helsinki", "Kamppi", 2)


Row = tuple[int, bool, RecallReason | None, str]

RECALLS = st.none() | st.sampled_from(RecallReason)
ROWS = st.lists(
    st.tuples(st.integers(0, 40), st.booleans(), RECALLS, st.sampled_from(["delivery", "drop-off"])),
    unique_by=lambda row: row[0],
    max_size=12,
)


def view_of(rows: list[Row], coded: set[int]) -> PointView:
    """A view of parcels that wait outside (True) or behind a door."""
    return a_view(
        promises=tuple(a_promise(number, way) for number, outside, _, way in rows if outside),
        stays=tuple(a_stay(number, recall, way) for number, outside, recall, way in rows if not outside),
        credentials=tuple(a_code(number) for number in sorted(coded)),
    )


@settings(max_examples=60)
@given(ROWS, st.sets(st.integers(0, 60), max_size=20), st.randoms(use_true_random=False))
def test_the_same_rows_give_the_same_manifest(rows: list[Row], coded: set[int], chance: Random) -> None:
    """Given rows in any order, when built, then the digest is one; each stay can be taken out, and nothing else can."""
    view = view_of(rows, coded)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    manifest = built(view)
    assert digest_of(manifest) == digest_of(built(view_of(shuffled, coded)))
    behind = {parcel_id(number): recall for number, outside, recall, _ in rows if not outside}
    taking = {grant.stay: grant for grant in manifest.grants.values() if grant.stay is not None}
    assert {grant.parcel for grant in taking.values()} == behind.keys()
    for grant in taking.values():
        assert grant.door is not None
        assert grant.kind in {GrantKind.COLLECT, GrantKind.RECALL}
        assert grant.parcel is not None
        assert behind[grant.parcel] is None or grant.kind is GrantKind.RECALL
    assert {grant.parcel for grant in manifest.grants.values()} <= {parcel_id(row[0]) for row in rows}


@settings(max_examples=60)
@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=6))
def test_generations_rise_exactly_when_something_is_said(history: list[tuple[list[Row], bool]]) -> None:
    """Given views one after another, when issued, then only news is, and a known base is led there by a difference."""
    kept: tuple[Manifest, ...] = ()
    for rows, _ in history:
        draft = built(view_of(rows, set(range(20))), generation=0)
        issued = next_manifest(draft, kept, Held())
        if issued is None:
            assert kept[0].grants == draft.grants
            continue
        assert not kept or (issued.generation > kept[0].generation and issued.grants != kept[0].grants)
        for base in kept:
            document = step_to(issued, (issued, *kept), held_of(base))
            assert isinstance(document, Difference)
            assert (document.base, document.digest) == (digest_of(base), digest_of(issued))
        kept = (issued, *kept)[:KEPT]
        assert step_to(issued, kept, held_of(issued)) is None
        assert step_to(issued, kept, Held(issued.hub_epoch, issued.generation, "unheard of")) == issued


def test_a_source_that_holds_a_later_one_gets_one_later_still() -> None:
    """Given a hub put back from a backup, when a source holds a manifest it never heard of, then it goes past that."""
    view = a_view(promises=(a_promise(1),))
    first = next_manifest(built(view), (), Held())
    assert first is not None
    assert next_manifest(built(view), (first,), Held(1, 1, digest_of(first))) is None
    later = next_manifest(built(view), (first,), Held(1, 41, "another"))
    assert later is not None
    assert later.generation == 42
    assert next_manifest(built(view), (first,), Held(1, 2**60, "absurd")) is None
    beside = next_manifest(built(view), (first,), Held(1, 1, "another of the same number"))
    assert beside is not None
    assert beside.generation == 2


def test_no_difference_leads_from_one_epoch_to_another() -> None:
    """Given a later hub epoch, when a source holds the last one's manifest, then it is sent the whole."""
    view = a_view(promises=(a_promise(1),))
    old, new = built(view, 3), built(view, 4, hub_epoch=2)
    assert step_to(new, (new, old), held_of(old)) == new
