"""Opening hours in the forms that lists write them, read into stretches of weekdays.

Read are the common part of OpenStreetMap's ``opening_hours`` (https://wiki.openstreetmap.org/wiki/Key:opening_hours),
InPost's ``MON|08:00-23:00|-;TUE|…`` and its Polish short form ``PN-PT 10-19 SB 10-14``. Weekdays are understood in the
languages of ``DAYS``; one value is in one language, the first whose words cover it, so "Di-Do" is German.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from restante.carriers.lists.rules import Finding, shown

DAY_MINUTES: Final = 1440
LATEST_END: Final = 360
"""A stretch that ends by 06:00 and began later on the day before goes on past midnight; another one is backwards."""
LONGEST: Final = 1000

DAYS: Final[dict[str, tuple[str, ...]]] = {
    "English": ("mo mon monday", "tu tue tues tuesday", "we wed wednesday", "th thu thurs thursday", "fr fri friday",
                "sa sat saturday", "su sun sunday"),
    "German": ("mo montag", "di dienstag", "mi mittwoch", "do donnerstag", "fr freitag", "sa samstag", "so sonntag"),
    "Polish": ("pn pon", "wt", "śr sr", "cz czw", "pt", "sb sob so", "nd ndz nie"),
    "Czech": ("po", "út ut", "st", "čt ct", "pá pa", "so", "ne"),
    "French": ("lu lun lundi", "ma mar mardi", "me mer mercredi", "je jeu jeudi", "ve ven vendredi", "sa sam samedi",
               "di dim dimanche"),
    "Spanish": ("lu lun l", "ma mar", "mi mié mie x", "ju jue j", "vi vie v", "sá sa sáb sab s", "do dom d"),
    "Italian": ("lun", "mar", "mer", "gio", "ven", "sab", "dom"),
    "Estonian": ("e", "t", "k", "n", "r", "l", "p"),
}  # fmt: skip
"""Words for Monday to Sunday."""

_ALWAYS: Final = frozenset({
    "24/7", "24h", "24 h", "24/24", "24/7/365", "00:00-24:00", "0-24", "nonstop", "non-stop", "24 stunden", "always",
    "mo-su 00:00-24:00", "całodobowo", "24h/7", "24 hours",
})  # fmt: skip
_SHUT: Final = frozenset(
    {"off", "closed", "geschlossen", "nieczynne", "zavřeno", "fermé", "cerrado", "chiuso", "suletud"}
)
_ASIDE: Final = frozenset({"uhr", "h", "and", "und", "i"})
_HOLIDAYS: Final = frozenset({"ph", "sh"})
_TOKEN: Final = re.compile(
    r"(?P<span>(?P<h1>\d{1,2})(?:[:.h](?P<m1>\d{2}))?\s*(?P<p1>[ap]m)?\s*[-–—]\s*"
    r"(?P<h2>\d{1,2})(?:[:.h](?P<m2>\d{2}))?\s*(?P<p2>[ap]m)?)"
    r"|(?P<word>[^\W\d_]+)\.?|(?P<dash>[-–—])|(?P<comma>,)|(?P<end>;)|(?P<space>\s+|[:|/])|(?P<odd>.)"
)


_SLASHED: Final = re.compile(r"\b24/7\b(?=.)")


class Stretch(NamedTuple):
    """One stretch of a weekday (0 is Monday) in minutes after local midnight."""

    weekday: int
    opens: int
    closes: int


def read_hours(text: str) -> tuple[Stretch, ...] | Finding | None:
    """The stretches of a week, sorted and merged; none for day and night; None if the text says nothing.

    Breaks ``hours-unreadable``, ``hours-range``, ``hours-backwards``, ``never-open``.
    """
    plain = _SLASHED.sub("00:00-24:00", " ".join(text.split()).casefold())
    if not plain.strip("-;| "):
        return None
    return _read(plain)


@lru_cache(maxsize=4096)
def _read(plain: str) -> tuple[Stretch, ...] | Finding:
    """What the text says; most rows of a list say the same, so it is kept."""
    if plain.rstrip(";|- ") in _ALWAYS:
        return ()
    tokens = list(_TOKEN.finditer(plain)) if len(plain) <= LONGEST else []
    words = [one["word"] for one in tokens if one["word"] and one["word"] not in _SHUT | _ASIDE | _HOLIDAYS]
    days = _days(words)
    if not tokens or days is None or any(one["odd"] for one in tokens):
        return Finding("hours-unreadable", "hours", shown(plain))
    week: dict[int, list[Stretch]] = {}
    for rule in _rules(tokens):
        read = list(_stretches(rule, days))
        if (broken := next((one for one in read if isinstance(one, Finding)), None)) is not None:
            return broken
        week |= _by_day(one for one in read if isinstance(one, Stretch))
    merged = tuple(_merged(one for times in week.values() for one in times if one.closes))
    if not merged:
        return Finding("never-open", "hours", shown(plain))
    return () if len(merged) == 7 and all(one[1:] == (0, DAY_MINUTES) for one in merged) else merged


def _days(words: Sequence[str]) -> dict[str, int] | None:
    """The weekday of every word, in the first language that knows them all."""
    for table in _TABLES:
        if all(word in table for word in words):
            return table
    return None


_TABLES: Final = tuple(
    {word: day for day, words in enumerate(names) for word in words.split()} for names in DAYS.values()
)


def _rules(tokens: Iterable[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """The parts between semicolons; a later one replaces what an earlier one says of the same day."""
    rule: list[re.Match[str]] = []
    for token in tokens:
        if token["end"]:
            yield rule
            rule = []
        else:
            rule.append(token)
    yield rule


def _by_day(stretches: Iterable[Stretch]) -> dict[int, list[Stretch]]:
    days: dict[int, list[Stretch]] = {}
    for one in stretches:
        days.setdefault(one.weekday, []).append(one)
    return days


def _stretches(tokens: Iterable[re.Match[str]], days: dict[str, int]) -> Iterator[Stretch | Finding]:
    """Days gather until their times come; the next day after a time begins anew. Times without days are for all.

    A day that is shut is a stretch that ends at midnight, before it begins. Times of public and school holidays are
    passed over: the network knows weekdays and single days only.
    """
    chosen: list[int] = []
    timed, dashed, holiday = False, False, False
    for token in tokens:
        if token["word"] in days:
            chosen, timed = ([] if timed else chosen), False
            day = days[token["word"]]
            chosen += _through(chosen[-1], day) if dashed and chosen else [day]
            dashed = False
        elif token["span"]:
            timed = True
            if chosen or not holiday:
                yield from _spans(token, chosen or range(7))
        elif token["dash"]:
            dashed = bool(chosen) and not timed
        elif token["word"] in _HOLIDAYS:
            holiday = True
        elif token["word"] in _SHUT:
            yield from (Stretch(day, 0, 0) for day in chosen)
            chosen, timed = [], False


def _through(first: int, last: int) -> list[int]:
    """The days after ``first`` until ``last``, over Sunday if need be."""
    return [(first + step) % 7 for step in range(1, (last - first) % 7 + 1)]


def _spans(token: re.Match[str], days: Iterable[int]) -> Iterator[Stretch | Finding]:
    opens, closes = _minute(token["h1"], token["m1"], token["p1"]), _minute(token["h2"], token["m2"], token["p2"])
    if closes is not None and closes > DAY_MINUTES:
        closes = closes - DAY_MINUTES if closes <= DAY_MINUTES + LATEST_END else None
    if opens is None or closes is None or opens >= DAY_MINUTES:
        yield Finding("hours-range", "hours", token["span"])
        return
    if opens == closes == 0:
        closes = DAY_MINUTES
    if closes <= opens and (closes > LATEST_END or closes == opens):
        yield Finding("hours-backwards", "hours", token["span"])
        return
    for day in days:
        yield Stretch(day, opens, closes if closes > opens else DAY_MINUTES)
        if 0 < closes < opens:
            yield Stretch((day + 1) % 7, 0, closes)


def _minute(hour: str, minute: str | None, half: str | None) -> int | None:
    """Minutes after midnight; those past 24:00 are of the next day, as OpenStreetMap writes them."""
    hours, minutes = int(hour), int(minute or 0)
    if half and not 1 <= hours <= 12:
        return None
    hours = hours % 12 + (12 if half == "pm" else 0) if half else hours
    total = hours * 60 + minutes
    return total if minutes < 60 else None


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The same times, sorted, each once."""
    last: Stretch | None = None
    for one in sorted(stretches):
        if last is not None and one.weekday == last.weekday and one.opens <= last.closes:
            last = last._replace(closes=max(last.closes, one.closes))
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last
