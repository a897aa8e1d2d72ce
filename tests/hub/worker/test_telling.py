"""What is kept of attempts reads back as what it was; channels tell nothing of the addresses behind them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Fault
from restante.hub.notices.address import Address
from restante.hub.notices.choose import Tried
from restante.hub.notices.limit import Limit
from restante.hub.notices.outcome import Bounced, HandedOver, MailRefusesUs, MailUnreachable, Unreachable
from restante.hub.settings import Settings
from restante.hub.worker.opening import SenderMalformed, Site, open_worker
from restante.hub.worker.telling import as_attempt, as_tried, channels_of
from tests.hub.worker.town import Town, source_key

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@given(st.integers(400, 599), st.booleans())
def test_a_bounce_reads_back_whole(code: int, permanent: bool) -> None:
    """Whatever a server answers is kept as it was."""
    tried = Tried("email-1", Bounced(NOW, code, permanent=permanent))
    assert as_tried(as_attempt(tried)) == tried


@pytest.mark.parametrize("fault", [MailUnreachable(), MailRefusesUs()])
def test_a_blocked_way_reads_back_as_the_same_kind(fault: MailUnreachable | MailRefusesUs) -> None:
    """Whether trying again can help is kept, the library's words are not."""
    back = as_tried(as_attempt(Tried("email-1", Unreachable(NOW, fault))))
    assert isinstance(back.outcome, Unreachable)
    assert type(back.outcome.fault) is type(fault)
    assert back.outcome.at == NOW


def test_success_is_no_failed_attempt() -> None:
    """A notice that was taken is recorded by a command, never kept here."""
    with pytest.raises(AssertionError):
        as_attempt(Tried("email-1", HandedOver(NOW, "<id@x>")))


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_text_makes_channels_or_none(texts: list[str]) -> None:
    """Whatever a carrier wrote for addresses, only those that mail can go to become channels, under bare names."""
    for name, address in channels_of(texts).items():
        assert name.removeprefix("email-").isdecimal()
        assert isinstance(address, Address)


def test_channels_keep_their_number() -> None:
    """Given an address that is none, the ones after it keep their places, so that names mean the same ever after."""
    assert channels_of(["nobody", "a@b.example"]) == {"email-2": Address("a", "b.example")}


async def test_a_sender_that_is_no_address_is_named_at_the_start(town: Town) -> None:
    """A worker that could send nothing does not start."""
    settings = Settings(mail_from="nobody")
    site = Site(
        town.dsn, settings, town.ledger, town.engine, town.vault, source_key,
        refresh=town.refresh, points=town.every_point, now=lambda: town.now,
    )  # fmt: skip
    with pytest.raises(SenderMalformed, match="RESTANTE_MAIL_FROM"):
        async with open_worker(site):
            pass
    assert issubclass(SenderMalformed, Fault)


async def test_nobody_gets_more_notices_than_the_limit(town: Town) -> None:
    """Given more parcels for one mailbox than it may get notices of in an hour, then the others come in the next."""
    points = [await town.open_point() for _ in range(3)]
    places = [(point, door) for point in points for door in range(1, 9)]
    for point, door in places:
        await town.deposit(await town.announce(point), point, door=door)
    worker = town.worker()
    await worker.drain()
    assert len(town.subjects()) == Limit().count < len(places)
    town.now += timedelta(seconds=Limit().per_seconds - 1)
    await worker.drain()
    assert len(town.subjects()) == Limit().count
    town.now += timedelta(seconds=2)
    await worker.drain()
    assert len(town.subjects()) == len(places), "a notice is late and not lost"
