"""How many notices one recipient may get in a while, so that nobody can be bombed with mail through us."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

MOST_MAILBOXES_KNOWN: Final = 100_000


class Limit(msgspec.Struct, frozen=True):
    """At most ``count`` notices to one recipient in any stretch of ``per_seconds``."""

    count: int = 20
    per_seconds: int = 3600


def next_allowed(sent: Sequence[datetime], *, now: datetime, limit: Limit) -> datetime:
    """The first instant from ``now`` on at which one more notice keeps within ``limit``; ``sent`` in any order."""
    assert limit.count >= 1
    if len(sent) < limit.count:
        return now
    # The next notice must fall out of the stretch that holds the last ``count`` ones.
    return max(now, sorted(sent)[-limit.count] + timedelta(seconds=limit.per_seconds))


class Tally:
    """When each mailbox was written to lately, as far as this process knows.

    In memory alone, for it is made of addresses: each worker counts for itself, and anew when it starts.
    """

    def __init__(self, limit: Limit | None = None) -> None:
        self._limit = limit or Limit()
        self._sent: dict[str, list[datetime]] = {}

    def next_allowed(self, mailbox: str, now: datetime) -> datetime:
        """The first instant from ``now`` on at which one more notice may go to a mailbox."""
        return next_allowed(self._sent.get(mailbox.lower(), ()), now=now, limit=self._limit)

    def note(self, mailbox: str, at: datetime) -> None:
        """Count a notice that is on its way to a mailbox."""
        if len(self._sent) >= MOST_MAILBOXES_KNOWN:
            oldest = at - timedelta(seconds=self._limit.per_seconds)
            self._sent = {one: sent for one, sent in self._sent.items() if sent and sent[-1] > oldest}
        sent = self._sent.setdefault(mailbox.lower(), [])
        sent.append(at)
        del sent[: -self._limit.count]

    def take_back(self, mailbox: str, at: datetime) -> None:
        """Count a notice no longer, because it did not arrive."""
        sent = self._sent.get(mailbox.lower(), [])
        if at in sent:
            sent.remove(at)
