"""Codes people type or read, how a bank recognises one without knowing it, and what it does about guessing.

Theory of operation. A *collection code* is eight digits; alone it finds the parcel, so it is a secret. A bank holds
only *verifiers*: ``HMAC-SHA256(K_bank, bank ‖ epoch ‖ scrypt(code))``. Each attempt costs one scrypt, whatever it is
compared with, and a verifier read out of one bank is of no use at another or without that bank's key.

A *parcel code* is no secret: it is what people and staff read and say, with a check symbol for slips.

The *lockout* counts wrong codes per bank and input channel. Its clock is *waking time*: the seconds the bank has been
running, as its steady clock counts them. It stands still across a restart and knows nothing of the wall clock, so
neither pulling the plug nor lying about the time of day buys a guess.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

CODE_DIGITS: Final = 8
MAX_TYPED_CHARACTERS: Final = 64

PARCEL_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 as Douglas Crockford wrote it down: no I, L, O or U."""
PARCEL_CODE_SYMBOLS: Final = 8

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S

_SEPARATORS: Final = frozenset({"Pd", "Zs", "Zl", "Zp", "Cf"})
_LOOK_ALIKES: Final = str.maketrans("ILO", "110")
_FIRST_LETTER: Final = PARCEL_ALPHABET.index("A")
_VALUES: Final = {symbol: value for value, symbol in enumerate(PARCEL_ALPHABET)}
_FIELD_POLYNOMIAL: Final = 0b100101


class KdfCost(msgspec.Struct, frozen=True):
    """What one attempt costs: the parameters of scrypt (RFC 7914 §2); memory is 128·n·r bytes."""

    n: int = 2**14
    r: int = 8
    p: int = 1


# --- collection codes


def code_from(random_bytes: bytes) -> str | None:
    """Eight digits, each as likely as any other; bytes from 250 on are passed over, for 256 is no multiple of ten.

    None if the bytes run out first (draw again; 32 are enough in practice).
    """
    digits = "".join(str(byte % 10) for byte in random_bytes if byte < 250)
    return digits[:CODE_DIGITS] if len(digits) >= CODE_DIGITS else None


def show_code(code: str) -> str:
    """A collection or parcel code as people see it: two groups of four."""
    return f"{code[:4]} {code[4:]}"


def parse_code(text: str) -> str | None:
    """The eight digits in what somebody typed or pasted, in any script; spaces and dashes are passed over.

    None if anything else is in it or the count is wrong.
    """
    digits = _without_separators(text)
    if digits is None or len(digits) != CODE_DIGITS or not all(letter.isdecimal() for letter in digits):
        return None
    return "".join(str(unicodedata.decimal(letter)) for letter in digits)


def stretch(code: str, *, source: str, epoch: int, cost: KdfCost) -> bytes:
    """scrypt (RFC 7914) of a code as one bank in one log epoch computes it: 32 bytes, slow by `cost`."""
    salt = _framed(b"restante-code", source.encode(), _u64(epoch))
    room = 128 * cost.r * (cost.n + cost.p + 2) + 2**16
    return hashlib.scrypt(code.encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=room, dklen=32)


def verifier(k_bank: bytes, stretched: bytes, *, source: str, epoch: int) -> bytes:
    """What a grant holds in place of its code: HMAC-SHA256 under the key that only this bank and the hub have."""
    assert len(k_bank) >= 32, "a bank's key has 256 bits"
    message = _framed(b"restante-verifier", source.encode(), _u64(epoch), stretched)
    return hmac.digest(k_bank, message, "sha256")


def matches(attempt: bytes, live: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names in `live` whose verifier is the attempt's; every one is compared, in constant time, match or not."""
    found = [(name, hmac.compare_digest(attempt, one)) for name, one in live.items()]
    return tuple(name for name, same in found if same)


# --- parcel codes


def parcel_code_from(random_bytes: bytes) -> str | None:
    """Seven symbols and their check, led by a letter so that nobody takes one for a collection code.

    None if the bytes run out before a letter and six symbols are found (draw again; 32 are enough in practice).
    """
    values = [byte & 31 for byte in random_bytes]
    start = next((at for at, value in enumerate(values) if value >= _FIRST_LETTER), len(values))
    body = values[start : start + PARCEL_CODE_SYMBOLS - 1]
    if len(body) < PARCEL_CODE_SYMBOLS - 1:
        return None
    return "".join(PARCEL_ALPHABET[value] for value in [*body, _check_value(body)])


def parse_parcel_code(text: str) -> str | None:
    """The parcel code in what somebody typed, read out or scanned; I, L and O are read as 1, 1 and 0.

    None if it is none. Any one wrong symbol, and any two symbols swapped, are always noticed.
    """
    symbols = _without_separators(text)
    if symbols is None:
        return None
    symbols = symbols.upper().translate(_LOOK_ALIKES)
    values = [_VALUES[symbol] for symbol in symbols if symbol in _VALUES]
    if len(symbols) != PARCEL_CODE_SYMBOLS or len(values) != PARCEL_CODE_SYMBOLS or values[0] < _FIRST_LETTER:
        return None
    return symbols if _check_value(values[:-1]) == values[-1] else None


def _check_value(values: list[int]) -> int:
    """Σ αⁱ·vᵢ in GF(32), α a root of x⁵ + x² + 1: all weights differ and none is 0 or the check symbol's own 1."""
    total = 0
    for value in reversed(values):
        total = _times_alpha(total ^ value)
    return total


def _times_alpha(value: int) -> int:
    doubled = value << 1
    return doubled ^ _FIELD_POLYNOMIAL if doubled & 32 else doubled


# --- lockout


class WakingClock(msgspec.Struct, frozen=True):
    """Seconds a bank has been running, and the reading of its steady clock this was last brought up to."""

    awake_ms: int = 0
    boot: int = -1
    monotonic_ms: int = 0

    @property
    def seconds(self) -> int:
        """Waking time in whole seconds."""
        return self.awake_ms // 1000


def tick(clock: WakingClock, *, boot: int, monotonic_ms: int) -> WakingClock:
    """Bring waking time up to the steady clock; time across a restart cannot be told, so it counts as none."""
    elapsed_ms = max(0, monotonic_ms - clock.monotonic_ms) if boot == clock.boot else 0
    return WakingClock(awake_ms=clock.awake_ms + elapsed_ms, boot=boot, monotonic_ms=monotonic_ms)


class LockoutPolicy(msgspec.Struct, frozen=True):
    """How many wrong codes are borne, and what follows (NIST SP 800-63B §5.2.2 asks for 100 at most)."""

    free_failures: int = 5
    first_wait_s: int = 60
    longest_wait_s: int = HOUR_S
    forgive_s: int = 900
    per_hour: int = 20
    per_day: int = 100


class Lockout(msgspec.Struct, frozen=True):
    """Wrong codes at one channel of one bank: when they were in the last day, in seconds of waking time.

    `forgiven_at_s` is when the last of them will have been forgiven, one each `forgive_s`.
    """

    failures_s: tuple[int, ...] = ()
    forgiven_at_s: int = 0
    locked_until_s: int = 0
    seen_s: int = 0


class Free(msgspec.Struct, frozen=True, tag="free"):
    """A code may be tried now."""


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Too many wrong codes in a row: none is tried before this second of waking time."""

    until_s: int


class Off(msgspec.Struct, frozen=True, tag="off"):
    """The limit of the hour or the day is reached: code entry is off until then, and somebody is told if `alert`."""

    until_s: int
    alert: bool = False


Verdict: TypeAlias = Free | Wait | Off

DEFAULT_POLICY: Final = LockoutPolicy()


def may_try(state: Lockout, now_s: int, *, policy: LockoutPolicy = DEFAULT_POLICY) -> Verdict:
    """Whether a code may be tried at this second of waking time; a clock that went back is taken to stand still."""
    now_s = max(now_s, state.seen_s)
    off_until_s = max(
        _window_opens_s(state.failures_s, policy.per_hour, HOUR_S),
        _window_opens_s(state.failures_s, policy.per_day, DAY_S),
    )
    if off_until_s > now_s:
        return Off(until_s=max(off_until_s, state.locked_until_s))
    return Wait(until_s=state.locked_until_s) if state.locked_until_s > now_s else Free()


def after_failure(state: Lockout, now_s: int, *, policy: LockoutPolicy = DEFAULT_POLICY) -> tuple[Lockout, Verdict]:
    """Count a wrong code, and say what follows. There is nothing to call after a right one: success forgives nothing.

    From the fifth failure not yet forgiven on, each doubles the wait: 60 s, 120 s, … one hour.
    """
    now_s = max(now_s, state.seen_s)
    forgiven_at_s = max(state.forgiven_at_s, now_s) + policy.forgive_s
    counting = -(-(forgiven_at_s - now_s) // policy.forgive_s)
    recent = tuple(at_s for at_s in state.failures_s if at_s > now_s - DAY_S)
    after = Lockout(
        failures_s=(*recent, now_s)[-policy.per_day :],
        forgiven_at_s=forgiven_at_s,
        locked_until_s=max(state.locked_until_s, now_s + _wait_s(counting, policy)),
        seen_s=now_s,
    )
    verdict = may_try(after, now_s, policy=policy)
    was_off = isinstance(may_try(state, now_s, policy=policy), Off)
    return after, Off(verdict.until_s, alert=not was_off) if isinstance(verdict, Off) else verdict


def _wait_s(counting: int, policy: LockoutPolicy) -> int:
    doublings = counting - policy.free_failures
    if doublings < 0:
        return 0
    return min(policy.first_wait_s << min(doublings, 32), policy.longest_wait_s)


def _window_opens_s(failures_s: tuple[int, ...], limit: int, window_s: int) -> int:
    """When fewer than `limit` failures will lie in the window; 0 if they do already at any time."""
    return failures_s[-limit] + window_s if len(failures_s) >= limit else 0


# --- bytes and letters


def _framed(*parts: bytes) -> bytes:
    """Parts joined so that no two different lists of parts give the same bytes: each after its length."""
    return b"".join(_u64(len(part)) + part for part in parts)


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _without_separators(text: str) -> str | None:
    """The letters that count in typed text, or None if there is more of it than anybody would type."""
    if len(text) > MAX_TYPED_CHARACTERS:
        return None
    return "".join(letter for letter in text if not _is_separator(letter))


def _is_separator(letter: str) -> bool:
    return letter in "\t\r\n\u2212" or unicodedata.category(letter) in _SEPARATORS
