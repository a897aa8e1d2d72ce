"""Nobody gets more notices in a while than the limit says, and nobody waits longer than it demands."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.hub.notices import limit as limits
from restante.hub.notices.limit import Limit, Tally, next_allowed
from tests.hub.notices.samples import NOW


def test_under_the_limit_nobody_waits() -> None:
    """Given fewer notices than the limit, then the next one may go now."""
    assert next_allowed([NOW], now=NOW, limit=Limit(2, 60)) == NOW


def test_at_the_limit_the_oldest_that_counts_must_age() -> None:
    """Given as many notices as the limit in any order, then the next one waits until the oldest of them is out."""
    sent = [NOW, NOW - timedelta(seconds=20), NOW - timedelta(seconds=50)]
    assert next_allowed(sent, now=NOW, limit=Limit(2, 60)) == NOW + timedelta(seconds=40)
    assert next_allowed(sent, now=NOW, limit=Limit(3, 60)) == NOW + timedelta(seconds=10)


@given(wishes=st.lists(st.integers(0, 600), max_size=40), count=st.integers(1, 5), per_seconds=st.integers(1, 200))
def test_no_stretch_holds_more_than_the_limit(wishes: list[int], count: int, per_seconds: int) -> None:
    """Given any wishes to send, when each waits as told, then no stretch of the given length holds too many."""
    limit = Limit(count, per_seconds)
    sent: list[datetime] = []
    for wish in sorted(wishes):
        at = next_allowed(sent, now=NOW + timedelta(seconds=wish), limit=limit)
        assert at >= NOW + timedelta(seconds=wish)
        sent.append(at)
    for begin in sent:
        assert sum(begin <= at < begin + timedelta(seconds=per_seconds) for at in sent) <= count


def test_each_mailbox_is_counted_by_itself_whatever_its_case() -> None:
    """Given a mailbox at its limit, then it waits however it is written, and no longer once one did not arrive."""
    tally = Tally(Limit(2, 60))
    tally.note("a@b.example", NOW)
    tally.note("A@b.example", NOW)
    assert tally.next_allowed("a@B.example", NOW) == NOW + timedelta(seconds=60)
    assert tally.next_allowed("c@b.example", NOW) == NOW
    tally.take_back("a@b.example", NOW)
    assert tally.next_allowed("a@b.example", NOW) == NOW
    tally.take_back("nobody@b.example", NOW)


def test_mailboxes_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more mailboxes than are known at once, then those whose time is over make room, and no other does."""
    monkeypatch.setattr(limits, "MOST_MAILBOXES_KNOWN", 2)
    tally, later = Tally(Limit(1, 60)), NOW + timedelta(seconds=61)
    tally.note("old@b.example", NOW)
    tally.note("new@b.example", later)
    tally.note("newer@b.example", later)
    assert tally.next_allowed("new@b.example", later) > later
    assert len(tally._sent) == 2
