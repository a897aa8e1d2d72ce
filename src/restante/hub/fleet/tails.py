"""The end of an ended epoch's log, come late: what of it follows from what is adopted, what is missing, what is apart.

Theory of operation. While an epoch is the source's current one, another history stops the source until a person has
looked. Once it has ended nothing stops for it: what follows is adopted, and what does not is set aside, for the source
must get rid of it before it sends anything later. So each batch gets on, and none is asked for again for ever.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import assert_never

import msgspec

from restante.core.world import SourceHead
from restante.wire import journal
from restante.wire.journal import Entry, Head
from restante.wire.session import Tail


class Follows(msgspec.Struct, frozen=True):
    """These entries are new and follow, none if all are known; ``is_all`` unless others of the batch do not."""

    entries: tuple[Entry, ...] = ()
    is_all: bool = True


class Missing(msgspec.Struct, frozen=True):
    """Entries from this number on must come first."""

    from_seq: int


class Apart(msgspec.Struct, frozen=True):
    """The entries of the batch from this index on are another history's, or damaged."""

    index: int


Verdict = Follows | Missing | Apart


def tails_of(head: SourceHead, aside: Mapping[int, int]) -> tuple[Tail, ...]:
    """From where the hub takes each ended epoch; ``aside`` has the last number set aside, which is not asked for again.

    A source sends from its first entry not acknowledged all the same, and so shows another history.
    """
    return tuple(Tail(epoch, max(reached.seq, aside.get(epoch, 0)) + 1) for epoch, reached in sorted(head.past.items()))


def log_head(head: SourceHead, epoch: int) -> Head | None:
    """The end of what is adopted of an epoch, as the journal's checks take it; None when it was never begun."""
    reached = head.reached(epoch)
    if reached is None:
        return None
    return Head(epoch, reached.seq, reached.hash) if reached.seq else journal.first_head(head.source, epoch)


def judge(
    at: Head, entries: Sequence[Entry], *, source: str, known: Mapping[int, str], aside: Collection[str], is_stuck: bool
) -> Verdict:
    """What to do with a batch, in the order it came; ``known`` has hashes adopted, ``aside`` hashes set aside before.

    ``is_stuck``: the source was asked for what is missing and sent the same again, so it has it no more.
    """
    found = journal.check_batch(at, entries, source=source, known=known)
    match found:
        case journal.Accepted(entries=new):
            return Follows(new)
        case journal.Gap(expected_seq=expected):
            is_apart = is_stuck or entries[0].previous_hash in aside
            return Apart(0) if is_apart else Missing(expected)
        case journal.Fork() | journal.Broken():
            return _parted(at, entries, source=source, known=known)
        case _:
            assert_never(found)


def _parted(at: Head, entries: Sequence[Entry], *, source: str, known: Mapping[int, str]) -> Verdict:
    """What leads up to the first entry that does not follow is taken before the rest is set aside."""
    for count in range(len(entries) - 1, 0, -1):
        found = journal.check_batch(at, entries[:count], source=source, known=known)
        if isinstance(found, journal.Accepted):
            return Follows(found.entries, is_all=False) if found.entries else Apart(count)
    return Apart(0)
