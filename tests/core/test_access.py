"""Codes are uniform and forgiving to type, verifiers bound to one bank, and guessing stays within policy."""

import hmac
from collections import Counter
from itertools import combinations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from restante.core import access
from restante.core.access import DAY_S, HOUR_S, Free, KdfCost, Lockout, Off, Wait, WakingClock

CHEAP = KdfCost(n=2, r=1, p=1)
KEY = bytes(range(32))


# --- collection codes


def test_every_digit_is_as_likely_as_any_other() -> None:
    """Given every byte once in every place, then each digit comes out equally often."""
    seen = Counter(access.code_from(bytes([byte, *range(8)])) for byte in range(250))
    assert Counter(code[0] for code in seen.elements() if code) == {str(digit): 25 for digit in range(10)}
    assert access.code_from(bytes([255, 250, *range(8)])) == "01234567"


def test_codes_are_shown_in_groups_and_read_back() -> None:
    """Given a code of each kind, when it is shown, then it reads back, and a parcel code not with a wrong symbol."""
    assert access.show_code("01234567") == "0123 4567"
    assert access.parse_code("0123 4567") == "01234567"
    code = access.parcel_code_from(bytes(range(10, 17)))
    assert code is not None
    assert access.parse_parcel_code(access.show_code(code)) == code
    assert access.parse_parcel_code(code[:-1] + ("0" if code[-1] != "0" else "1")) is None


@given(st.binary(max_size=40))
def test_a_code_from_any_bytes_reads_back_as_shown(random_bytes: bytes) -> None:
    """Given any bytes, then a code that reads back from how it is shown, or none for too few of them."""
    code = access.code_from(random_bytes)
    if code is None:
        assert sum(byte < 250 for byte in random_bytes) < 8
    else:
        assert access.parse_code(access.show_code(code)) == code


@pytest.mark.parametrize(
    "text",
    [
        "12345678",
        "1234 5678",
        " 1234-5678\n",
        "1 2 3 4 5 6 7 8",
        "1234\u00a05678",
        "1234\u20135678",
        "\u200e12345678\u202c",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    ],
)
def test_a_code_is_read_however_it_is_typed_or_pasted(text: str) -> None:
    """Given a code with spaces, dashes, marks of a copied message or another script's digits, then it is the code."""
    assert access.parse_code(text) == "12345678"


@pytest.mark.parametrize(
    "text", ["", "1234567", "123456789", "1234567a", "1234.5678", "²2345678", "①2345678", "12345678" + " " * 60]
)
def test_what_is_no_code_is_not_made_one(text: str) -> None:
    """Given too few digits, too many, other letters or endless text, then there is no code in it."""
    assert access.parse_code(text) is None


@given(st.text(max_size=80) | st.text("0189 -\u0661\uff11", max_size=20))
def test_any_text_is_a_code_or_none(text: str) -> None:
    """Given any text, then eight ASCII digits or None; never an exception."""
    code = access.parse_code(text)
    assert code is None or (len(code) == 8 and code.isascii() and code.isdigit())


def test_stretching_is_scrypt_as_the_rfc_has_it() -> None:
    """The stretched code is scrypt over a salt of length-framed purpose, bank and epoch, and differs with each."""
    same = access.stretch("12345678", source="b", epoch=1, cost=CHEAP)
    assert len(same) == 32
    assert same == access.stretch("12345678", source="b", epoch=1, cost=CHEAP)
    others = {
        access.stretch("12345679", source="b", epoch=1, cost=CHEAP),
        access.stretch("12345678", source="c", epoch=1, cost=CHEAP),
        access.stretch("12345678", source="b", epoch=2, cost=CHEAP),
        access.stretch("12345678", source="b", epoch=1, cost=KdfCost(n=4, r=1, p=1)),
    }
    assert len(others | {same}) == 5


def test_the_default_cost_can_be_computed() -> None:
    """The cost a network starts with fits the memory bound given to scrypt."""
    assert access.stretch("12345678", source="bank-1", epoch=1, cost=KdfCost())


def test_a_verifier_is_bound_to_key_bank_and_epoch() -> None:
    """Given one stretched code, then each key, bank and epoch makes another verifier."""
    stretched = bytes(32)
    made = {
        access.verifier(key, stretched, source=source, epoch=epoch)
        for key in (KEY, bytes(32))
        for source in ("b", "c")
        for epoch in (1, 2)
    }
    assert len(made) == 8
    with pytest.raises(AssertionError):
        access.verifier(b"short", stretched, source="b", epoch=1)


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_framing_never_confuses_two_lists(one: list[bytes], other: list[bytes]) -> None:
    """Given two different lists of parts, then their bytes differ: nothing moves from the bank's name to the epoch."""
    assert (access._framed(*one) == access._framed(*other)) == (one == other)


def test_a_code_finds_exactly_its_own_grants() -> None:
    """Given verifiers of several grants, when one code is tried, then those it belongs to are named, all of them."""

    def made(code: str) -> bytes:
        return access.verifier(KEY, access.stretch(code, source="b", epoch=1, cost=CHEAP), source="b", epoch=1)

    live = {"one": made("00000001"), "two": made("00000002"), "again": made("00000002")}
    assert access.matches(made("00000002"), live) == ("two", "again")
    assert access.matches(made("00000003"), live) == ()
    assert access.matches(made("00000003"), {}) == ()


def test_every_live_verifier_is_compared_even_after_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a match in first place, then the others are compared all the same: time tells nothing."""
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    assert access.matches(b"a", {"one": b"a", "two": b"b", "three": b"c"}) == ("one",)
    assert compared == [b"a", b"b", b"c"]


# --- parcel codes

PARCEL_CODES = st.binary(min_size=32, max_size=32).map(access.parcel_code_from).filter(lambda code: code is not None)


@given(PARCEL_CODES)
def test_every_single_slip_in_a_parcel_code_is_noticed(code: str) -> None:
    """Given a parcel code, when any one symbol is replaced by any other, then it is not accepted: all 248 cases."""
    for at, old in enumerate(code):
        for new in access.PARCEL_ALPHABET.replace(old, ""):
            assert access.parse_parcel_code(code[:at] + new + code[at + 1 :]) is None


@given(PARCEL_CODES)
def test_every_swap_of_two_symbols_is_noticed(code: str) -> None:
    """Given a parcel code, when any two different symbols change places, then it is not accepted."""
    for one, other in combinations(range(8), 2):
        letters = list(code)
        letters[one], letters[other] = letters[other], letters[one]
        assert (access.parse_parcel_code("".join(letters)) is None) == (code[one] != code[other])


def test_the_check_of_the_code_is_sound_for_all_codes() -> None:
    """The weights of the eight places are all different and none is 0, so the two tests above hold for every code."""
    weights = [access._check_value([0] * at + [1] + [0] * (6 - at)) for at in range(7)]
    assert len({0, 1, *weights}) == 9
    for value in range(32):
        assert access._check_value([value] + [0] * 6) ^ access._check_value([1] + [0] * 6) == access._check_value(
            [value ^ 1] + [0] * 6
        )
    assert len({access._check_value([value] + [0] * 6) for value in range(32)}) == 32


@given(st.binary(max_size=40))
def test_a_parcel_code_from_any_bytes_reads_back(random_bytes: bytes) -> None:
    """Given any bytes, then a code that reads back as shown, in small letters and with look-alikes, or none."""
    code = access.parcel_code_from(random_bytes)
    if code is not None:
        shown = access.show_code(code).lower().replace("1", "l").replace("0", "o")
        assert access.parse_parcel_code(shown) == code
        assert access.parse_parcel_code(shown.replace("l", "I")) == code
        assert access.parse_code(code) is None


def test_the_symbols_of_a_parcel_code_are_uniform() -> None:
    """Given every byte once in second place, then each symbol comes out eight times; too few bytes give no code."""
    seen = Counter((access.parcel_code_from(bytes([10, byte, 0, 0, 0, 0, 0])) or "")[1] for byte in range(256))
    assert set(seen.values()) == {8}
    assert len(seen) == 32
    assert access.parcel_code_from(bytes([9, 9, 10, 0, 0, 0, 0, 0])) is None
    assert access.parcel_code_from(bytes(64)) is None


@given(st.text(max_size=80) | st.text(access.PARCEL_ALPHABET + "ilo -ß", max_size=9))
def test_any_text_is_a_parcel_code_or_none(text: str) -> None:
    """Given any text, then a code in the one spelling, or None; never an exception."""
    code = access.parse_parcel_code(text)
    assert code is None or access.parse_parcel_code(code) == code


def test_a_parcel_code_begins_with_a_letter_and_is_not_endless() -> None:
    """Given eight digits whose check is right, or a page of text, then it is no parcel code."""
    check = access.PARCEL_ALPHABET[access._check_value([1, 2, 3, 4, 5, 6, 7])]
    assert access.parse_parcel_code("1234567" + check) is None
    assert access.parse_parcel_code(" " * 65) is None


# --- lockout


def test_five_wrong_codes_are_borne_and_then_each_doubles_the_wait() -> None:
    """Given wrong codes as fast as allowed, then four are free, and the waits run 60 s, 120 s, … one hour at most."""
    state, now_s, waits = Lockout(), 1000, []
    for _ in range(9):
        state, verdict = access.after_failure(state, now_s)
        wait_s = verdict.until_s - now_s if isinstance(verdict, Wait) else 0
        waits.append(wait_s)
        now_s += wait_s
    assert waits == [0, 0, 0, 0, 60, 120, 240, 480, 480]  # 900 s had passed by the last: one was forgiven
    state = Lockout(forgiven_at_s=10**6)
    assert access.after_failure(state, 0)[1] == Wait(until_s=HOUR_S)


def test_waiting_ends_by_itself_and_is_forgotten() -> None:
    """Given a wait, then no try before its end, one at its end, and four free failures again after long enough."""
    state, verdict = Lockout(), access.may_try(Lockout(), 0)
    for _ in range(5):
        state, verdict = access.after_failure(state, 100)
    assert verdict == Wait(until_s=160)
    assert access.may_try(state, 159) == Wait(until_s=160)
    assert access.may_try(state, 160) == Free()
    for _ in range(4):
        state, verdict = access.after_failure(state, 100 + 5 * 900)
        assert verdict == Free()


def test_the_limit_of_an_hour_switches_code_entry_off_and_tells_once() -> None:
    """Given twenty failures in an hour and no waits, then off with one alert, until the hour is over."""
    policy = access.LockoutPolicy(free_failures=1000)
    state, verdicts = Lockout(), []
    for second in range(21):
        state, verdict = access.after_failure(state, second, policy=policy)
        verdicts.append(verdict)
    assert verdicts[:19] == [Free()] * 19
    assert verdicts[19:] == [Off(until_s=HOUR_S, alert=True), Off(until_s=HOUR_S + 1, alert=False)]
    assert access.may_try(state, HOUR_S, policy=policy) == Off(until_s=HOUR_S + 1)
    assert access.may_try(state, HOUR_S + 1, policy=policy) == Free()


def test_the_limit_of_a_day_is_reached_by_patience_and_holds() -> None:
    """Given a guess whenever one is allowed, then the day's hundred is never passed, and an alert tells of it."""
    state, now_s, off, guesses_s = Lockout(), 0, [], list[float]()
    for _ in range(400):
        verdict = access.may_try(state, now_s)
        if isinstance(verdict, Free):
            state, verdict = access.after_failure(state, now_s)
            guesses_s.append(now_s)
        if isinstance(verdict, Off):
            off.append(verdict)
        now_s = now_s if isinstance(verdict, Free) else verdict.until_s
    assert _most_within(guesses_s, DAY_S) == 100
    assert any(verdict.alert for verdict in off)


def test_a_state_survives_being_written_down() -> None:
    """Given any state, when encoded and decoded, then it is the same: a restart forgets nothing."""
    state = Lockout()
    for second in range(30):
        state, _ = access.after_failure(state, second)
    assert msgspec.json.decode(msgspec.json.encode(state), type=Lockout) == state
    clock = WakingClock(5, 1, 7)
    assert msgspec.json.decode(msgspec.json.encode(clock), type=WakingClock) == clock


ATTACK = st.lists(
    st.tuples(
        st.sampled_from(["guess", "guess", "wait-it-out", "pass", "restart", "crash", "succeed"]),
        st.integers(0, 4000),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(ATTACK, st.integers(0, 10**12))
@example([("guess", 0), ("wait-it-out", 0)] * 120, 0)
@example([("guess", 0), ("restart", 10**6), ("wait-it-out", 0)] * 120, 50)
@example([("guess", 0), ("crash", 4000), ("guess", 0), ("wait-it-out", 1)] * 120, 7)
def test_guesses_in_any_window_stay_within_policy(attack: list[tuple[str, int]], boot_reading_ms: int) -> None:
    """Given guesses, restarts and crashes at will, then ≤ 20 in any hour, ≤ 100 in any day, waits kept, in real time.

    Only what was written down survives a crash; the wall clock takes no part, so its jumps cannot either.
    """
    world_ms, boot, reading_ms = 0, 0, boot_reading_ms
    clock, state = access.tick(WakingClock(), boot=0, monotonic_ms=reading_ms), Lockout()
    stored, guesses_s = (clock, state), []
    for act, amount in attack:
        verdict = access.may_try(state, clock.seconds)
        match act:
            case "guess" if isinstance(verdict, Free):
                state, _ = access.after_failure(state, clock.seconds)
                stored = (clock, state)
                guesses_s.append(world_ms / 1000)
            case "wait-it-out" if not isinstance(verdict, Free):
                passed_ms = verdict.until_s * 1000 - clock.awake_ms
                world_ms, reading_ms = world_ms + passed_ms, reading_ms + passed_ms
            case "pass":
                world_ms, reading_ms = world_ms + amount * 100, reading_ms + amount * 100
            case "restart":  # down for a while, and the steady clock begins anywhere
                boot, world_ms, reading_ms, stored = boot + 1, world_ms + amount, amount * 977, (clock, state)
            case "crash":
                boot, world_ms, reading_ms = boot + 1, world_ms + amount, reading_ms + amount
                clock, state = stored
            case _:
                pass
        clock = access.tick(clock, boot=boot, monotonic_ms=reading_ms)
    assert _most_within(guesses_s, HOUR_S) <= 20
    assert _most_within(guesses_s, DAY_S) <= 100
    assert _most_within(guesses_s, 59) <= 5


def _most_within(times_s: list[float], window_s: int) -> int:
    """The most guesses in any window of so many seconds (one second of rounding is allowed for)."""
    return max((sum(start <= at < start + window_s - 1 for at in times_s) for start in times_s), default=0)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60))
def test_a_clock_that_runs_back_gives_nothing_back(readings: list[int]) -> None:
    """Given failures at any readings at all, then the state takes the highest seen, and no wait ends sooner for it."""
    state = Lockout()
    for reading in readings:
        before = state
        state, _ = access.after_failure(state, reading)
        assert state.seen_s == max(before.seen_s, reading)
        assert state.locked_until_s >= before.locked_until_s
        assert access.may_try(state, min(readings)) == access.may_try(state, state.seen_s)


def test_waking_time_counts_only_what_the_steady_clock_saw() -> None:
    """Given readings, then time goes by within one start, never back, and not at all across a restart."""
    clock = access.tick(WakingClock(), boot=1, monotonic_ms=500_000)
    assert clock.seconds == 0
    clock = access.tick(clock, boot=1, monotonic_ms=503_500)
    assert clock.seconds == 3
    clock = access.tick(clock, boot=2, monotonic_ms=900_000)
    clock = access.tick(clock, boot=2, monotonic_ms=899_000)
    assert clock.awake_ms == 3500


def test_typed_text_is_read_up_to_its_bound() -> None:
    """Given eight digits and dashes, when there are as many letters as are taken, then it is a code; one more, none."""
    longest = "12345678".ljust(access.MAX_TYPED_CHARACTERS, "-")
    assert access.parse_code(longest) == "12345678"
    assert access.parse_code(longest + "-") is None


def test_the_letters_of_a_parcel_code_are_crockfords() -> None:
    """Given the letters of parcel codes, then they are the 32 that nobody mistakes for another."""
    assert "".join(sorted(set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") - set("ILOU"))) == access.PARCEL_ALPHABET
