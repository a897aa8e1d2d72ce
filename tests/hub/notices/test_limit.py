"""Nobody gets more notices in a while than the limit says, and nobody waits longer than it demands."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from restante.hub.notices.limit import Limit, next_allowed
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
