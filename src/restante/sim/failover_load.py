"""A load of commands with ids for drills: parcels announced and promised room, resent until they are answered."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Final

import msgspec

from restante.core import commands as cmd
from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.ids import CommandId, ContactId, Lane, OrgId, ParcelId, PointId, SourceId, laned_id
from restante.core.parcel import Direction
from restante.core.refusals import Fault, Refusal
from restante.core.reservation import Firmness, Window
from restante.core.time import Calendar, ElapsedHours, Instant
from restante.hub.engine import Engine

CALLERS: Final = 16
POINTS: Final = 8
_DOORS: Final = 100
_ROOM_CLASS: Final = Compartment(1, 1, 800).room_class
_AGAIN_S: Final = 0.02


class Answer(msgspec.Struct, frozen=True):
    """What a caller was told: the command, when, and where its events stand; a refusal leaves no events."""

    command: CommandId
    at: float
    positions: tuple[tuple[int, int], ...]
    refused: str = ""


class Load:
    """Callers that each hand in one command after the other, and resend one that met a fault under its old id."""

    def __init__(self, seed: int, start: Instant) -> None:
        self._random = Random(seed)  # noqa: S311 -- a load, not a secret
        self._start = start
        self._ticks = 0
        self._points = [PointId(self._id()) for _ in range(POINTS)]
        self.answers: list[Answer] = []
        self.faults = 0
        self.wanted: int | None = None

    def provision(self) -> Iterator[cmd.AnyCommand]:
        """The commands that put up the banks."""
        column = BankModule(1, tuple(Compartment(door, 1, 800) for door in range(1, _DOORS + 1)))
        for number, name in enumerate(self._points):
            point = Point(
                id=name,
                name=f"Drill {number}",
                kind="bank",
                host="harbour",
                latitude=60.17,
                longitude=24.94,
                address="Harbour Street 1",
                directions="",
                calendar=Calendar("Europe/Helsinki"),
                hold=ElapsedHours(72),
            )
            yield cmd.ProvisionPoint(CommandId(self._id()), "operator", self._start, point)
            source = Source(SourceId(self._id()), SourceKind.BANK, (column,))
            yield cmd.InstallSource(CommandId(self._id()), "operator", self._start, name, source)

    async def call(self, engine: Engine) -> None:
        """Be one caller until there are as many answers as wanted; what is under way then is still answered."""
        while self.wanted is None or len(self.answers) < self.wanted:
            parcel = ParcelId(self._id())
            for command in (self._announce(parcel), self._reserve(parcel)):
                self.answers.append(await self._answered(engine, command))

    async def _answered(self, engine: Engine, command: cmd.AnyCommand) -> Answer:
        while True:
            try:
                outcome = await engine.submit(command)
            except Fault:
                self.faults += 1
                await asyncio.sleep(_AGAIN_S)
                continue
            at = time.monotonic()
            if isinstance(outcome, Refusal):
                return Answer(command.id, at, (), outcome.code)
            return Answer(command.id, at, outcome.positions)

    def _announce(self, parcel: ParcelId) -> cmd.AnnounceParcel:
        return cmd.AnnounceParcel(
            id=CommandId(self._id()),
            actor="carrier",
            at=self._start,
            parcel=parcel,
            org=OrgId("nordpost"),
            code=parcel[-12:-4].upper(),
            direction=Direction.DELIVERY,
            room_class=_ROOM_CLASS,
            weight_grams=1200,
            recipient=ContactId(self._id()),
        )

    def _reserve(self, parcel: ParcelId) -> cmd.ReserveRoom:
        # Spread over the days to come, so that room does not run out in the course of a drill.
        begin = self._start + timedelta(days=self._random.randrange(1, 300))
        window = Window(begin, begin + timedelta(hours=12))
        point, until = self._random.choice(self._points), begin + timedelta(hours=24)
        name = CommandId(self._id())
        return cmd.ReserveRoom(name, "carrier", self._start, parcel, point, window, Firmness.HARD, until)

    def _id(self) -> str:
        self._ticks += 1
        at = self._start + timedelta(milliseconds=self._ticks)
        return laned_id(at, self._random.randbytes(8), Lane(0))
