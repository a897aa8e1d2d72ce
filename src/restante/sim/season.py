"""When a story takes place and how long parcels are held in it: in some, clocks are changed for summer or winter."""

from datetime import UTC, datetime
from random import Random
from typing import Final

import msgspec

from restante.core.time import Calendar, ElapsedHours, HoldRule, Instant, OpenDays, OpenTime

CLOSES: Final = 20 * 60
"""Minutes after midnight at which points with opening hours close in a story."""

_ZONE: Final = "Europe/Helsinki"
_ALWAYS: Final = Calendar(_ZONE)
_SHOP_HOURS: Final = Calendar(_ZONE, tuple(OpenTime(weekday, 8 * 60, CLOSES) for weekday in range(6)))
_HOURS: Final = ElapsedHours(20)
_CHANGED_SHARE: Final = 0.3


class Season(msgspec.Struct, frozen=True):
    """The first moment of a story, the hold and the opening hours of its points, and when its clocks are changed."""

    start: Instant = datetime(2026, 3, 2, 6, tzinfo=UTC)
    hold: HoldRule = _HOURS
    calendar: Calendar = _ALWAYS
    changes_at: Instant | None = None


_CHANGES: Final = (
    (datetime(2026, 3, 27, 6, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
    (datetime(2026, 10, 23, 6, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
)
"""Two days before each change of 2026 in the European Union, and the change (directive 2000/84/EC)."""

_HOLDS: Final = ((_HOURS, _ALWAYS), (OpenDays(1), _SHOP_HOURS), (OpenDays(2), _SHOP_HOURS), (OpenDays(1), _ALWAYS))


def draw_season(chance: Random) -> Season:
    """An ordinary week in most stories; in the others the clocks are changed on the third day."""
    if chance.random() >= _CHANGED_SHARE:
        return Season()
    start, changes_at = chance.choice(_CHANGES)
    hold, calendar = chance.choice(_HOLDS)
    return Season(start, hold, calendar, changes_at)
