"""What is asked when somebody types a code: that a loaded one opens its door at once, and a revoked one nothing.

What is promised is worked out from the list that the book says is in force, as it went over the line, from the entries
of the book and from the ground, and not from what the program believes. Where anything else could keep a door shut (a
lock in trouble, a coil at rest, guesses before, power about to fail) nothing is promised and nothing is asked.
"""

from collections.abc import Callable
from typing import Any, Final

from restante.core.ids import ParcelId, SourceId
from restante.edge.inputs import CodeEntered
from restante.sim.clock import MINUTE_MS, SECOND_MS, Clock
from restante.sim.ground import Behind, Ground
from restante.sim.machine import Machine
from restante.sim.watch import REVOKED, Watch, newest_first

PROMPT: Final = "7: a loaded code opens its door within a second"
PROMPT_ALONE: Final = "7: a loaded code opens its door within a second with no line"
WITHIN_MS: Final = SECOND_MS
_AT_REST_MS: Final = 2 * MINUTE_MS

Verifier = Callable[[SourceId, str, int], str]
"""What a list holds in place of a code: source, code, log epoch."""


class Typing:
    """Types codes for people, and watches what comes of it."""

    def __init__(
        self, watch: Watch, clock: Clock, ground: Ground, *, verifier: Verifier, is_cut_off: Callable[[SourceId], bool]
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._ground = ground
        self._verifier = verifier
        self._is_cut_off = is_cut_off

    def enter(self, machine: Machine, given: CodeEntered) -> None:
        """Type a code at a machine and see what it makes of it."""
        head = machine.book.head
        name = self._verifier(machine.source, given.text, head.epoch)
        listed = [grant for grant in self._watch.list_in_force(machine).values() if grant.get("verifier") == name]
        door, starts = self._promised(machine, listed), machine.starts
        machine.give(given)
        if self._watch.was_listed(machine.source, name) and not listed:
            self._judge_revoked(machine, seq=head.seq)
        if door is not None:
            self._clock.after(WITHIN_MS, lambda: self._judge_prompt(machine, door, starts))

    def _judge_revoked(self, machine: Machine, *, seq: int) -> None:
        self._watch.asked[REVOKED] += 1
        newest = next(newest_first(machine.book), None)
        if newest is not None and newest.seq > seq and newest.kind == "intent-recorded":
            self._watch.breach(REVOKED, f"{machine.source} acts on a code that is on the list no more")
        if machine.screen is not None and machine.screen.page == "round" and not machine.was_in_round:
            self._watch.breach(REVOKED, f"{machine.source} opens a round on a code that is on the list no more")

    def _judge_prompt(self, machine: Machine, door: int, starts: int) -> None:
        if not machine.is_on or machine.starts != starts or machine.is_out_of_service:
            return
        rule = PROMPT_ALONE if self._is_cut_off(machine.source) else PROMPT
        self._watch.asked[rule] += 1
        if not machine.steel.is_open(door):
            self._watch.breach(rule, f"door {door} of {machine.source} is still shut a second after its code was typed")

    def _promised(self, machine: Machine, listed: list[dict[str, Any]]) -> int | None:
        """The door that a code must open, if one must."""
        parcels = {grant["parcel"] for grant in listed if _is_plain(grant)}
        if len(parcels) != 1 or len(listed) != 1 or not self._is_ready(machine):
            return None
        [parcel] = parcels
        spot = self._ground.spots.get(parcel)
        if not isinstance(spot, Behind) or spot.source != machine.source or parcel in self._ground.unseen:
            return None
        is_due = _lies_by_its_book(machine, parcel, spot.door) and machine.steel.is_sound(spot.door)
        return spot.door if is_due and not self._is_recalled(machine, parcel) else None

    def _is_ready(self, machine: Machine) -> bool:
        """Whether the machine has nothing else to do, and nothing has gone wrong there of late."""
        is_up = machine.is_on and not machine.is_out_of_service and not machine.steel.staffed
        is_calm = machine.fuse.is_whole and machine.steady_ms() > _AT_REST_MS
        at_rest = machine.steel.rested_ms() > _AT_REST_MS and not machine.steel.open_doors()
        return is_up and is_calm and at_rest and not _has_closed_codes(machine)

    def _is_recalled(self, machine: Machine, parcel: ParcelId) -> bool:
        grants = self._watch.list_in_force(machine).values()
        return any(grant["kind"] == "recall" and grant.get("parcel") == parcel for grant in grants)


def _is_plain(grant: dict[str, Any]) -> bool:
    """Whether a grant to collect asks for nothing but its code."""
    return grant["kind"] == "collect" and "parcel" in grant and not grant.keys() & {"checks", "offline"}


def _has_closed_codes(machine: Machine) -> bool:
    return any(entry.kind == "code-entry-closed" for entry in newest_first(machine.book))


def _lies_by_its_book(machine: Machine, parcel: ParcelId, door: int) -> bool:
    """Whether the newest that the book says of a parcel is that it went in there."""
    said = (entry for entry in newest_first(machine.book) if entry.data.get("parcel") == parcel)
    newest = next(said, None)
    is_in = newest is not None and newest.kind in {"parcel-put-in", "stay-inherited"}
    return is_in and newest is not None and newest.data["door"] == door
