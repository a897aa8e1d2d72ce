"""The mailboxes of a story's people: they take mail as a mail server does, and are read as people read."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

import msgspec

from restante.core.events import NoticeKind
from restante.hub.notices.address import Address
from restante.hub.notices.mail import Mail
from restante.hub.notices.outcome import Bounced, HandedOver, MailUnreachable, Outcome, Unreachable
from restante.sim.clock import Clock
from restante.sim.faults import Kind
from restante.sim.met import Felt
from restante.words import Catalogue, catalogue

_CODE: Final = re.compile(r"^ *([0-9]{4}) ([0-9]{4})$", re.MULTILINE)
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


def address_of(person: int) -> str:
    """Where a person of a story has their mail."""
    return f"p{person}@people.example"


class Letter(msgspec.Struct, frozen=True):
    """What a person makes of a mail: what it is about, which parcel, at which point, and the code in it."""

    to: str
    kind: NoticeKind
    parcel_code: str
    point: str
    code: str | None


class Mailboxes:
    """The channel of a story."""

    def __init__(self, clock: Clock, felt: Felt | None = None) -> None:
        self.refused: defaultdict[str, Counter[NoticeKind]] = defaultdict(Counter)
        self.told: defaultdict[str, Counter[NoticeKind]] = defaultdict(Counter)
        self.on_letter: Callable[[Letter], None] = _nobody_reads
        self._clock = clock
        self._felt: Felt = Counter() if felt is None else felt
        self._replies: dict[str, int] = {}
        self._outages = 0
        self._patterns = [
            (kind, re.compile(re.escape(text).replace(r"\*", "(.*)"))) for kind, text in _subjects(catalogue("en"), "*")
        ]

    def stop(self) -> None:
        """The mail server is out of reach."""
        self._outages += 1

    def go_on(self) -> None:
        """It can be reached again, unless something else keeps it away."""
        self._outages = max(0, self._outages - 1)

    def refuse(self, address: str, code: int) -> None:
        """A mailbox refuses what comes, with this reply of SMTP."""
        self._replies[address] = code

    def accept(self, address: str) -> None:
        """It takes mail again."""
        self._replies.pop(address, None)

    def heal(self) -> None:
        """From now on nothing is wrong any more."""
        self._replies.clear()
        self._outages = 0

    async def send(self, mail: Mail, to: Address) -> Outcome:
        """See ``Channel``."""
        if self._outages:
            self._felt[Kind.MAIL_DOWN] += 1
            return Unreachable(self._clock.now, MailUnreachable())
        letter = self.read(mail, str(to))
        if code := self._replies.get(str(to)):
            self._felt[Kind.MAIL_REFUSED] += 1
            self.refused[letter.parcel_code][letter.kind] += 1
            return Bounced(self._clock.now, code, permanent=code >= 500)
        self.told[letter.parcel_code][letter.kind] += 1
        self.on_letter(letter)
        return HandedOver(self._clock.now, mail.message_id)

    def read(self, sent: Mail, to: str) -> Letter:
        """Read a mail; one that says nothing a person could use is a bug."""
        mail = message_from_bytes(sent.whole)
        body, subject = _text_of(mail), str(make_header(decode_header(str(mail["Subject"]))))
        parcel, code = _PARCEL.search(body), _CODE.search(body)
        assert parcel is not None, "every mail names its parcel"
        for kind, pattern in self._patterns:
            if found := pattern.fullmatch(subject):
                point = found[1] if found.groups() else ""
                return Letter(to, kind, parcel[1], point, code[1] + code[2] if code else None)
        raise AssertionError(f"nobody understands the subject {subject!r}")


def _text_of(mail: Message) -> str:
    """The plain text of a mail. Headers are left alone: to take them all apart costs a tenth of a story."""
    plain = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
    body = plain.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode(plain.get_content_charset("utf-8")).replace("\r\n", "\n")


def _nobody_reads(_letter: Letter) -> None:
    """Mail that nobody reads."""
