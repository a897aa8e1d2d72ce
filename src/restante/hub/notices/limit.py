"""How many notices one recipient may get in a while, so that nobody can be bombed with mail through us. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec


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
