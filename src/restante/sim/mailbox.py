"""The mailboxes of a story's people: they take mail as a mail server does, and are read as people read."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from restante.core.events import NoticeKind
from restante.hub.notices.address import Address
from restante.hub.notices.mail import Mail, opened, read_code
from restante.hub.notices.outcome import HandedOver, MailUnreachable, Outcome, Unreachable
from restante.sim.clock import Clock
from restante.words import Catalogue, catalogue

_PARCEL: Final = re.compile(r"Parcel ([0-9A-Z]{8})\.")


def _subjects(words: Catalogue, point: str) -> Iterator[tuple[NoticeKind, str]]:
    """The subject that each kind of notice bears."""
    yield NoticeKind.READY, words.word("notice.ready.subject", point=point)
    yield NoticeKind.REMINDER, words.word("notice.reminder.subject", point=point)
    yield NoticeKind.EXTENDED, words.word("notice.held_longer.subject", point=point)
    yield NoticeKind.MOVED, words.word("notice.moved.subject", point=point)
    yield NoticeKind.MOVED, words.word("notice.on_its_way.subject", point=point)
    yield NoticeKind.OVERDUE, words.word("notice.overdue.subject", point=point)
    yield NoticeKind.TAKEN_BACK, words.word("notice.taken_back.subject", point=point)
    yield NoticeKind.DROP_OFF_CODE, words.word("notice.drop_off.subject", point=point)
    yield NoticeKind.RECEIPT, words.word("notice.receipt.subject", point=point)


class Letter(msgspec.Struct, frozen=True):
    """What a person makes of a mail: what it is about, which parcel, at which point, and the code in it."""

    to: str
    kind: NoticeKind
    parcel_code: str
    point: str
    code: str | None


class Mailboxes:
    """The channel of a story. While ``is_down`` it takes nothing."""

    def __init__(self, clock: Clock) -> None:
        self.is_down = False
        self.told: defaultdict[str, Counter[NoticeKind]] = defaultdict(Counter)
        self.on_letter: Callable[[Letter], None] = _nobody_reads
        self._clock = clock
        self._patterns = [
            (kind, re.compile(re.escape(text).replace(r"\*", "(.*)"))) for kind, text in _subjects(catalogue("en"), "*")
        ]

    async def send(self, mail: Mail, to: Address) -> Outcome:
        """See ``Channel``."""
        if self.is_down:
            return Unreachable(self._clock.now, MailUnreachable())
        letter = self.read(mail, str(to))
        self.told[letter.parcel_code][letter.kind] += 1
        self.on_letter(letter)
        return HandedOver(self._clock.now, mail.message_id)

    def read(self, sent: Mail, to: str) -> Letter:
        """Read a mail; one that says nothing a person could use is a bug."""
        mail = opened(sent)
        body = mail.get_body(("plain",))
        assert body is not None
        parcel = _PARCEL.search(body.get_content())
        assert parcel is not None, "every mail names its parcel"
        subject = str(mail["Subject"])
        for kind, pattern in self._patterns:
            if found := pattern.fullmatch(subject):
                return Letter(to, kind, parcel[1], found[1] if found.groups() else "", read_code(mail))
        raise AssertionError(f"nobody understands the subject {subject!r}")


def _nobody_reads(_letter: Letter) -> None:
    """Mail that nobody reads."""
