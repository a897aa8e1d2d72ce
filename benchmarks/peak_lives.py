"""Lives of parcels in the hour of peak: announced over HTTP, put in and taken out at a bank, looked at on the way."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from benchmarks.calls import Calls
from benchmarks.offered import Sample, due
from benchmarks.peak_banks import ROOM_CLASS, Bank
from restante.core.bank import RoomClass
from restante.core.facts import ParcelPutIn, ParcelTakenOut
from restante.core.ids import ParcelId, StayKey
from restante.core.stay import By, Evidence

DEPOSIT_AFTER_S: Final = 3.0
COLLECT_AFTER_S: Final = 6.0
LIFE_SECONDS: Final = 12.0
BULK_SHARE: Final = 5
"""Of so many lives one is announced by itself, the others in bulk with those that are due at the same time."""

LOOKS: Final = 2
"""Of so many lives one is looked at, and somebody looks for points near by."""


class Lives:
    """All lives of a run: those under way, what was answered, and waits since the stretch began."""

    def __init__(self, calls: Calls, banks: Sequence[Bank]) -> None:
        self.samples: list[Sample] = []
        self.waits: dict[str, list[float]] = {}
        self.wrong: list[str] = []
        self.answered = 0
        self.notices = 0
        self.lateness_s = 0.0
        self._calls = calls
        self._banks = itertools.cycle(banks)
        self._tasks: set[asyncio.Task[None]] = set()
        self._names = itertools.count()
        self._run = f"{time.time_ns():x}"

    @property
    def transitions(self) -> int:
        """Transitions accepted so far: what callers and banks were answered, and notices that were given."""
        return self.answered + self.notices

    def begin_stretch(self) -> None:
        """Count waits and looks from here on."""
        self.waits = defaultdict(list)
        self.samples = []

    def begin(self, numbers: range, *, begun_s: float, rate: float) -> None:
        """Begin the lives of these numbers, each due at its own instant."""
        if not numbers:
            return
        now_s = time.monotonic()
        self.lateness_s = now_s - due(begun_s, rate, numbers[0])
        born = [(due(begun_s, rate, number), next(self._banks), next(self._names)) for number in numbers]
        ready = [one for one in born if one[1].doors]
        if len(ready) < len(born):
            self.wrong.append(f"{len(born) - len(ready)} lives found no door")
        alone = [one for one in ready if one[2] % BULK_SHARE == 0]
        together = [one for one in ready if one[2] % BULK_SHARE]
        for one in alone:
            self._spawn(self._announce([one], in_bulk=False))
        for start in range(0, len(together), 500):
            self._spawn(self._announce(together[start : start + 500], in_bulk=True))

    async def ended(self) -> None:
        """Wait until no life is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, doing: Any) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (wrong := task.exception()) is not None:
            self.wrong.append(f"a life ended with {wrong!r}"[:300])

    async def _announce(self, lives: Sequence[tuple[float, Bank, int]], *, in_bulk: bool) -> None:
        doors = [bank.doors.popleft() for _, bank, _ in lives]
        given = [self._announcement(bank, name) for _, bank, name in lives]
        path, body = ("/v1/parcels/bulk", {"items": given}) if in_bulk else ("/v1/parcels", given[0])
        status, told = await self._calls.ask("POST", path, msgspec.json.encode(body))
        if status >= 300:
            self.wrong.append(f"{path}: {status} {told[:200].decode(errors='replace')}")
            return
        answer = msgspec.json.decode(told)
        items = [one.get("accepted") for one in answer["items"]] if in_bulk else [answer]
        for (due_s, bank, name), door, accepted in zip(lives, doors, items, strict=True):
            self._note("announced in bulk" if in_bulk else "announced by itself", due_s)
            if not accepted or not accepted.get("promise"):
                self.wrong.append(f"no room was promised: {accepted}"[:300])
                continue
            self.answered += 2
            self._spawn(self._live(ParcelId(accepted["parcel"]), bank, door, name=name))

    async def _live(self, parcel: ParcelId, bank: Bank, door: int, *, name: int) -> None:
        """Put in, perhaps looked at, and taken out."""
        put_in_s = await _after(DEPOSIT_AFTER_S)
        deposit = ParcelPutIn(parcel, "g", door, RoomClass(ROOM_CLASS), By.COURIER, Evidence.SENSOR)
        seq, held = bank.tell(deposit)
        await held
        self._note("deposit acknowledged", put_in_s)
        self.answered += 1
        if name % LOOKS == 0:
            await self._look("a parcel looked at", f"/v1/parcels/{parcel}")
            await self._look("points near by", "/v1/points?latitude=60.1&longitude=24.9&limit=10")
        taken_s = await _after(COLLECT_AFTER_S)
        stay = StayKey(bank.source, 1, seq)
        _, held = bank.tell(ParcelTakenOut(parcel, stay, "g", door, By.RECIPIENT, Evidence.SENSOR))
        await held
        self._note("collection acknowledged", taken_s)
        self.answered += 1
        bank.doors.append(door)

    async def _look(self, name: str, path: str) -> None:
        asked_s = time.monotonic()
        status, _ = await self._calls.ask("GET", path)
        self._note(name, asked_s)
        if status != 200:
            self.wrong.append(f"{path}: {status}")

    def _note(self, name: str, since_s: float) -> None:
        self.waits[name].append(time.monotonic() - since_s)

    def _announcement(self, bank: Bank, name: int) -> dict[str, Any]:
        reference = f"{self._run}-{name}"
        return {
            "reference": reference,
            "dimensions": {"width_mm": 300, "height_mm": 60, "depth_mm": 200},
            "weight_grams": 400,
            "recipient": {"name": "Otso", "emails": [f"{reference}@homes.example"], "language": "fi"},
            "point": bank.point,
        }


async def _after(seconds: float) -> float:
    """Wait so long; the instant that was meant, however late the waking."""
    meant_s = time.monotonic() + seconds
    await asyncio.sleep(seconds)
    return meant_s
