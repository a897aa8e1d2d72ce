"""The mailboxes of a story's people: they take mail as a mail server does, and are read as people read."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from email.message import EmailMessage
from typing import Final

import msgspec

from restante.core.events import NoticeKind
from restante.hub.notices.address import Address
from restante.hub.notices.mail import read_code
from restante.hub.notices.outcome import HandedOver, MailUnreachable, Outcome, Unreachable
from restante.sim.clock import Clock
from restante.words import catalogue

_SUBJECTS: Final = {
    "ready": NoticeKind.READY,
    "reminder": NoticeKind.REMINDER,
    "held_longer": NoticeKind.EXTENDED,
    "moved": NoticeKind.MOVED,
    "on_its_way": NoticeKind.MOVED,
    "overdue": NoticeKind.OVERDUE,
    "taken_back": NoticeKind.TAKEN_BACK,
    "drop_off": NoticeKind.DROP_OFF_CODE,
    "receipt": NoticeKind.RECEIPT,
}
_PARCEL: Final = re.compile(r"Parcel ([0-9A-Z]{8})\.")


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
        words = catalogue("en")
        subjects = ((kind, words.word(f"notice.{name}.subject", point="*")) for name, kind in _SUBJECTS.items())
        self._patterns = [(kind, re.compile(re.escape(text).replace(r"\*", "(.*)"))) for kind, text in subjects]

    async def send(self, mail: EmailMessage, to: Address) -> Outcome:
        """See ``Channel``."""
        if self.is_down:
            return Unreachable(self._clock.now, MailUnreachable())
        letter = self.read(mail, str(to))
        self.told[letter.parcel_code][letter.kind] += 1
        self.on_letter(letter)
        return HandedOver(self._clock.now, str(mail["Message-ID"]))

    def read(self, mail: EmailMessage, to: str) -> Letter:
        """Read a mail; one that says nothing a person could use is a bug."""
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
