"""Points, banks and sessions: given what stands there, when a command comes, then events or a refusal."""

from datetime import timedelta

import msgspec
import pytest

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.adoption import MAX_POINT_CASES
from restante.core.bank import PointStatus, Source, SourceKind
from restante.core.ids import CaseId, PointId, SourceId, lane_of
from restante.core.reactions import RefreshManifest, StartClocks, StopClocks, react
from restante.core.refusals import Refusal
from tests.core.scene import BANK_A, PARCEL, SMALL, A, City, a_module, a_point, an_id, kinds

NEW = PointId(an_id(50, lane=9))
NEW_BANK = SourceId(an_id(51, lane=9))


@pytest.fixture
def city() -> City:
    """A city with a new point at which nothing stands yet."""
    city = City()
    city.does(cmd.ProvisionPoint(**city.by(), definition=a_point(NEW)))
    return city


def install(city: City, *doors: int, source: SourceId = NEW_BANK, point: PointId = NEW) -> cmd.InstallSource:
    """Put up a bank with one module for each first door."""
    modules = tuple(a_module(door, number) for number, door in enumerate(doors, start=1))
    return cmd.InstallSource(**city.by(), point=point, source=Source(source, SourceKind.BANK, modules))


def test_a_point_joins_once(city: City) -> None:
    """Given a point, when it is provisioned again or with a bank in its definition, then it is refused."""
    assert city.refuses(cmd.ProvisionPoint(**city.by(), definition=a_point(NEW))) == "point-exists"
    standing = msgspec.structs.replace(a_point(PointId(an_id(60))), source=Source(NEW_BANK, SourceKind.BANK, ()))
    assert city.refuses(cmd.ProvisionPoint(**city.by(), definition=standing)) == "source-exists"


def test_a_bank_is_put_up_with_its_modules(city: City) -> None:
    """Given a point, when a bank is put up, then it counts; a second one or a double door is refused."""
    assert city.refuses(install(city, 1, 3)) == "module-exists"
    assert kinds(city.does(install(city, 1, 6))) == ["SourceInstalled", "ModuleAdded", "ModuleAdded"]
    room = city.world.rooms[NEW]
    assert room
    assert room.supply[SMALL] == 4
    assert room.source == NEW_BANK
    assert city.refuses(install(city, 11)) == "source-exists"
    assert city.refuses(install(city, 1, point=PointId(an_id(61)))) == "point-unknown"


def test_a_bank_stands_at_one_point(city: City) -> None:
    """Given a bank that stands elsewhere, when it is put up here, then it is refused."""
    assert city.refuses(install(city, 1, source=BANK_A)) == "source-exists"


def test_a_module_is_added_in_service(city: City) -> None:
    """Given a bank, when a module is added, then it counts; a known number or another's bank or none is refused."""
    early = cmd.AddModule(**city.by(), point=NEW, source=NEW_BANK, module=a_module(6, number=2))
    assert city.refuses(early) == "source-unknown"
    city.does(install(city, 1))
    add = cmd.AddModule(**city.by(), point=NEW, source=NEW_BANK, module=a_module(6, number=2))
    assert kinds(city.does(add)) == ["ModuleAdded"]
    refused = city.asks(add)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.detail[:8]) == ("module-exists", "module", "module 2")
    assert city.refuses(msgspec.structs.replace(add, source=BANK_A)) == "source-unknown"


def test_a_point_closes_opens_and_goes(city: City) -> None:
    """Given a point, when its status changes, then room is kept to it, and a point that is gone stays gone."""

    def change(status: PointStatus) -> cmd.ChangePoint:
        return cmd.ChangePoint(**city.by(), point=A, status=status)

    assert city.does(change(PointStatus.OPEN)) == []
    [closed] = city.does(change(PointStatus.CLOSED))
    assert react(closed, None) == [RefreshManifest(A)]
    city.announces()
    assert city.refuses(city.reserve()) == "point-closed"
    city.does(change(PointStatus.GONE))
    assert city.refuses(change(PointStatus.OPEN)) == "point-gone"


def test_contact_stops_and_starts_the_clocks(city: City) -> None:
    """Given a bank, when contact is lost and regained, then its clocks are to stop and start."""

    def contact(*, lost: bool) -> cmd.NoteContact:
        return cmd.NoteContact(**city.by(), point=A, source=BANK_A, lost=lost)

    assert city.refuses(contact(lost=False)) == "contact-unchanged"
    [gone] = city.does(contact(lost=True))
    assert react(gone, None) == [StopClocks(A)]
    assert city.refuses(contact(lost=True)) == "contact-unchanged"
    [back] = city.does(contact(lost=False))
    assert react(back, None) == [StartClocks(A)]
    assert city.refuses(msgspec.structs.replace(contact(lost=True), point=NEW)) == "source-unknown"


def test_a_fork_holds_until_a_new_epoch(city: City) -> None:
    """Given a fork, when a new epoch begins, then its case is settled and the journal starts anew."""
    fork = cmd.ReportFork(**city.by(), point=A, source=BANK_A, epoch=1, seq=3)
    assert kinds(city.does(fork)) == ["ForkFound", "PointCaseOpened"]
    assert city.does(fork) == []

    def epoch(number: int) -> cmd.StartEpoch:
        return cmd.StartEpoch(**city.by(), point=A, source=BANK_A, epoch=number)

    assert city.refuses(epoch(1)) == "epoch-not-later"
    assert kinds(city.does(epoch(2))) == ["EpochStarted", "PointCaseSettled"]
    assert kinds(city.does(epoch(3))) == ["EpochStarted"]
    assert city.tells(A, fact.DoorShut(1)) == []


def test_a_case_about_a_point_is_settled_once(city: City) -> None:
    """Given two cases about doors, when one is settled, then the other stays; again, or at no point, it is refused."""
    city.tells(A, fact.DoorForced(1))
    city.tells(A, fact.DoorStuck(2, "g"))
    room = city.world.rooms[A]
    assert room
    first, second = room.cases.values()
    settle = cmd.SettlePointCase(**city.by(), point=A, case=second, how="seen")
    assert kinds(city.does(settle)) == ["PointCaseSettled"]
    assert city.refuses(settle) == "case-unknown"
    room = city.world.rooms[A]
    assert room
    assert list(room.cases.values()) == [first]
    nowhere = cmd.SettlePointCase(**city.by(), point=PointId(an_id(70)), case=CaseId("c"), how="")
    assert city.refuses(nowhere) == "point-unknown"


def test_receipts_are_kept_at_home(city: City) -> None:
    """Given commands, when their home is asked, then it is the lane of their parcel or point."""
    provision = cmd.ProvisionPoint(**city.by(), definition=a_point(NEW))
    assert cmd.home_lane(provision) == lane_of(NEW)
    assert cmd.home_lane(install(city, 1)) == lane_of(NEW)
    assert cmd.home_lane(city.entry(A, fact.DoorShut(1))) == lane_of(A)
    reserve = city.reserve()
    assert cmd.home_lane(reserve) == lane_of(PARCEL)
    assert cmd.keys_of(reserve).lanes() == {lane_of(PARCEL), lane_of(A)}


def test_a_case_no_fact_opens_is_opened_once() -> None:
    """Given a point, when a case is opened about it, then it is open once, names its subject, and settles."""
    city = City()

    def opens(about: str, told: str = "", point: PointId = A) -> cmd.OpenPointCase:
        return cmd.OpenPointCase(**city.by(), point=point, what=ev.CaseKind.ENTRIES_SET_ASIDE, about=about, told=told)

    [opened] = city.does(opens("epoch 1", "3 entries"))
    assert isinstance(opened, ev.PointCaseOpened)
    assert opened.detail == "epoch 1: 3 entries"
    assert city.refuses(opens("epoch 1", "4 entries")) == "case-open"
    assert city.refuses(opens("epoch 1")) == "case-open"
    city.does(opens("epoch 2"))
    assert city.refuses(opens("epoch 2", "5 entries")) == "case-open"
    [other] = city.does(opens("epoch 10"))
    assert isinstance(other, ev.PointCaseOpened)
    assert other.case != opened.case
    city.does(cmd.SettlePointCase(**city.by(), point=A, case=opened.case, how="looked into"))
    city.now += timedelta(seconds=1)
    [again] = city.does(opens("epoch 1", "4 entries"))
    assert isinstance(again, ev.PointCaseOpened)
    assert again.case not in {opened.case, other.case}
    assert city.refuses(opens("epoch 1", point=PointId(an_id(70)))) == "point-unknown"


def test_a_point_has_only_so_many_cases() -> None:
    """Given as many open cases as a point may have, when one more is to be opened, then it is refused."""
    city = City()
    for number in range(MAX_POINT_CASES):
        city.does(cmd.OpenPointCase(**city.by(), point=A, what=ev.CaseKind.JOURNAL_BROKEN, about=f"entry {number}"))
    more = cmd.OpenPointCase(**city.by(), point=A, what=ev.CaseKind.JOURNAL_BROKEN, about="one more")
    assert city.refuses(more) == "too-many-cases"
