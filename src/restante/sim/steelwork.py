"""Doors of a simulated bank: the emulated steel in story time, and how an opening is carried out on it.

The steel knows whether something lies behind a door because the ground does: whoever moves a parcel through an open
door tells both. A counter has shelf places and no doors; they stand open all the time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from msgspec.structs import replace

from restante.core.ids import ParcelId, SourceId
from restante.edge.boards import steel
from restante.edge.boards.steel import Deed, Tick, Touch
from restante.edge.drivers import evidence
from restante.edge.drivers.evidence import Answered, Concluded, OpeningRules, SampleAt, Sampled, SendPulse, Verdict
from restante.edge.drivers.port import UNSEEN, Answer, Door, DoorChanged, DoorReading, NoAck, Rejected
from restante.edge.drivers.xor8a_frames import FIXED_LENGTH, LONGEST, OpenOne, QueryAll
from restante.sim.clock import DAY_MS, Clock
from restante.sim.faults import Kind
from restante.sim.ground import Behind, Ground, Spot
from restante.sim.met import Felt
from restante.sim.noise import Wire, exchange_ms

_POLL_MS = exchange_ms(QueryAll(1), LONGEST)
_ANSWER_MS = exchange_ms(OpenOne(1, 1), FIXED_LENGTH)
_NO_ANSWER_MS = 500
_SENSED_AT_ONCE = 8
_RULES = OpeningRules(settle_ms=150, sample_gap_ms=400, watch_ms=2_000, retries=1)


class Steelwork:
    """The doors of one bank, or the shelf places of one counter."""

    def __init__(self, source: SourceId, sizes: Sequence[int], clock: Clock, *, ground: Ground, staffed: bool) -> None:
        self.source = source
        self.sizes = tuple(sizes)
        self.doors = len(self.sizes)
        self.staffed = staffed
        self.pulses = 0
        self.on_change: Callable[[], None] = _nobody_looks
        self.on_pulse: Callable[[int], None] = _nobody_counts
        self.felt: Felt = Counter()
        self.wire = Wire(Random(0), breach=_nobody_judges, asked=_nobody_looks)  # noqa: S311 - a story's own
        self.slow_ms = 0
        self.rest_ms = 0
        self._rests_until_ms: dict[int, int] = {}
        self._pulsed_ms = -DAY_MS
        self._board = steel.board_of(self.doors)
        self._clock = clock
        self._ground = ground

    def is_open(self, door: int) -> bool:
        """Whether hands can reach behind the door now."""
        self.happen(Tick())
        return self.staffed or isinstance(self._board.locks[door - 1].leaf, steel.Open)

    def is_sound(self, door: int) -> bool:
        """Whether nothing is wrong with a lock, its coil, its sensor or its board."""
        is_slow = self.slow_ms > 0 or self.rest_ms > 0 or bool(self._rests_until_ms) or self.wire.is_noisy
        lock, knobs = self._board.locks[door - 1], self._board.knobs
        is_bolted = lock.trouble is steel.Trouble.NONE and isinstance(lock.leaf, steel.Closed)
        return not is_slow and is_bolted and not knobs.lying_doors

    def rested_ms(self) -> int:
        """How long ago the last lock was told to open."""
        return self._clock.now_ms - self._pulsed_ms

    def open_doors(self) -> list[int]:
        """The doors that stand open now."""
        return [] if self.staffed else [door for door in range(1, self.doors + 1) if self.is_open(door)]

    def readings(self) -> dict[int, DoorReading]:
        """What the sensors say now."""
        self.happen(Tick())
        if self._board.knobs.lying_doors:
            self.felt[Kind.SENSOR_LIES] += 1
        if self.staffed:
            return {}
        sensed = steel.sense(self._board)
        if self.wire.is_noisy and not self.wire.tell_all(_bits_of(sensed)):
            self.felt[Kind.BUS_NOISY] += 1
            return dict.fromkeys(sensed, UNSEEN)
        return dict(sensed)

    def lie(self, door: int) -> None:
        """The sensor of this door says the opposite of what is."""
        self.happen(replace(self._board.knobs, lying_doors=self._board.knobs.lying_doors | {door}))

    def tell_the_truth(self) -> None:
        """Every sensor is sound again."""
        self.happen(replace(self._board.knobs, lying_doors=frozenset()))

    def quicken(self) -> None:
        """The board answers at once again."""
        self.slow_ms = 0

    def cool(self) -> None:
        """No coil has to rest any more."""
        self.rest_ms = 0
        self._rests_until_ms.clear()

    def heal(self) -> None:
        """Board, sensors and locks are sound again."""
        self.tell_the_truth()
        self.wire.fall_silent()
        self.quicken()
        self.cool()
        for door in () if self.staffed else range(1, self.doors + 1):
            self.touch(door, Deed.MEND)

    def touch(self, door: int, deed: Deed) -> None:
        """A person or fate does something to a door."""
        self.happen(Touch(door, deed))

    def happen(self, given: steel.Input) -> Answer | None:
        """Let something happen to the board; the answer if it was an `Unlock`."""
        self._board, outputs = steel.step(self._board, given, self._clock.now_ms)
        answer: Answer | None = None
        for output in outputs:
            if isinstance(output, DoorChanged):
                self._clock.after(_ANSWER_MS, self.on_change)
            else:
                answer = output
        return answer

    def put(self, parcel: ParcelId, door: int) -> None:
        """Somebody puts a parcel behind an open door."""
        assert self.is_open(door), "nobody puts anything through a closed door"
        self._note_unseen(parcel, door)
        self._ground.move(parcel, Behind(self.source, door))
        self.touch(door, Deed.PUT)

    def take(self, parcel: ParcelId, door: int, spot: Spot) -> None:
        """Somebody takes a parcel from behind an open door."""
        assert self.is_open(door), "nobody takes anything through a closed door"
        assert self._ground.spots[parcel] == Behind(self.source, door)
        self._note_unseen(parcel, door)
        self._ground.move(parcel, spot)
        if not self._ground.behind(self.source, door):
            self.touch(door, Deed.TAKE)

    def _note_unseen(self, parcel: ParcelId, door: int) -> None:
        if door in self._board.knobs.lying_doors or self.wire.is_noisy:
            self._ground.unseen.add(parcel)

    def unlock(
        self, door: int, *, deadline_ms: int, told: Callable[[Verdict], None], is_alive: Callable[[], bool]
    ) -> None:
        """Open one door as the driver does, by the steps of `evidence`, for as long as the controller lives.

        ``deadline_ms`` in story time.
        """
        state, effects = evidence.begin(door, deadline_ms=deadline_ms, now_ms=self._clock.now_ms)
        self._carry_on(door, state, effects, told=told, is_alive=is_alive)

    def _carry_on(
        self,
        door: int,
        state: evidence.Opening,
        effects: tuple[evidence.Effect, ...],
        *,
        told: Callable[[Verdict], None],
        is_alive: Callable[[], bool],
    ) -> None:
        if not is_alive():
            return
        if isinstance(state, Concluded):
            told(state.verdict)
            return

        def go_on(given: Answered | Sampled) -> None:
            after, more = evidence.step(state, given, now_ms=self._clock.now_ms, rules=_RULES)
            self._carry_on(door, after, more, told=told, is_alive=is_alive)

        for effect in effects:
            match effect:
                case SendPulse(before_ms=before_ms):
                    self.felt[Kind.BOARD_SLOW] += self.slow_ms > 0
                    self._clock.after(
                        _POLL_MS + self.slow_ms,
                        partial(self._pulse_in_time, door, before_ms, told=go_on, is_alive=is_alive),
                    )
                case SampleAt(at_ms):
                    self._clock.at(at_ms, lambda: go_on(Sampled(self.readings().get(door, UNSEEN).door)))

    def _pulse_in_time(
        self, door: int, before_ms: int, *, told: Callable[[Answered], None], is_alive: Callable[[], bool]
    ) -> None:
        """What the bus does when the pulse's turn has come: see `LockBoard.unlock`."""
        now_ms = self._clock.now_ms
        if not is_alive():
            return
        if now_ms > before_ms:
            answer: Answer = Rejected("deadline-passed")
        elif (rests_ms := self._rests_until_ms.get(door, 0) - now_ms) > 0:
            self.felt[Kind.COILS_HOT] += 1
            answer = Rejected("lock-cooling", rests_ms)
        else:
            answer = self._pulse_by_wire(door)
        self._clock.after(_NO_ANSWER_MS if answer == NoAck() else _ANSWER_MS, partial(told, Answered(answer)))

    def _pulse_by_wire(self, door: int) -> Answer:
        """What comes of a pulse when either the request or its answer may get lost on the bus."""
        if not self.wire.ask_to_open(door):
            self.felt[Kind.BUS_NOISY] += 1
            return NoAck()
        answer = self._pulse(door)
        if self.wire.answer_opening(door):
            return answer
        self.felt[Kind.BUS_NOISY] += 1
        return NoAck()

    def _pulse(self, door: int) -> Answer:
        self.pulses += 1
        self._pulsed_ms = self._clock.now_ms
        self._feel(self._board.locks[door - 1].trouble)
        if self.rest_ms:
            self._rests_until_ms[door] = self._clock.now_ms + self.rest_ms
        self.on_pulse(door)
        answer = self.happen(steel.Unlock(door))
        assert answer is not None
        # The spring takes its time; whoever looks then should see the door move.
        if (at_ms := steel.next_change_ms(self._board)) is not None:
            self._clock.at(at_ms, self._spring)
        return answer

    def _feel(self, trouble: steel.Trouble) -> None:
        self.felt[Kind.DOOR_JAMMED] += trouble is steel.Trouble.JAMMED
        self.felt[Kind.DOOR_BLOCKED] += trouble is steel.Trouble.BLOCKED

    def _spring(self) -> None:
        self.happen(Tick())


def _bits_of(sensed: Mapping[int, DoorReading]) -> bytes:
    """The status bytes of a board that says a set bit for a shut door."""
    bits = sum((reading.door is Door.CLOSED) << door - 1 for door, reading in sensed.items())
    return bits.to_bytes(-(-len(sensed) // _SENSED_AT_ONCE), "big")


def _nobody_judges(_rule: str, _what: str) -> None:
    """Nobody asks what comes over the bus."""


def _nobody_looks() -> None:
    """No controller runs."""


def _nobody_counts(_door: int) -> None:
    """Nobody counts pulses."""
