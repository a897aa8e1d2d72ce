"""Statuses: for every stage and every event its phase, who acts next, and whether it is the end."""

from enum import StrEnum
from typing import Final

import msgspec

from restante.core import events as ev
from restante.core import parcel as stages


class Phase(StrEnum):
    """How far along a parcel is, in one word that cannot be misread."""

    ANNOUNCED = "announced"
    PROMISED = "promised"
    IN_CUSTODY = "in-custody"
    TAKEN_OUT = "taken-out"
    ENDED = "ended"
    AT_POINT = "at-point"


class Actor(StrEnum):
    """Who acts next on a stage, or who acted in an event."""

    CARRIER = "carrier"
    COURIER = "courier"
    RECIPIENT = "recipient"
    SENDER = "sender"
    OPERATOR = "operator"
    SOURCE = "source"
    HUB = "hub"
    NOBODY = "nobody"


class Status(msgspec.Struct, frozen=True):
    """The machine-readable meaning of a stage or an event."""

    phase: Phase
    actor: Actor
    is_terminal: bool = False


STAGES: Final[dict[type[stages.Stage], Status]] = {
    stages.Announced: Status(Phase.ANNOUNCED, Actor.CARRIER),
    stages.Promised: Status(Phase.PROMISED, Actor.COURIER),
    stages.Deposited: Status(Phase.IN_CUSTODY, Actor.HUB),
    stages.Held: Status(Phase.IN_CUSTODY, Actor.RECIPIENT),
    stages.Lapsed: Status(Phase.IN_CUSTODY, Actor.HUB),
    stages.DroppedOff: Status(Phase.IN_CUSTODY, Actor.COURIER),
    stages.Recalled: Status(Phase.IN_CUSTODY, Actor.COURIER),
    stages.WithCourier: Status(Phase.TAKEN_OUT, Actor.CARRIER),
    stages.Collected: Status(Phase.ENDED, Actor.NOBODY, is_terminal=True),
    stages.Cancelled: Status(Phase.ENDED, Actor.NOBODY, is_terminal=True),
    stages.Released: Status(Phase.ENDED, Actor.NOBODY, is_terminal=True),
}

EVENTS: Final[dict[type[ev.AnyEvent], Status]] = {
    ev.ParcelAnnounced: Status(Phase.ANNOUNCED, Actor.CARRIER),
    ev.RoomReserved: Status(Phase.PROMISED, Actor.HUB),
    ev.PromiseEnded: Status(Phase.PROMISED, Actor.HUB),
    ev.ParcelCancelled: Status(Phase.ENDED, Actor.CARRIER, is_terminal=True),
    ev.ParcelRedirected: Status(Phase.PROMISED, Actor.RECIPIENT),
    ev.ParcelDeposited: Status(Phase.IN_CUSTODY, Actor.SOURCE),
    ev.ParcelWithdrawn: Status(Phase.TAKEN_OUT, Actor.SOURCE),
    ev.HoldStarted: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.HoldExtended: Status(Phase.IN_CUSTODY, Actor.RECIPIENT),
    ev.HoldPaused: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.HoldResumed: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.HoldLapsed: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.RecallOrdered: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.ParcelReleased: Status(Phase.ENDED, Actor.CARRIER, is_terminal=True),
    ev.NoticeGiven: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.NoticeBounced: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.DepositDeclined: Status(Phase.PROMISED, Actor.COURIER),
    ev.StayInherited: Status(Phase.IN_CUSTODY, Actor.SOURCE),
    ev.CaseOpened: Status(Phase.IN_CUSTODY, Actor.HUB),
    ev.CaseSettled: Status(Phase.IN_CUSTODY, Actor.OPERATOR),
    ev.PointProvisioned: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.PointChanged: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.SourceInstalled: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.ModuleAdded: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.ConditionChanged: Status(Phase.AT_POINT, Actor.SOURCE),
    ev.ContactLost: Status(Phase.AT_POINT, Actor.HUB),
    ev.ContactRegained: Status(Phase.AT_POINT, Actor.HUB),
    ev.StrayDeposited: Status(Phase.AT_POINT, Actor.SOURCE),
    ev.StrayWithdrawn: Status(Phase.AT_POINT, Actor.SOURCE),
    ev.StrayClaimed: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.PointCaseOpened: Status(Phase.AT_POINT, Actor.HUB),
    ev.PointCaseSettled: Status(Phase.AT_POINT, Actor.OPERATOR),
    ev.ForkFound: Status(Phase.AT_POINT, Actor.HUB),
    ev.EpochStarted: Status(Phase.AT_POINT, Actor.OPERATOR),
}


def status_of(parcel: stages.Parcel) -> Status:
    """The status of a parcel."""
    return STAGES[type(stages.stage_of(parcel))]
