"""A load of whole parcel lives for one lane: every command prepared beforehand, each of which must be accepted.

Lives overlap: parcel ``i`` takes its next step ``stride`` slots after its last, so that a batch holds the steps of many
parcels and each point's journal runs in order.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Final

import msgspec

from restante.core import commands as cmd
from restante.core.bank import BankModule, Compartment, Point, Source, SourceKind
from restante.core.events import NoticeKind
from restante.core.facts import AnyFact, ParcelPutIn, ParcelTakenOut
from restante.core.ids import CommandId, ContactId, Lane, OrgId, ParcelId, PointId, SourceId, StayKey, laned_id
from restante.core.parcel import Direction
from restante.core.reservation import Firmness, Window
from restante.core.stay import By, Evidence
from restante.core.time import Calendar, ElapsedHours, Instant

START: Final = datetime(2026, 3, 2, 6, tzinfo=UTC)
STEPS: Final = 6
DOORS: Final = 60
HOLD: Final = timedelta(hours=72)


class Bank(msgspec.Struct):
    """A locker bank of the load, and how far its journal has been prepared."""

    point: PointId
    source: SourceId
    seq: int = 0
    hash: str = ""


class Life(msgspec.Struct):
    """One parcel of the load, on its way through its steps."""

    parcel: ParcelId
    bank: Bank
    door: int
    stay: StayKey | None = None


class Load:
    """Banks and lives in one lane; the same seed gives the same load."""

    def __init__(self, lane: Lane, *, points: int, seed: int, start: Instant = START) -> None:
        self.start = start
        self._lane = lane
        self._random = Random(f"{seed}/{lane}")
        self._ticks = 0
        self.banks = [Bank(PointId(self._id()), SourceId(self._id())) for _ in range(points)]

    def provision(self) -> list[cmd.AnyCommand]:
        """The commands that put up the banks."""
        return [command for bank in self.banks for command in self._put_up(bank)]

    def commands(self, parcels: int, stride: int) -> list[cmd.AnyCommand]:
        """Six steps for each of ``parcels`` parcels, interleaved with ``stride`` parcels between two steps of one."""
        lives = [self._life(number) for number in range(parcels)]
        return list(self._slots(lives, min(stride, parcels)))

    def _slots(self, lives: list[Life], stride: int) -> Iterator[cmd.AnyCommand]:
        for slot in range(len(lives) + stride * (STEPS - 1)):
            for step in range(STEPS):
                number = slot - step * stride
                if 0 <= number < len(lives):
                    yield self._step(lives[number], step)

    def _step(self, life: Life, step: int) -> cmd.AnyCommand:
        parcel, point, at, name = life.parcel, life.bank.point, self._now(), CommandId(self._id())
        match step:
            case 0:
                return self._announce(life, name, at)
            case 1:
                window = Window(at, at + timedelta(hours=12))
                return cmd.ReserveRoom(
                    name, "carrier", at, parcel, point, window, Firmness.HARD, at + timedelta(hours=24)
                )
            case 2:
                fact = ParcelPutIn(parcel, "g", life.door, _ROOM_CLASS, By.COURIER, Evidence.SENSOR)
                command = self._entry(life.bank, fact, at)
                life.stay = StayKey(life.bank.source, 1, command.seq)
                return command
            case 3:
                return cmd.RecordNotice(name, "worker", at, parcel, NoticeKind.READY, "mail", False, life.stay, point)
            case 4:
                return cmd.ExtendHold(name, "recipient", at, parcel, at + 2 * HOLD, 24 * 14)
            case _:
                assert life.stay is not None
                taken = ParcelTakenOut(parcel, life.stay, "g", life.door, By.RECIPIENT, Evidence.SENSOR)
                return self._entry(life.bank, taken, at)

    def _announce(self, life: Life, name: CommandId, at: Instant) -> cmd.AnnounceParcel:
        return cmd.AnnounceParcel(
            id=name,
            actor="carrier",
            at=at,
            parcel=life.parcel,
            org=OrgId("nordpost"),
            code=life.parcel[-12:-4].upper(),
            direction=Direction.DELIVERY,
            room_class=_ROOM_CLASS,
            weight_grams=1200,
            recipient=ContactId(self._id()),
        )

    def _entry(self, bank: Bank, fact: AnyFact, at: Instant) -> cmd.AdoptFact:
        previous, bank.seq = bank.hash, bank.seq + 1
        entry = msgspec.json.encode({"at": at, "seq": bank.seq, "previous": previous, "fact": fact})
        bank.hash = sha256(entry).hexdigest()
        return cmd.AdoptFact(
            CommandId(""), "bank", at, bank.source, bank.point, 1, bank.seq, previous, bank.hash, fact, entry
        )

    def _put_up(self, bank: Bank) -> tuple[cmd.AnyCommand, cmd.AnyCommand]:
        point = Point(
            id=bank.point,
            name="Harbour Street",
            kind="bank",
            host="harbour",
            latitude=60.17,
            longitude=24.94,
            address="Harbour Street 1",
            directions="Beside the main door.",
            calendar=Calendar("Europe/Helsinki"),
            hold=ElapsedHours(72),
        )
        column = BankModule(1, tuple(Compartment(door, 1, 800) for door in range(1, DOORS + 1)))
        return (
            cmd.ProvisionPoint(CommandId(self._id()), "operator", self.start, point),
            cmd.InstallSource(
                CommandId(self._id()),
                "operator",
                self.start,
                bank.point,
                Source(bank.source, SourceKind.BANK, (column,)),
            ),
        )

    def _life(self, number: int) -> Life:
        return Life(ParcelId(self._id()), self.banks[number % len(self.banks)], 1 + number // len(self.banks) % DOORS)

    def _now(self) -> Instant:
        self._ticks += 1
        return self.start + timedelta(milliseconds=self._ticks)

    def _id(self) -> str:
        self._ticks += 1
        return laned_id(self.start + timedelta(milliseconds=self._ticks), self._random.randbytes(8), self._lane)


_ROOM_CLASS: Final = Compartment(1, 1, 800).room_class
