"""Every notice becomes whole sentences in the reader's language, with times of the place."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.hub.notices.kinds import HeldLonger, Notice, OnItsWay, Ready, Reminder
from restante.hub.notices.letter import LONGEST_VALUE_CHARACTERS, one_line, write_letter
from tests.hub.notices.samples import CODE, END, KIOSK, NOTICES, PARCEL, RAUTATIENTORI


@pytest.mark.parametrize("language", ["en", "fi"])
@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_every_kind_is_told_in_every_language(notice: Notice, language: str) -> None:
    """Given a notice of each kind, then its letter names parcel and place, keeps its code, and leaves no blank."""
    letter = write_letter(notice, language)
    everything = " ".join((letter.subject, *letter.before, *letter.after))
    assert letter.language == language
    assert "R7T2K4M9" in everything
    assert "Rautatientori" in everything
    assert "{" not in everything
    assert letter.code == getattr(notice, "code", None)
    assert CODE not in everything


def test_a_ready_parcel_says_where_until_when_and_that_the_clock_stops() -> None:
    """Given a parcel that waits in a locker, then the letter holds all a person needs, in this order."""
    letter = write_letter(Ready(PARCEL, RAUTATIENTORI, CODE, END), "en")
    assert letter.subject == "Your parcel waits at Rautatientori"
    assert letter.before == ("From Shop K. Parcel R7T2K4M9.",)
    assert letter.after == (
        "Type the code at the locker. It works with no internet.",
        "Where: Rautatientori. East arcade, across from platform 1.",
        "Held until Thursday 26 November, 21:00.",
        "The clock stops while the locker cannot open. You get that time back.",
    )


def test_a_counter_is_spoken_of_as_a_counter_in_finnish() -> None:
    """Given a parcel at a staffed counter without directions, then the Finnish letter speaks of the counter."""
    letter = write_letter(Ready(PARCEL, KIOSK, CODE, END), "fi-FI")
    assert letter.subject == "Pakettisi odottaa noutopisteessä Kiosk Vuorikatu"
    assert letter.after == (
        "Kerro tai näytä koodi tiskillä.",
        "Paikka: Kiosk Vuorikatu.",
        "Nouda viimeistään torstaina 26. marraskuuta klo 21.00.",
        "Aika pysähtyy, kun tiski ei voi palvella. Saat sen ajan takaisin.",
    )


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), "Held until Sunday 29 March, 02:59."),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "Held until Sunday 29 March, 04:00."),
        (datetime(2026, 10, 25, 0, 59, tzinfo=UTC), "Held until Sunday 25 October, 03:59."),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), "Held until Sunday 25 October, 04:00."),
    ],
)
def test_times_are_those_of_the_place_across_daylight_saving(at: datetime, told: str) -> None:
    """Given a hold that ends about a clock change, then the letter tells the hour that clocks at the place show."""
    assert told in write_letter(Ready(PARCEL, RAUTATIENTORI, CODE, at), "en").after


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (0, "You have 0 hours left to collect it."),
        (1, "You have 1 hour left to collect it."),
        (47, "You have 47 hours left to collect it."),
        (48, "You have 2 days left to collect it."),
        (71, "You have 2 days left to collect it."),
    ],
)
def test_time_left_is_never_told_longer_than_it_is(hours: int, told: str) -> None:
    """Given hours left, then the reminder tells hours, or whole days rounded down."""
    assert told in write_letter(Reminder(PARCEL, RAUTATIENTORI, CODE, END, hours), "en").before


def test_time_that_came_back_is_told_only_when_some_did() -> None:
    """Given a hold made longer by wish, and one by a stopped clock, then only the second tells of stopped hours."""
    wished = write_letter(HeldLonger(PARCEL, RAUTATIENTORI, CODE, END), "en")
    stopped = write_letter(HeldLonger(PARCEL, RAUTATIENTORI, CODE, END, 7), "en")
    told = "The clock stood still for 7 hours. You have 7 hours more."
    assert told in stopped.before
    assert told not in wished.before
    assert "Held until Thursday 26 November, 21:00." in wished.before


def test_a_parcel_without_a_date_or_sender_promises_none() -> None:
    """Given no date of arrival and no sender, then the letter makes up neither."""
    letter = write_letter(OnItsWay(msgspec.structs.replace(PARCEL, origin=""), RAUTATIENTORI), "en")
    assert letter.before == (
        "Parcel R7T2K4M9.",
        "We keep room for it. You get your code when it is there.",
        "Where: Rautatientori. East arcade, across from platform 1.",
    )


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("Aino\r\nBcc: all@x.example", "Aino Bcc: all@x.example"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("\u202egnp.elif", "gnp.elif"),
        ("\ud800x", "x"),
        ("  two   words ", "two words"),
        ("👩‍👧 Oy", "👩‍👧 Oy"),
    ],
)
def test_a_value_stays_on_its_line(value: str, cleaned: str) -> None:
    """Given a value with breaks, controls or half characters, when cleaned, then it is one honest line."""
    assert one_line(value) == cleaned


@given(st.text(st.characters(), max_size=400))
def test_cleaning_is_total_and_final(value: str) -> None:
    """Given any text at all, when cleaned, then it is one short line, and cleaning again changes nothing."""
    cleaned = one_line(value)
    assert len(cleaned.splitlines()) <= 1
    assert len(cleaned) <= LONGEST_VALUE_CHARACTERS
    assert one_line(cleaned) == cleaned


@given(st.timedeltas(timedelta(0), timedelta(days=400)), st.sampled_from(["Asia/Kathmandu", "America/St_Johns", "UTC"]))
def test_any_end_is_told_in_any_zone(after: timedelta, zone: str) -> None:
    """Given any instant and zone, then the letter tells a weekday and an hour."""
    place = msgspec.structs.replace(RAUTATIENTORI, zone=zone)
    told = write_letter(Ready(PARCEL, place, CODE, END + after), "en").after[2]
    assert told.split()[2].endswith("day")
    assert told[-4] == ":"
