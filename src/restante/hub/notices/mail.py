"""From a letter to a mail: a text, the same in HTML, and headers that nobody outside can write into."""

import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from unicodedata import category

import msgspec

from restante.hub.notices.address import Address
from restante.hub.notices.kinds import Notice, Recipient
from restante.hub.notices.letter import Letter, one_line, write_letter
from restante.words import catalogue

LONGEST_NAME_BYTES = 36

_CODE = re.compile(r"[0-9]{8}")
_CODE_LINE = re.compile(r"\s*([0-9]{4}) ([0-9]{4})\s*")
_ID = re.compile(r"[A-Za-z0-9._:-]+")


class Letterhead(msgspec.Struct, frozen=True):
    """Who writes: the network's name, its mailbox, and where answers go."""

    network: str
    sender: Address
    answers: Address


class Mail(msgspec.Struct, frozen=True):
    """A mail as it goes over the wire. It tells of a person, and so does not show itself."""

    message_id: str
    whole: bytes

    def __repr__(self) -> str:
        return f"Mail({self.message_id}, …)"


def compose(
    notice: Notice, recipient: Recipient, *, head: Letterhead, notice_id: str, now: datetime, link: str = ""
) -> Mail:
    """Write the mail for ``notice``.

    ``notice_id`` becomes the Message-ID, so that a mail sent twice after a lost answer is one mail to a mail server
    that knows it. ``link`` is the parcel's page, shown as the one button of mails that carry no code: with a code, the
    code is what to do.
    """
    assert _ID.fullmatch(notice_id), "a notice id is made here, not outside"
    assert not link or link.startswith(("https://", "http://127.0.0.1")), "a link is made here, not outside"
    letter = write_letter(notice, recipient.language)
    message_id = f"<{notice_id}@{head.sender.domain}>"
    mail = EmailMessage(policy=SMTP)
    mail["Date"] = now
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(letter, network=head.network, link=link))
    mail.add_alternative(as_html(letter, network=head.network, link=link), subtype="html")
    mail["Content-Language"] = letter.language  # after the content, which sweeps such headers away
    lines = (
        _mailbox_line("From", head.network, head.sender),
        _mailbox_line("To", recipient.name, recipient.email),
        _mailbox_line("Reply-To", head.network, head.answers),
        _header_line("Subject", letter.subject),
    )
    return Mail(message_id, "".join(lines).encode("ascii") + mail.as_bytes())


def opened(mail: Mail) -> EmailMessage:
    """A mail as the program of its reader takes it apart."""
    message = message_from_bytes(mail.whole, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def as_text(letter: Letter, *, network: str, link: str = "") -> str:
    """The letter as plain text: one sentence group a paragraph, the code on a line of its own."""
    words = catalogue(letter.language)
    blocks = [letter.subject, *letter.before]
    if letter.code is not None:
        blocks += [words.word("notice.code"), "    " + grouped(letter.code)]
    blocks += letter.after
    if link and letter.code is None:
        blocks.append(f"{words.word('notice.open_parcel')}: {link}")
    return "\n\n".join([*blocks, "\n".join(["-- ", *_small(letter, network)])]) + "\n"


def as_html(letter: Letter, *, network: str, link: str = "") -> str:
    """The letter as HTML, with everything in it escaped and nothing fetched from elsewhere."""
    return _frame().substitute(
        language=letter.language,
        title=escape(letter.subject),
        body="\n".join(_html_blocks(letter, link)),
        small="<br>".join(map(escape, _small(letter, network))),
    )


def grouped(code: str) -> str:
    """A code as people read it: eight digits in two groups of four."""
    assert _CODE.fullmatch(code), "a code has eight digits"
    return f"{code[:4]} {code[4:]}"


def read_code(mail: EmailMessage) -> str | None:
    """Find the code in a mail the way a person does: the line with nothing but two groups of four digits."""
    body = mail.get_body(("plain",))
    if body is None:
        return None
    found = (_CODE_LINE.fullmatch(line) for line in body.get_content().split("\n"))
    return next((match.group(1) + match.group(2) for match in found if match), None)


def _html_blocks(letter: Letter, link: str) -> Iterator[str]:
    words = catalogue(letter.language)
    yield from (f"<p>{escape(sentence)}</p>" for sentence in letter.before)
    if letter.code is not None:
        yield f'<p>{escape(words.word("notice.code"))}</p>\n<p class="code">{grouped(letter.code)}</p>'
    yield from (f"<p>{escape(sentence)}</p>" for sentence in letter.after)
    if link and letter.code is None:
        yield f'<p><a class="act" href="{escape(link)}">{escape(words.word("notice.open_parcel"))}</a></p>'


def _small(letter: Letter, network: str) -> list[str]:
    keep = [] if letter.code is None else [catalogue(letter.language).word("notice.keep_code")]
    return [*keep, one_line(network)]


def _mailbox_line(header: str, name: str, address: Address) -> str:
    """A header with a name and an address.

    Of the name, only signs that need no quoting are kept, and only as much as fits one encoded word: some readers put a
    space between two.
    """
    kept = "".join(sign if sign in "-'’&+" or category(sign)[0] in "LMN" else " " for sign in name)
    shown = " ".join(kept.split()).encode()[:LONGEST_NAME_BYTES].decode(errors="ignore").rstrip()
    return f"{_header_line(header, shown)[:-2]}\r\n <{address}>\r\n" if shown else f"{header}: <{address}>\r\n"


def _header_line(header: str, text: str) -> str:
    """A header in encoded words (RFC 2047) if it needs them, folded.

    Not left to ``EmailMessage``, which loses spaces between encoded words and takes text for encoded words.
    """
    charset = "us-ascii" if text.isascii() else "utf-8"
    folded = Header(one_line(text).replace("=?", "= ?"), charset, header_name=header).encode(linesep="\r\n")
    return f"{header}: {folded}\r\n"


@cache
def _frame() -> Template:
    return Template(files(__package__).joinpath("frame.html").read_text("utf-8"))
