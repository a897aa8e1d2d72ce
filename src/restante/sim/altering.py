"""Entries that somebody changes on their way up: a digit flipped, an entry dropped, two exchanged, the end cut off."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgspec

from restante.wire import session as wire
from restante.wire.journal import Entry, parse_entry

_FIELD: Final = re.compile(r'"\w+":"?[1-9]')
JOURNAL_FRAME: Final = '{"type":"journal",'


class Altered(msgspec.Struct, frozen=True):
    """A batch that was changed: its number, the first entry that it does not tell as it was written, and how."""

    frame: str
    number: int
    first: Entry
    how: str


def altered_batch(frame: str, chance: Random) -> Altered:
    """The frame of a batch of entries with something wrong in it."""
    sent = msgspec.json.decode(frame, type=wire.JournalSent)
    how = chance.choice(list(_WAYS))
    changed = _WAYS[how](sent.entries, chance)
    at = next(at for at, text in enumerate((*changed, "")) if text != sent.entries[at])
    first = parse_entry(sent.entries[at].encode())
    assert isinstance(first, Entry), "entries are sound before they are altered"
    return Altered(wire.encode(wire.JournalSent(sent.number, tuple(changed))), sent.number, first, how)


def _flipped(entries: Sequence[str], chance: Random) -> list[str]:
    """The first digit of some field of one entry is another."""
    at = chance.randrange(len(entries))
    text = entries[at]
    place = chance.choice([found.end() - 1 for found in _FIELD.finditer(text)])
    other = chance.choice([digit for digit in "123456789" if digit != text[place]])
    return [*entries[:at], text[:place] + other + text[place + 1 :], *entries[at + 1 :]]


def _dropped(entries: Sequence[str], chance: Random) -> list[str]:
    at = chance.randrange(len(entries))
    return [*entries[:at], *entries[at + 1 :]]


def _exchanged(entries: Sequence[str], chance: Random) -> list[str]:
    if len(entries) == 1:
        return _flipped(entries, chance)
    one, other = sorted(chance.sample(range(len(entries)), 2))
    swapped = list(entries)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    return swapped


def _cut_off(entries: Sequence[str], chance: Random) -> list[str]:
    """The end is missing, or the end of the last entry."""
    if chance.random() < 0.5:
        return [*entries[:-1], entries[-1][: len(entries[-1]) // 2]]
    return list(entries[: chance.randrange(len(entries))])


_WAYS: Final[dict[str, Callable[[Sequence[str], Random], list[str]]]] = {
    "flipped": _flipped,
    "dropped": _dropped,
    "reordered": _exchanged,
    "truncated": _cut_off,
}
