"""What callers may ask in each stage: given a stage, when a command comes, then its events or a refusal."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.consignment import Consignment, consignment_status
from restante.core.decide import decide
from restante.core.ids import CaseId, ConsignmentId, OrgId, SourceId, StayKey
from restante.core.parcel import Direction, Promised
from restante.core.reactions import IssueCode, RefreshManifest, SendNotice, react
from restante.core.refusals import Refusal
from restante.core.reservation import Window
from restante.core.status import Phase
from restante.core.stay import By, RecallReason
from restante.core.timers import TimerKind, timers_of
from tests.core.scene import BANK_A, DAY, HOUR, NOW, ORG, PARCEL, PARCELS, A, B, City, an_id, kinds


def in_stage(name: str) -> City:
    """A city whose parcel is in the stage of this name, at A."""
    city = City()
    city.announces(direction=Direction.DROP_OFF if name == "DroppedOff" else Direction.DELIVERY)
    if name in {"Promised", "Deposited", "Held", "Lapsed", "Recalled"}:
        city.does(city.reserve())
    if name in {"Deposited", "Held", "Lapsed", "Recalled", "DroppedOff", "WithCourier", "Collected"}:
        stay = city.puts_in(by=By.SENDER if name == "DroppedOff" else By.COURIER)
        if name in {"Held", "Lapsed", "Recalled"}:
            city.notifies(stay)
        if name in {"WithCourier", "Collected"}:
            city.takes_out(stay, By.STAFF if name == "WithCourier" else By.RECIPIENT)
    if name == "Lapsed":
        city.now += 3 * DAY
        city.does(cmd.LapseHold(**city.by(), parcel=PARCEL, point=A))
    if name == "Recalled":
        city.does(cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.RETURNED))
    if name == "Cancelled":
        city.does(cmd.CancelParcel(**city.by(), parcel=PARCEL))
    if name == "Released":
        city.does(cmd.ReleaseParcel(**city.by(), parcel=PARCEL))
    assert type(city.stage()).__name__ == name
    return city


STAGES = (
    "Announced", "Promised", "Deposited", "Held", "Lapsed", "DroppedOff", "Recalled",
    "WithCourier", "Collected", "Cancelled", "Released",
)  # fmt: skip
ENDED, INSIDE, WAITS = "parcel-ended", "parcel-in-custody", "parcel-not-waiting"

COMMANDS: dict[str, Callable[[City], cmd.AnyCommand]] = {
    "announce": lambda city: cmd.AnnounceParcel(
        **city.by(), parcel=PARCEL, org=ORG, code="", direction=Direction.DELIVERY,
        room_class=city.parcel().room_class, weight_grams=1,
    ),
    "reserve": lambda city: city.reserve(point=B),
    "give back": lambda city: cmd.ReleaseRoom(**city.by(), parcel=PARCEL, point=A),
    "expire": lambda city: cmd.ExpirePromise(**city.by() | {"at": NOW + 9 * DAY}, parcel=PARCEL, point=A),
    "cancel": lambda city: cmd.CancelParcel(**city.by(), parcel=PARCEL, point=A),
    "redirect": lambda city: redirect(city, from_point=A),
    "extend": lambda city: cmd.ExtendHold(
        **city.by(), parcel=PARCEL, ends_at=city.now + 9 * DAY, longest_hold_hours=999
    ),
    "pause": lambda city: cmd.PauseHold(**city.by(), parcel=PARCEL, point=A, why="storm"),
    "resume": lambda city: cmd.ResumeHold(**city.by(), parcel=PARCEL, point=A, why="storm"),
    "lapse": lambda city: cmd.LapseHold(**city.by() | {"at": NOW + 9 * DAY}, parcel=PARCEL, point=A),
    "recall": lambda city: cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.RETURNED),
    "release": lambda city: cmd.ReleaseParcel(**city.by(), parcel=PARCEL, point=A),
    "settle": lambda city: cmd.SettleCase(**city.by(), parcel=PARCEL, case=CaseId("none"), how=""),
    "claim": lambda city: cmd.ClaimStray(**city.by(), parcel=PARCEL, point=A, stay=a_stay()),
}  # fmt: skip


def a_stay() -> StayKey:
    """The key of a stay nobody has told of."""
    return StayKey(SourceId(an_id(1)), 1, 1)


def redirect(city: City, **more: Any) -> cmd.RedirectParcel:
    """A command to send the parcel from A to B."""
    window = Window(city.now, city.now + DAY)
    said: dict[str, Any] = {"to_point": B, "window": window, "until": city.now + DAY, "from_point": A}
    return cmd.RedirectParcel(**city.by(), parcel=PARCEL, **said | more)


MOVED = "ParcelRedirected PromiseEnded RoomReserved"
AGAIN = "ParcelRedirected RoomReserved"
RECALLED = "ParcelRedirected RoomReserved RecallOrdered"
# What each command comes to, in the order of STAGES: the events' names, or the code of the refusal.
EXPECTED: dict[str, list[str]] = {
    "announce": ["parcel-exists"] * 11,
    "reserve": ["RoomReserved", "already-promised", *[INSIDE] * 5, "RoomReserved", *[ENDED] * 3],
    "give back": ["not-promised", "PromiseEnded", *["not-promised"] * 9],
    "expire": ["not-promised", "PromiseEnded", *["not-promised"] * 9],
    "cancel": ["ParcelCancelled", "PromiseEnded ParcelCancelled", *[INSIDE] * 5, "ParcelCancelled", *[ENDED] * 3],
    "redirect": [AGAIN, MOVED, *[RECALLED] * 4, "already-recalled", AGAIN, *[ENDED] * 3],
    "extend": [*[WAITS] * 2, "hold-not-started", "HoldExtended", "hold-lapsed", "hold-not-started",
               "already-recalled", *[WAITS] * 4],
    "pause": [*[WAITS] * 2, "hold-not-started", "HoldPaused", "hold-lapsed", "hold-not-started",
              "already-recalled", *[WAITS] * 4],
    "resume": [*[WAITS] * 2, "hold-not-started", "hold-not-paused", "hold-lapsed", "hold-not-started",
               "already-recalled", *[WAITS] * 4],
    "lapse": [*[WAITS] * 2, "hold-not-started", "HoldLapsed", "hold-lapsed", "hold-not-started",
              "already-recalled", *[WAITS] * 4],
    "recall": [*[WAITS] * 2, *["RecallOrdered"] * 4, "already-recalled", *[WAITS] * 4],
    "release": ["ParcelReleased", "PromiseEnded ParcelReleased", *[INSIDE] * 5, "ParcelReleased", *[ENDED] * 3],
    "settle": ["case-unknown"] * 11,
    "claim": ["stray-unknown"] * 11,
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_command_in_every_stage(stage: str, command: str) -> None:
    """Given each stage, when each command comes, then exactly the events or the refusal of the table follow."""
    city = in_stage(stage)
    decision = city.asks(COMMANDS[command](city))
    came = decision.code if isinstance(decision, Refusal) else " ".join(kinds(decision))
    assert came == EXPECTED[command][STAGES.index(stage)]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_done_to_a_parcel_nobody_knows(command: str) -> None:
    """Given no parcel, when a command names it, then it is unknown, and only the announcement is taken."""
    city = in_stage("Announced")
    made = COMMANDS[command](city)
    city.world.parcels[PARCEL] = None
    decision = city.asks(made)
    assert isinstance(decision, list) == (command == "announce")
    assert isinstance(decision, list) or decision.code == "parcel-unknown"


def test_a_parcel_asks_for_a_class_that_can_be_read() -> None:
    """Given a malformed room class, when a parcel is announced with it, then it is refused."""
    city = City()
    made = COMMANDS["announce"](in_stage("Announced"))
    assert city.refuses(msgspec.structs.replace(made, room_class="large")) == "room-class-malformed"
    refused = city.asks(msgspec.structs.replace(made, room_class="x" * 100))
    assert isinstance(refused, Refusal)
    assert len(refused.detail) == 80


@pytest.mark.parametrize("ends", [cmd.ReleaseRoom, cmd.ExpirePromise])
def test_a_promise_ends_at_its_own_point(ends: type[cmd.ReleaseRoom | cmd.ExpirePromise]) -> None:
    """Given a promise at A, when one at B is to end, then it is refused and the one at A stands."""
    city = in_stage("Promised")
    assert city.refuses(ends(**city.by() | {"at": NOW + 2 * DAY}, parcel=PARCEL, point=B)) == "not-promised"
    assert isinstance(city.stage(), Promised)


def test_a_promise_runs_until_its_end_and_while_its_source_is_unheard() -> None:
    """Given a promise, when it is to expire too early or while its bank is lost, then it is refused."""
    city = in_stage("Promised")
    expire = cmd.ExpirePromise(**city.by(), parcel=PARCEL, point=A)
    assert city.refuses(expire) == "promise-running"
    assert timers_of(city.parcel()) == {TimerKind.EXPIRE_PROMISE: NOW + DAY}
    city.does(cmd.NoteContact(**city.by(), point=A, source=BANK_A, lost=True))
    assert city.refuses(msgspec.structs.replace(expire, at=NOW + DAY)) == "source-unheard"


def test_a_redirect_within_one_point_may_use_the_room_it_gives_up() -> None:
    """Given the last large compartment promised, when its parcel is moved to another day there, then it finds room."""
    city = City()
    city.announces(room_class="2")
    city.does(city.reserve())
    assert kinds(city.does(redirect(city, to_point=A))) == MOVED.split()
    assert isinstance(city.stage(), Promised)


def test_a_redirect_that_cannot_be() -> None:
    """Given a parcel, when it is redirected to nowhere, to where it lies, or from elsewhere, then each has its code."""
    city = in_stage("Promised")
    assert city.refuses(redirect(city, to_point=an_id(99))) == "point-unknown"
    assert city.refuses(redirect(city, from_point=B)) == "point-not-named"
    assert city.refuses(redirect(city, window=Window(NOW, NOW - HOUR))) == "window-backwards"
    city = in_stage("Held")
    assert city.refuses(redirect(city, to_point=A)) == "already-there"
    assert city.refuses(redirect(city, from_point=None)) == "point-not-named"
    city.does(redirect(city))
    assert kinds(city.does(redirect(city, to_point=B, from_point=B))) == MOVED.split()


def test_the_room_of_a_promise_must_be_named() -> None:
    """Given a promise at A, when it is cancelled or released without naming A, then the command is to be read again."""
    city = in_stage("Promised")
    assert city.refuses(cmd.CancelParcel(**city.by(), parcel=PARCEL)) == "point-not-named"
    assert city.refuses(cmd.ReleaseParcel(**city.by(), parcel=PARCEL, point=B)) == "point-not-named"


def test_a_case_is_settled_once() -> None:
    """Given an open case, when it is settled, then it is gone, and the others stay."""
    city = in_stage("Announced")
    city.puts_in(point=A)
    city.puts_in(point=B)
    city.tells(A, fact.DepositDeclined(PARCEL, "full"))
    _, case = city.parcel().cases.values()
    settle = cmd.SettleCase(**city.by(), parcel=PARCEL, case=case, how="seen")
    assert kinds(city.does(settle)) == ["CaseSettled"]
    assert city.refuses(settle) == "case-unknown"


def test_what_follows_from_intentions() -> None:
    """Given a promise, its end, a recall and a redirect, when reacted to, then tasks are owed."""
    city = in_stage("Promised")
    parcel = city.parcel()
    assert react(city.log[-1], parcel) == [IssueCode(PARCEL, A)]
    moved, ended, reserved = city.does(redirect(city))
    assert react(moved, parcel) == [SendNotice(PARCEL, ev.NoticeKind.MOVED, B)]
    assert react(ended, parcel) == [RefreshManifest(A)]
    assert react(reserved, parcel) == [IssueCode(PARCEL, B)]
    city = City()
    city.announces(direction=Direction.DROP_OFF)
    [reserved] = city.does(city.reserve())
    told = SendNotice(PARCEL, ev.NoticeKind.DROP_OFF_CODE, A)
    assert react(reserved, city.parcel()) == [IssueCode(PARCEL, A), told]
    city = in_stage("Held")
    [recalled] = city.does(COMMANDS["recall"](city))
    assert react(recalled, city.parcel()) == [RefreshManifest(A)]


def test_a_consignment_is_as_far_as_its_last_item() -> None:
    """Given items in several phases, when their consignment is asked, then it is as far as the one furthest behind."""
    city = in_stage("Held")
    city.announces(PARCELS[1])
    items = [city.parcel(), city.parcel(PARCELS[1])]
    together = Consignment(ConsignmentId(an_id(9)), ORG, tuple(item.id for item in items))
    status = consignment_status(items)
    assert together.parcels == PARCELS[:2]
    assert (status.status.phase, status.items, status.is_split) == (
        Phase.ANNOUNCED,
        {Phase.IN_CUSTODY: 1, Phase.ANNOUNCED: 1},
        True,
    )
    assert not consignment_status(items[:1]).is_split


def test_what_belongs_to_others_is_unknown() -> None:
    """Given an owner, when a command comes for another's parcel, then there is none; for the owner's, it is as ever."""
    for name in ("Announced", "Promised", "Held"):
        city = in_stage(name)
        extend = cmd.ExtendHold(**city.by(), parcel=PARCEL, ends_at=NOW + DAY, longest_hold_hours=999)
        cancel = cmd.CancelParcel(**city.by(), parcel=PARCEL, point=A)
        for command in (extend, cancel, city.reserve()):
            others = msgspec.structs.replace(command, owner=OrgId("org-2"))
            own = msgspec.structs.replace(command, owner=ORG)
            assert city.refuses(others) == "parcel-unknown"
            assert decide(own, city.world) == decide(command, city.world)


def test_what_a_hub_has_forgotten_is_not_promised_again_under_its_number() -> None:
    """Given redirects after a backup, when the restored hub redirects the parcel, then by a number it never had."""
    city, restored = City(), City()
    for one in (city, restored):
        one.announces()
        one.does(one.reserve())
    numbers = [city.parcel().promises]
    for to in (B, A):
        city.now += HOUR
        city.does(redirect(city, from_point=A if to == B else B, to_point=to))
        numbers.append(city.parcel().promises)
    restored.now = city.now + HOUR
    restored.does(redirect(restored, from_point=A, to_point=B))
    assert restored.parcel().promises > max(numbers)
    assert numbers == sorted(set(numbers))
