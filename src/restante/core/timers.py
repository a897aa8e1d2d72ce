"""Which timers a parcel has running: a pure function of the parcel, so that none is armed twice or forgotten."""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from restante.core.parcel import Held, Parcel, stage_of
from restante.core.time import Instant

REMIND_BEFORE: Final = timedelta(hours=12)
"""How long before the end of a hold a reminder goes out; halfway through for holds shorter than a day."""

_LONG_ENOUGH: Final = 2 * REMIND_BEFORE


class TimerKind(StrEnum):
    """What is to be done when a timer is due."""

    EXPIRE_PROMISE = "expire-promise"
    REMIND = "remind"
    LAPSE_HOLD = "lapse-hold"


def timers_of(parcel: Parcel | None) -> dict[TimerKind, Instant]:
    """When each timer of a parcel is due."""
    if parcel is None:
        return {}
    due: dict[TimerKind, Instant] = {}
    if parcel.promise is not None:
        due[TimerKind.EXPIRE_PROMISE] = parcel.promise.until
    stage = stage_of(parcel)
    if isinstance(stage, Held) and stage.hold.paused_at is None:
        due[TimerKind.LAPSE_HOLD] = stage.hold.ends_at
        if stage.hold.reminded_at is None:
            due[TimerKind.REMIND] = reminder_at(stage.hold.started_at, stage.hold.ends_at)
    return due


def reminder_at(started_at: Instant, ends_at: Instant) -> Instant:
    """When to remind of a hold that ends at ``ends_at``."""
    lasts = ends_at - started_at
    return ends_at - (REMIND_BEFORE if lasts >= _LONG_ENOUGH else lasts / 2)
