"""From a notice to the sentences of a letter, in the reader's language: a total match, no layout."""

import re
import unicodedata
from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_datetime

from restante.hub.notices.kinds import (
    About,
    DropOffCode,
    HeldLonger,
    Moved,
    Notice,
    OnItsWay,
    Overdue,
    Place,
    Ready,
    Receipt,
    Reminder,
    TakenBack,
)
from restante.words import Catalogue, catalogue, nearest_language

LONGEST_VALUE_CHARACTERS = 300
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Letter(msgspec.Struct, frozen=True):
    """A subject, sentences before the code, the code if there is one, sentences after it."""

    language: str
    subject: str
    before: tuple[str, ...]
    code: str | None
    after: tuple[str, ...]


class Voice:
    """The catalogue of one language, speaking of one place: cleans every value it puts into a sentence."""

    def __init__(self, words: Catalogue, place: Place) -> None:
        self._words = words
        self._place = place

    @property
    def language(self) -> str:
        """The language it speaks."""
        return self._words.language

    def word(self, key: str, /, **values: str) -> str:
        """The sentence of ``key``; ``{point}`` is known to it."""
        cleaned = {name: one_line(value) for name, value in values.items()}
        return self._words.word(key, point=one_line(self._place.name), **cleaned)

    def plural(self, key: str, count: int, /) -> str:
        """The form of ``key`` that fits ``count``."""
        return self._words.plural(key, count)

    def when(self, at: datetime) -> str:
        """An instant as day and hour in the zone of the place."""
        pattern = self._words.word("time.day_and_hour")
        return format_datetime(at, pattern, tzinfo=ZoneInfo(self._place.zone), locale=self.language)


def write_letter(notice: Notice, language: str) -> Letter:
    """Put a notice into words. ``language`` is a wish; the nearest catalogue serves it."""
    say = Voice(catalogue(nearest_language(language)), notice.place)
    match notice:
        case OnItsWay():
            return _on_its_way(notice, say)
        case Ready():
            return _ready(notice, say)
        case Reminder():
            return _reminder(notice, say)
        case HeldLonger():
            return _held_longer(notice, say)
        case Moved():
            return _moved(notice, say)
        case Overdue():
            return _overdue(notice, say)
        case TakenBack():
            return _taken_back(notice, say)
        case DropOffCode():
            return _drop_off(notice, say)
        case Receipt():
            return _receipt(notice, say)
        case _:
            assert_never(notice)


def one_line(value: str) -> str:
    """Make a value from outside safe to stand inside one line of a mail.

    Line breaks and other controls become spaces, so that a name can neither start a header nor pass for a code of its
    own line; controls that turn the direction of text vanish; what is too long is cut.
    """
    kept = (" " if _breaks(sign) else sign for sign in value if sign not in _BIDI_CONTROLS)
    text = re.sub(r"\s+", " ", "".join(kept)).strip()
    return text if len(text) <= LONGEST_VALUE_CHARACTERS else text[: LONGEST_VALUE_CHARACTERS - 1] + "…"


def _breaks(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def _on_its_way(notice: OnItsWay, say: Voice) -> Letter:
    due = () if notice.due is None else (say.word("notice.on_its_way.due", when=say.when(notice.due)),)
    return Letter(
        language=say.language,
        subject=say.word("notice.on_its_way.subject"),
        before=(_about(notice.about, say), *due, say.word("notice.on_its_way.lead"), _where(notice.place, say)),
        code=None,
        after=(),
    )


def _ready(notice: Ready, say: Voice) -> Letter:
    return Letter(
        language=say.language,
        subject=say.word("notice.ready.subject"),
        before=(_about(notice.about, say),),
        code=notice.code,
        after=(*_collect(notice.place, say), _held_until(notice.held_until, say), _clock(notice.place, say)),
    )


def _reminder(notice: Reminder, say: Voice) -> Letter:
    return Letter(
        language=say.language,
        subject=say.word("notice.reminder.subject"),
        before=(_about(notice.about, say), _left(notice.left_hours, say)),
        code=notice.code,
        after=(*_collect(notice.place, say), _held_until(notice.held_until, say), _clock(notice.place, say)),
    )


def _held_longer(notice: HeldLonger, say: Voice) -> Letter:
    stopped = (say.plural("notice.held_longer.stopped", notice.stopped_hours),) if notice.stopped_hours else ()
    return Letter(
        language=say.language,
        subject=say.word("notice.held_longer.subject"),
        before=(_about(notice.about, say), *stopped, _held_until(notice.held_until, say)),
        code=notice.code,
        after=(*_collect(notice.place, say), _clock(notice.place, say)),
    )


def _moved(notice: Moved, say: Voice) -> Letter:
    lead = say.word("notice.moved.lead", former=notice.former)
    return Letter(
        language=say.language,
        subject=say.word("notice.moved.subject"),
        before=(_about(notice.about, say), lead, say.word("notice.moved.next"), _where(notice.place, say)),
        code=None,
        after=(),
    )


def _overdue(notice: Overdue, say: Voice) -> Letter:
    ended = say.word("notice.overdue.lead", when=say.when(notice.held_until))
    return Letter(
        language=say.language,
        subject=say.word("notice.overdue.subject"),
        before=(_about(notice.about, say), ended, say.word("notice.overdue.next")),
        code=notice.code,
        after=_collect(notice.place, say),
    )


def _taken_back(notice: TakenBack, say: Voice) -> Letter:
    return Letter(
        language=say.language,
        subject=say.word("notice.taken_back.subject"),
        before=(
            _about(notice.about, say),
            say.word("notice.taken_back.lead"),
            say.word("notice.taken_back.next"),
        ),
        code=None,
        after=(),
    )


def _drop_off(notice: DropOffCode, say: Voice) -> Letter:
    how = say.word("notice.drop_off.how_counter") if notice.place.staffed else say.word("notice.drop_off.how_locker")
    until = say.word("notice.drop_off.until", when=say.when(notice.valid_until))
    return Letter(
        language=say.language,
        subject=say.word("notice.drop_off.subject"),
        before=(_about(notice.about, say),),
        code=notice.code,
        after=(how, say.word("notice.drop_off.label"), _where(notice.place, say), until),
    )


def _receipt(notice: Receipt, say: Voice) -> Letter:
    lead = say.word("notice.receipt.lead", when=say.when(notice.collected_at))
    return Letter(
        language=say.language,
        subject=say.word("notice.receipt.subject"),
        before=(_about(notice.about, say), lead, say.word("notice.receipt.not_you")),
        code=None,
        after=(),
    )


def _about(about: About, say: Voice) -> str:
    if one_line(about.origin):
        return say.word("notice.parcel_from", origin=about.origin, parcel=about.parcel)
    return say.word("notice.parcel", parcel=about.parcel)


def _where(place: Place, say: Voice) -> str:
    if one_line(place.directions):
        return say.word("notice.where", directions=place.directions)
    return say.word("notice.where_plain")


def _collect(place: Place, say: Voice) -> tuple[str, str]:
    how = say.word("notice.how_counter") if place.staffed else say.word("notice.how_locker")
    return how, _where(place, say)


def _held_until(end: datetime, say: Voice) -> str:
    return say.word("notice.held_until", when=say.when(end))


def _clock(place: Place, say: Voice) -> str:
    return say.word("notice.clock_counter") if place.staffed else say.word("notice.clock_locker")


def _left(hours: int, say: Voice) -> str:
    """Whole days from two days on, hours below: rounded down, because time is a promise."""
    return say.plural("notice.days_left", hours // 24) if hours >= 48 else say.plural("notice.hours_left", hours)
