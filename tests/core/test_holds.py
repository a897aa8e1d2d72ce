"""Holds: when they start, stand, end and are extended; no order of reasons and no clock makes one shorter."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import facts as fact
from restante.core.bank import Condition
from restante.core.ids import StayKey
from restante.core.parcel import Deposited, Held, Lapsed, Recalled
from restante.core.reactions import OrderRecall, SendNotice, react
from restante.core.stay import DOOR, NO_CONTACT, Hold, RecallReason, paused, resumed
from restante.core.timers import REMIND_BEFORE, TimerKind, reminder_at, timers_of
from tests.core.scene import BANK_A, DAY, HOUR, NOW, PARCEL, SMALL, A, B, City, kinds

END = NOW + 48 * HOUR


@pytest.fixture
def city() -> City:
    """A city in which a parcel is held at A."""
    city = City()
    city.announces()
    city.does(city.reserve())
    city.notifies(city.puts_in())
    return city


def hold(city: City) -> Hold:
    """The hold of the parcel's only stay."""
    found = city.parcel().stays[0].hold
    assert found
    return found


def jams(city: City, condition: Condition, hours: int = 0) -> list[ev.AnyEvent]:
    """Door 1 of A changes its condition, some hours after the start."""
    stay = StayKey(BANK_A, 1, 1)
    return city.tells(A, fact.ConditionSeen(1, SMALL, 1, condition, ((PARCEL, stay),)), NOW + hours * HOUR)


def lapse(city: City) -> cmd.LapseHold:
    """End the hold now."""
    return cmd.LapseHold(**city.by(), parcel=PARCEL, point=A)


def contact(city: City, *, lost: bool) -> None:
    """The bank at A is lost or heard again."""
    city.does(cmd.NoteContact(**city.by(), point=A, source=BANK_A, lost=lost))


def pause(city: City, why: str) -> cmd.PauseHold:
    """Stop the clock for a reason."""
    return cmd.PauseHold(**city.by(), parcel=PARCEL, point=A, why=why)


def resume(city: City, why: str) -> cmd.ResumeHold:
    """Take a reason away."""
    return cmd.ResumeHold(**city.by(), parcel=PARCEL, point=A, why=why)


def test_a_hold_starts_with_the_first_notice_only(city: City) -> None:
    """Given a hold, when a second notice goes out, then it does not start again; its timers are those of its end."""
    assert hold(city) == Hold(NOW, END)
    assert kinds(city.notifies(StayKey(BANK_A, 1, 1))) == ["NoticeGiven"]
    assert timers_of(city.parcel()) == {TimerKind.LAPSE_HOLD: END, TimerKind.REMIND: END - REMIND_BEFORE}
    assert timers_of(None) == {}


def test_a_hold_lapses_at_its_end_and_not_before(city: City) -> None:
    """Given a hold, when it is to lapse too early, then it is refused; at its end it lapses and a recall is owed."""
    assert city.refuses(lapse(city)) == "hold-running"
    city.now = END
    [lapsed] = city.does(lapse(city))
    assert isinstance(city.stage(), Lapsed)
    assert [type(task) for task in react(lapsed, city.parcel())] == [SendNotice, OrderRecall]
    assert city.refuses(lapse(city)) == "hold-lapsed"
    assert jams(city, Condition.JAMMED)[1:] == []
    assert timers_of(city.parcel()) == {}


def test_a_hold_does_not_lapse_while_its_source_is_unheard(city: City) -> None:
    """Given a source just lost, when the hold ends before its clock was stopped, then the lapse is refused."""
    city.now = END
    contact(city, lost=True)
    assert city.refuses(lapse(city)) == "source-unheard"
    city.does(pause(city, NO_CONTACT))
    assert city.refuses(lapse(city)) == "hold-paused"
    assert timers_of(city.parcel()) == {}
    assert city.refuses(resume(city, NO_CONTACT)) == "source-unheard"
    contact(city, lost=False)
    city.now += 3 * HOUR
    city.does(resume(city, NO_CONTACT))
    assert hold(city).ends_at == END + 3 * HOUR


def test_a_late_task_does_not_stop_the_clock(city: City) -> None:
    """Given a source heard again, when the order to stop its clocks comes late, then it is refused."""
    assert city.refuses(pause(city, NO_CONTACT)) == "source-heard"


def test_a_clock_stands_for_its_last_reason(city: City) -> None:
    """Given a jammed door at a lost bank, when contact returns first, then the clock stands on for the door."""
    jams(city, Condition.JAMMED, 1)
    contact(city, lost=True)
    city.does(pause(city, NO_CONTACT))
    assert city.refuses(pause(city, NO_CONTACT)) == "hold-paused"
    contact(city, lost=False)
    [resumed_] = city.does(resume(city, NO_CONTACT))
    assert isinstance(resumed_, ev.HoldResumed)
    assert resumed_.ends_at == END
    assert city.refuses(resume(city, NO_CONTACT)) == "hold-not-paused"
    assert hold(city).reasons == (DOOR,)
    jams(city, Condition.IN_ORDER, 6)
    assert hold(city) == Hold(NOW, END + 6 * HOUR)


def test_a_dirty_compartment_can_still_be_opened(city: City) -> None:
    """Given a dirty compartment, when a parcel waits in it, then its clock runs; jammed it stands."""
    assert kinds(jams(city, Condition.DIRTY)) == ["ConditionChanged"]
    assert kinds(jams(city, Condition.JAMMED)) == ["ConditionChanged", "HoldPaused"]
    assert kinds(jams(city, Condition.BLOCKED)) == ["ConditionChanged"]
    assert kinds(jams(city, Condition.DIRTY)) == ["ConditionChanged", "HoldResumed"]


def test_a_hold_that_starts_where_nobody_can_get_at_it_stands_at_once() -> None:
    """Given a lost bank with a jammed door, when the notice goes out, then the hold starts with its clock standing."""
    city = City()
    city.announces()
    stay = city.puts_in()
    jams(city, Condition.JAMMED)
    contact(city, lost=True)
    assert kinds(city.notifies(stay)) == ["NoticeGiven", "HoldStarted", "HoldPaused", "HoldPaused"]
    assert hold(city).reasons == (NO_CONTACT, DOOR)


def test_a_hold_that_starts_behind_a_dirty_door_runs() -> None:
    """Given a dirty compartment, when the notice goes out, then the hold runs."""
    city = City()
    city.announces()
    stay = city.puts_in()
    jams(city, Condition.DIRTY)
    assert kinds(city.notifies(stay)) == ["NoticeGiven", "HoldStarted"]


def test_extending(city: City) -> None:
    """Given a hold, when it is extended, then only later, only so far, and the reminder is due again."""
    city.does(cmd.RecordNotice(**city.by(), **notice(ev.NoticeKind.REMINDER)))
    assert hold(city).reminded_at == NOW
    assert TimerKind.REMIND not in timers_of(city.parcel())

    def extend(to: Any) -> cmd.ExtendHold:
        return cmd.ExtendHold(**city.by(), parcel=PARCEL, ends_at=to, longest_hold_hours=96)

    assert city.refuses(extend(END)) == "hold-not-longer"
    assert city.refuses(extend(NOW + 97 * HOUR)) == "hold-too-long"
    [extended] = city.does(extend(NOW + 96 * HOUR))
    assert hold(city) == Hold(NOW, NOW + 96 * HOUR)
    assert react(extended, city.parcel()) == [SendNotice(PARCEL, ev.NoticeKind.EXTENDED, stay=StayKey(BANK_A, 1, 1))]
    city.takes_out(StayKey(BANK_A, 1, 1))
    assert city.refuses(extend(END + 9 * DAY)) == "parcel-not-waiting"


def notice(kind: ev.NoticeKind, **more: Any) -> dict[str, Any]:
    """What a notice about the parcel's stay says of itself."""
    said = {"parcel": PARCEL, "notice": kind, "channel": "mail", "bounced": False, "stay": StayKey(BANK_A, 1, 1)}
    return said | more


def test_notices_that_bounce() -> None:
    """Given a deposit, when notices bounce, then no hold starts, and the last channel's bounce opens a case."""
    city = City()
    city.announces()
    stay = city.puts_in()
    bounced = notice(ev.NoticeKind.READY, stay=stay, bounced=True)
    assert kinds(city.does(cmd.RecordNotice(**city.by(), **bounced, last_channel=False))) == ["NoticeBounced"]
    assert kinds(city.does(cmd.RecordNotice(**city.by(), **bounced))) == ["NoticeBounced", "CaseOpened"]
    assert isinstance(city.stage(), Deposited)
    assert city.refuses(lapse(city)) == "hold-not-started"
    reminder = notice(ev.NoticeKind.REMINDER, bounced=True)
    assert kinds(city.does(cmd.RecordNotice(**city.by(), **reminder))) == ["NoticeBounced"]
    assert city.refuses(cmd.RecordNotice(**city.by(), **notice(ev.NoticeKind.READY), point=B)) == "point-not-named"


def test_a_recalled_parcel_has_no_clock_to_turn(city: City) -> None:
    """Given a recall, when clocks or recalls come again, then they are refused; the recipient may still collect."""
    recall = cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.LAPSED)
    assert kinds(city.does(recall)) == ["RecallOrdered"]
    assert isinstance(city.stage(), Recalled)
    assert city.refuses(recall) == "already-recalled"
    assert city.refuses(pause(city, DOOR)) == "already-recalled"
    city.takes_out(StayKey(BANK_A, 1, 1))
    assert city.refuses(recall) == "parcel-not-waiting"


def test_a_recalled_parcel_begins_no_hold() -> None:
    """Given a parcel recalled before anybody was told of it, when the notice goes out late, then no hold starts."""
    city = City()
    city.announces()
    stay = city.puts_in()
    city.does(cmd.RecallParcel(**city.by(), parcel=PARCEL, point=A, reason=RecallReason.CANCELLED))
    assert kinds(city.notifies(stay)) == ["NoticeGiven"]
    assert isinstance(city.stage(), Recalled)


def test_a_command_for_another_point_is_told_so(city: City) -> None:
    """Given a parcel at A, when a command names B, then it is refused and told where the parcel is."""
    assert city.refuses(cmd.LapseHold(**city.by(), parcel=PARCEL, point=B)) == "point-not-named"
    assert isinstance(city.stage(), Held)


steps = st.lists(
    st.tuples(st.booleans(), st.sampled_from((DOOR, NO_CONTACT, "storm")), st.integers(-90_000, 90_000)), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_no_clock_and_no_order_of_reasons_shortens_a_hold(taken: list[tuple[bool, str, int]]) -> None:
    """Given a hold, when reasons come and go at any wall times, then its end never moves earlier."""
    held, reasons = Hold(NOW, END), set[str]()
    for begins, why, hours in taken:
        at, before = NOW + timedelta(hours=hours), held
        if begins and why not in reasons:
            held = paused(held, why, at)
            reasons.add(why)
        elif not begins and why in reasons:
            held = resumed(held, why, at)
            reasons.remove(why)
        assert held.ends_at >= before.ends_at
        assert set(held.reasons) == reasons
        assert (held.paused_at is not None) == bool(reasons)
        assert held.paused_at is None or held.paused_at >= held.started_at


@pytest.mark.parametrize(("hours", "before"), [(8, 4), (48, 12), (480, 12)])
def test_a_reminder_of_a_short_hold_comes_half_way(hours: int, before: int) -> None:
    """Given a hold of some hours, when it is to be reminded of, then 12 hours before its end, or half way."""
    assert reminder_at(NOW, NOW + hours * HOUR) == NOW + (hours - before) * HOUR
