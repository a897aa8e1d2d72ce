"""Named moments around every flush and every pulse of a lock, at which a proof may kill this program.

Theory of operation. A source calls `reached` at each moment. That does nothing, unless the program was started for a
proof: then each moment is noted in a file, and at the one aimed at, the process sends itself SIGKILL, so that nothing
of it runs any more. It takes two keys, neither of which a bank in service has: the variable ``RESTANTE_KILL_AT`` and a
file ``killed-on-purpose`` in the state folder, which is made by hand and takes the notes. Both are looked at once, at
the start (`arm`).
"""

import os
import signal
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec

from restante.core.refusals import Fault

VARIABLE: Final = "RESTANTE_KILL_AT"
"""``<moment>:<count>``: at which moment to die, and at which time of reaching it; or ``nowhere`` to take notes only."""

NOTES_FILE: Final = "killed-on-purpose"
NOWHERE: Final = "nowhere"

_START: Final = b"--\n"
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Moment(StrEnum):
    """A moment at which loss of power must lose nothing and do nothing twice.

    ``before-…`` stands after everything of a flush is written and before it is committed, or right before a deed;
    ``after-…`` right after it, before anybody is told.
    """

    BEFORE_PENDING_KEY = "before-pending-key"
    AFTER_PENDING_KEY = "after-pending-key"
    BEFORE_AUTHORITIES = "before-authorities"
    AFTER_AUTHORITIES = "after-authorities"
    BEFORE_HUB_ADDRESS = "before-hub-address"
    AFTER_HUB_ADDRESS = "after-hub-address"
    BEFORE_IDENTITY = "before-identity"
    AFTER_IDENTITY = "after-identity"
    BEFORE_BOOK_NAMED = "before-book-named"
    AFTER_BOOK_NAMED = "after-book-named"
    BEFORE_BOOT = "before-boot"
    AFTER_BOOT = "after-boot"
    BEFORE_LOOPBACK_FILE = "before-loopback-file"
    AFTER_LOOPBACK_FILE = "after-loopback-file"
    BEFORE_EPOCH = "before-epoch"
    AFTER_EPOCH = "after-epoch"
    BEFORE_MANIFEST = "before-manifest"
    AFTER_MANIFEST = "after-manifest"
    BEFORE_STARTED = "before-started"
    AFTER_STARTED = "after-started"
    BEFORE_INTENT = "before-intent"
    AFTER_INTENT = "after-intent"
    BEFORE_PULSE = "before-pulse"
    AFTER_PULSE = "after-pulse"
    BEFORE_VERDICT = "before-verdict"
    BEFORE_DEPOSIT = "before-deposit"
    AFTER_DEPOSIT = "after-deposit"
    BEFORE_WITHDRAWAL = "before-withdrawal"
    AFTER_WITHDRAWAL = "after-withdrawal"
    BEFORE_DOOR = "before-door"
    AFTER_DOOR = "after-door"
    BEFORE_CODE = "before-code"
    AFTER_CODE = "after-code"
    BEFORE_STATE = "before-state"
    AFTER_STATE = "after-state"
    BEFORE_SCREEN = "before-screen"
    BEFORE_SENDING = "before-sending"
    AFTER_SENDING = "after-sending"
    BEFORE_ACKNOWLEDGED = "before-acknowledged"
    AFTER_ACKNOWLEDGED = "after-acknowledged"
    BEFORE_RESENDING = "before-resending"
    AFTER_RESENDING = "after-resending"
    BEFORE_TRIM = "before-trim"
    AFTER_TRIM = "after-trim"
    BEFORE_TRY = "before-try"
    AFTER_TRY = "after-try"
    BEFORE_OLD_BOOK = "before-old-book"
    AFTER_OLD_BOOK = "after-old-book"


class AimWrong(Fault):
    """The moment to be killed at cannot be read; unset RESTANTE_KILL_AT, which is for proofs only."""

    blame = "bank"


class Aim(msgspec.Struct):
    """Where the proof wants this program to end: at ``moment``, once it was reached ``left`` times more."""

    notes: int
    moment: Moment | None = None
    left: int = 0


class _Armed:
    aim: Aim | None = None


def reached(moment: Moment) -> None:
    """This moment is now; without a proof, nothing."""
    if _Armed.aim is not None:
        _note(_Armed.aim, moment)


def arm(environ: Mapping[str, str], state_directory: Path) -> None:
    """Go by the two keys, if both are there. Faults: `AimWrong`."""
    notes = state_directory / NOTES_FILE
    if VARIABLE not in environ or not notes.is_file():
        return
    moment, left = parse_aim(environ[VARIABLE])
    _Armed.aim = Aim(os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), moment, left)
    os.write(_Armed.aim.notes, _START)


def disarm() -> None:
    """Be as before `arm`."""
    aim, _Armed.aim = _Armed.aim, None
    if aim is not None:
        os.close(aim.notes)


def parse_aim(text: str) -> tuple[Moment | None, int]:
    """Read ``<moment>:<count>``, or ``nowhere``. Faults: `AimWrong`."""
    if text == NOWHERE:
        return None, 0
    name, _, count = text.partition(":")
    try:
        return Moment(name), msgspec.convert(count, _Count, strict=False)
    except (ValueError, msgspec.ValidationError) as wrong:
        raise AimWrong(f"{AimWrong.__doc__} ({text[:60]!r})") from wrong


def noted(state_directory: Path) -> list[list[Moment]]:
    """The moments that each start of a program has reached, in order."""
    starts = (state_directory / NOTES_FILE).read_bytes().split(_START)[1:]
    return [[Moment(line) for line in notes.decode("ascii").split()] for notes in starts]


def _note(aim: Aim, moment: Moment) -> None:
    os.write(aim.notes, f"{moment.value}\n".encode())
    if moment is aim.moment:
        aim.left -= 1
        if aim.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
