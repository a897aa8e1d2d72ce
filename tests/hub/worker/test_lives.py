"""The worker by what becomes of parcels: told, reminded, lapsed, paused, moved, on real PostgreSQL and real SMTP."""

from datetime import UTC, datetime, timedelta

import psycopg

from restante.core import commands as cmd
from restante.core.bank import SourceKind
from restante.core.parcel import Collected, Deposited, Direction, Held, Promised, Recalled, stage_of
from restante.core.reservation import Window
from restante.core.stay import By
from restante.core.time import OpenDays
from restante.hub.notices.address import Address
from restante.hub.notices.mail import Mail
from restante.hub.notices.outcome import Bounced, MailUnreachable, Outcome, Unreachable
from restante.store.ledger import KEPT_DAYS
from restante.store.vault import ContactDetails
from tests.hub.worker.town import HOUR, START, Town


async def test_a_parcel_is_promised_told_of_and_collected(town: Town) -> None:
    """Given an announced parcel, when deposited, then its recipient gets the code, the hold and a receipt."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.drain()
    code = await town.vault.open_code(parcel, point)
    assert code is not None
    view = await town.ledger.view(point)
    assert view is not None
    assert [(one.subject, one.number) for one in view.credentials] == [(parcel, (await town.parcel(parcel)).promises)]
    assert town.subjects() == []
    stay = await town.deposit(parcel, point)
    town.now += timedelta(seconds=1)
    await town.drain()
    held = stage_of(await town.parcel(parcel))
    assert isinstance(held, Held)
    assert held.hold.started_at == town.now
    assert held.hold.ends_at == town.now + 48 * HOUR
    assert town.codes() == [code.code]
    await town.withdraw(parcel, point, stay)
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Collected)
    assert len(town.subjects()) == 2
    assert town.codes()[1] is None
    assert set(town.refreshed) == {point}
    assert await town.drain() == 0


async def test_the_code_goes_when_the_parcel_has_gone(town: Town) -> None:
    """Given a collected parcel, when its point is reconciled, then neither verifier nor code is left."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.drain()
    await town.withdraw(parcel, point, await town.deposit(parcel, point))
    await town.drain()
    await town.worker().reconcile()
    view = await town.ledger.view(point)
    assert view is not None
    assert view.credentials == ()
    assert await town.vault.open_code(parcel) is None


async def test_a_bounce_goes_to_the_next_channel(town: Town) -> None:
    """Given a first address that bounces, when the parcel is ready, then the second gets the mail and no case opens."""
    point = await town.open_point()
    parcel = await town.announce(point, emails=("a@bounce.example", "aino@people.example"))
    await town.deposit(parcel, point)
    await town.drain()
    assert town.subjects() != []
    assert isinstance(stage_of(await town.parcel(parcel)), Held)
    kinds = await town.kinds(parcel)
    assert kinds[-3:] == ["notice-bounced", "notice-given", "hold-started"]
    assert (await town.parcel(parcel)).cases == {}


async def test_when_every_channel_bounces_a_case_opens(town: Town) -> None:
    """Given addresses that all bounce, when the parcel is ready, then one case opens and no hold starts."""
    point = await town.open_point()
    parcel = await town.announce(point, emails=("a@bounce.example", "b@bounce.example"))
    await town.deposit(parcel, point)
    await town.drain()
    assert (await town.kinds(parcel)).count("notice-bounced") == 2
    assert (await town.kinds(parcel)).count("case-opened") == 1
    assert isinstance(stage_of(await town.parcel(parcel)), Deposited)
    assert await town.drain() == 0


async def test_nobody_to_tell_opens_a_case(town: Town) -> None:
    """Given a recipient without any address, or one who is not known, when deposited, then a case opens at once."""
    point = await town.open_point()
    silent = await town.announce(point, emails=())
    unknown = await town.announce(point, known=False)
    for door, parcel in enumerate((silent, unknown), start=1):
        await town.deposit(parcel, point, door=door)
    await town.drain()
    for parcel in (silent, unknown):
        assert "notice-bounced" in (await town.parcel(parcel)).cases


async def test_a_slow_mailbox_is_tried_again_later(town: Town) -> None:
    """Given a mailbox that is busy, when tried, then the task waits and the next attempt goes out when it is time."""
    point = await town.open_point()
    parcel = await town.announce(point, emails=("a@slow.example",))
    await town.deposit(parcel, point)
    await town.drain()
    assert await town.drain() == 0
    for _ in range(3):
        town.now += HOUR
        assert await town.drain() == 1
    assert (await town.kinds(parcel)).count("case-opened") == 1
    town.now += HOUR
    assert await town.drain() == 0


async def test_a_reminder_comes_before_the_lapse(town: Town) -> None:
    """Given a running hold, when 12 hours are left, then one reminder goes out, and no second one."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    await town.drain()
    town.now += 36 * HOUR - timedelta(seconds=1)
    assert await town.drain() == 0
    town.now += timedelta(seconds=1)
    assert await town.drain() == 1
    assert len(town.subjects()) == 2
    assert town.codes()[0] == town.codes()[1] is not None
    town.now += HOUR
    assert await town.drain() == 0


async def test_a_reminder_that_bounced_once_still_reaches_the_next_channel(town: Town) -> None:
    """Given a first address that bounces and a second out of reach, when mail goes again, then the reminder comes."""
    point = await town.open_point()
    parcel = await town.announce(point, emails=("a@bounce.example", "aino@people.example"))
    await town.deposit(parcel, point)
    await town.drain()
    town.now += 36 * HOUR
    mail, town.channel = town.channel, OnlyBounces(town)
    await town.drain()
    town.channel = mail
    town.now += timedelta(minutes=5)
    await town.drain()
    assert len(town.subjects()) == 2
    assert (await town.kinds(parcel)).count("notice-bounced") == 2, "the first address bounced twice, and it is told"
    town.now += HOUR
    assert await town.drain() == 0


async def test_attempts_at_a_reminder_that_nobody_waits_for_are_forgotten(town: Town) -> None:
    """Given a reminder that could not go out before its parcel was collected, when days pass, then nothing is kept."""
    point = await town.open_point()
    parcel = await town.announce(point)
    stay = await town.deposit(parcel, point)
    await town.drain()
    town.now += 36 * HOUR
    town.channel = OnlyBounces(town)
    await town.drain()
    await town.withdraw(parcel, point, stay)
    with psycopg.connect(town.dsn, autocommit=True) as db:
        for days, left in ((KEPT_DAYS - 1, 1), (KEPT_DAYS + 1, 0)):
            await town.ledger.upkeep(town.now + timedelta(days=days))
            assert db.execute("SELECT count(*) FROM notice_attempt").fetchone() == (left,)


class OnlyBounces:
    """A mail server that knows who is unknown and reaches nobody else."""

    def __init__(self, town: Town) -> None:
        self._town = town

    async def send(self, mail: Mail, to: Address) -> Outcome:
        """See ``Channel``."""
        at = self._town.now
        return Bounced(at, 550, permanent=True) if "bounce" in to.domain else Unreachable(at, MailUnreachable())


async def test_a_lapsed_hold_is_told_and_recalled(town: Town) -> None:
    """Given a hold at its end, when its timer comes, then the recipient hears of it and a courier is to take it out."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    await town.drain()
    town.now += 48 * HOUR
    await town.drain()
    kinds = await town.kinds(parcel)
    assert "hold-lapsed" in kinds
    assert kinds.count("recall-ordered") == 1
    assert isinstance(stage_of(await town.parcel(parcel)), Recalled)
    # The reminder that was due in the meantime may have gone out first; the last word is that the hold has ended.
    assert town.codes()[-1] is not None


async def test_a_lost_source_stops_the_lapse(town: Town) -> None:
    """Given a point out of contact, when the hold would end, then it does not, and it ends later by the time lost."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    await town.drain()
    town.now += HOUR
    await town.contact(point, lost=True)
    await town.drain()
    town.now += 60 * HOUR
    await town.drain()
    held = stage_of(await town.parcel(parcel))
    assert isinstance(held, Held)
    assert held.hold.paused_at == START + HOUR
    await town.contact(point, lost=False)
    await town.drain()
    held = stage_of(await town.parcel(parcel))
    assert isinstance(held, Held)
    assert held.hold.ends_at == START + (48 + 60) * HOUR
    town.now = held.hold.ends_at
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Recalled)


async def test_an_unused_promise_expires(town: Town) -> None:
    """Given a promise at its end, when its timer comes, then the room is free and the code is gone."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.drain()
    town.now += 72 * HOUR
    await town.drain()
    assert (await town.kinds(parcel))[-1] == "promise-ended"
    view = await town.ledger.view(point)
    assert view is not None
    assert (view.promises, view.credentials) == ((), ())


async def test_a_redirected_parcel_has_a_code_at_its_new_point(town: Town) -> None:
    """Given a promise moved before the deposit, then the recipient is told, and only the new point knows a code."""
    here, there = await town.open_point(name="Mall"), await town.open_point(lane=1, name="Harbour")
    parcel = await town.announce(here)
    await town.drain()
    until = town.now + 24 * HOUR
    await town.does(
        cmd.RedirectParcel(
            **town.by(), parcel=parcel, to_point=there, window=Window(town.now, until), until=until, from_point=here
        )
    )
    await town.drain()
    views = [await town.ledger.view(point) for point in (here, there)]
    assert [len(view.credentials) for view in views if view] == [0, 1]
    body = town.sink.inbox("aino@people.example")[0].mail().get_body(("plain",))
    assert body is not None
    assert "Mall" in body.get_content()
    assert "Harbour" in body.get_content()


async def test_a_deposit_at_another_point_is_told_with_a_code_that_works_there(town: Town) -> None:
    """Given a parcel put in elsewhere, then the mail names that point and its code, and the promise is given back."""
    here, there = await town.open_point(), await town.open_point(lane=1, name="Harbour")
    parcel = await town.announce(here)
    await town.drain()
    await town.deposit(parcel, there)
    await town.drain()
    code = await town.vault.open_code(parcel, there)
    assert code is not None
    assert town.codes() == [code.code]
    assert (await town.parcel(parcel)).promise is None
    views = [await town.ledger.view(point) for point in (here, there)]
    assert [len(view.credentials) for view in views if view] == [0, 1]


async def test_a_sender_gets_the_code_for_a_drop_off_and_its_way_on_is_promised(town: Town) -> None:
    """Given a drop-off with a destination, then the sender gets a code, and the pick-up promises room."""
    here, there = await town.open_point(), await town.open_point(lane=1, kind=SourceKind.COUNTER)
    parcel = await town.announce(here, direction=Direction.DROP_OFF, destination=there)
    await town.drain()
    town.now += timedelta(seconds=1)
    await town.drain()
    assert len(town.codes()) == 1
    assert town.codes()[0] is not None
    stay = await town.deposit(parcel, here, by=By.SENDER)
    await town.drain()
    await town.withdraw(parcel, here, stay, by=By.COURIER)
    await town.drain()
    onward = stage_of(await town.parcel(parcel))
    assert isinstance(onward, Promised)
    assert onward.promise.point == there
    assert len(town.codes()) == 1, "the way on is a delivery: its code comes with the deposit"


async def test_a_sender_is_told_a_code_once_its_point_knows_it(town: Town) -> None:
    """Given a drop-off, while its point does not know the code no mail goes out; as soon as it does, one goes."""
    town.knows_codes = False
    await town.announce(await town.open_point(), direction=Direction.DROP_OFF)
    for _ in range(30):
        await town.drain()
        town.now += timedelta(seconds=1)
    assert town.codes() == []
    town.knows_codes = True
    town.now += timedelta(seconds=30)
    await town.drain()
    assert len(town.codes()) == 1


async def test_a_sender_waits_a_minute_at_most(town: Town) -> None:
    """Given a drop-off at a point that is cut off, when a minute has passed, then the sender has the code anyway."""
    town.knows_codes = False
    await town.announce(await town.open_point(), direction=Direction.DROP_OFF)
    for _ in range(61):
        assert town.codes() == []
        await town.drain()
        town.now += timedelta(seconds=1)
    assert len(town.codes()) == 1


async def test_an_extended_hold_is_told(town: Town) -> None:
    """Given a hold moved later, then the recipient reads the new end."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.deposit(parcel, point)
    await town.drain()
    later = START + 72 * HOUR
    await town.does(cmd.ExtendHold(**town.by(), parcel=parcel, ends_at=later, longest_hold_hours=336))
    await town.drain()
    assert len(town.codes()) == 2


async def test_the_end_in_the_mail_is_right_across_the_clock_change(town: Town) -> None:
    """Given a hold to the end of the day on which the clocks change, then it ends at local midnight."""
    town.now = datetime(2026, 3, 28, 10, 0, tzinfo=UTC)
    point = await town.open_point(hold=OpenDays(1))
    parcel = await town.announce(point, person=ContactDetails("Aino", ("aino@people.example",), language="en"))
    await town.deposit(parcel, point)
    await town.drain()
    held = stage_of(await town.parcel(parcel))
    assert isinstance(held, Held)
    # Midnight after 29 March in Helsinki is 21:00 UTC, three hours ahead since that morning.
    assert held.hold.ends_at == datetime(2026, 3, 29, 21, 0, tzinfo=UTC)
    town.now = held.hold.ends_at - timedelta(microseconds=1)
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Held)
    town.now = held.hold.ends_at
    await town.drain()
    assert isinstance(stage_of(await town.parcel(parcel)), Recalled)


async def test_a_new_controller_learns_the_codes_people_have(town: Town) -> None:
    """Given a code, when the point's source starts another epoch, then its verifier is new and the code is the same."""
    point = await town.open_point()
    parcel = await town.announce(point)
    await town.drain()
    before, code = await town.ledger.view(point), await town.vault.open_code(parcel)
    await town.start_epoch(point, 2)
    await town.drain()
    after, same = await town.ledger.view(point), await town.vault.open_code(parcel)
    assert before is not None
    assert after is not None
    assert code is not None
    assert same is not None
    assert same.code == code.code
    assert [one.subject for one in after.credentials] == [parcel]
    assert before.credentials[0].verifier != after.credentials[0].verifier
