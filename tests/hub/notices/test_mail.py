"""A mail carries the code to whoever reads it, and nothing a stranger wrote can reach its headers."""

from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from restante.hub.notices.address import Address
from restante.hub.notices.kinds import About, Notice, Place, Ready, Recipient
from restante.hub.notices.letter import one_line, write_letter
from restante.hub.notices.mail import compose, grouped, opened, read_code
from tests.hub.notices.samples import AINO, CODE, END, HEAD, NOTICES, NOW, PARCEL, RAUTATIENTORI, body_of

HEADERS = {
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version",
    "Content-Type",
}  # fmt: skip
READY = Ready(PARCEL, RAUTATIENTORI, CODE, END)
LINK = "https://pohjola.example/p/R7T2K4M9?a=1&b=2"


def test_the_mail_of_a_ready_parcel_reads_like_this() -> None:
    """Given a parcel that waits, when the mail is written, then its text is this, to the letter."""
    mail = opened(compose(READY, AINO, head=HEAD, notice_id="n-1", now=NOW))
    assert body_of(mail, "plain") == (
        "Your parcel waits at Rautatientori\n\n"
        "From Shop K. Parcel R7T2K4M9.\n\n"
        "Your code:\n\n"
        "    4829 1730\n\n"
        "Type the code at the locker. It works with no internet.\n\n"
        "Where: Rautatientori. East arcade, across from platform 1.\n\n"
        "Held until Thursday 26 November, 21:00.\n\n"
        "The clock stops while the locker cannot open. You get that time back.\n\n"
        "-- \n"
        "Keep your code to yourself. We never ask for it.\n"
        "Pohjola Lockers\n"
    )


def test_the_headers_say_who_writes_to_whom() -> None:
    """Given a mail, then it is from the network to the person, answers go to the desk, and machines do not answer."""
    mail = opened(compose(READY, AINO, head=HEAD, notice_id="n-1", now=NOW))
    assert mail["From"] == "Pohjola Lockers <parcels@pohjola.example>"
    assert mail["To"] == "Aino Näkki <aino@people.example>"
    assert mail["Reply-To"] == "Pohjola Lockers <help@pohjola.example>"
    assert mail["Subject"] == "Your parcel waits at Rautatientori"
    assert mail["Message-ID"] == "<n-1@pohjola.example>"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert set(mail.keys()) == HEADERS


def test_a_mail_is_written_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a mail, when it is composed, then it is bytes at once: to read one takes as long as to write it."""
    monkeypatch.delattr("restante.hub.notices.mail.message_from_bytes")
    mail = compose(READY, AINO, head=HEAD, notice_id="n-1", now=NOW)
    assert mail.message_id == "<n-1@pohjola.example>"
    assert not [word for word in ("Aino", "aino", CODE[:4]) if word in repr(mail)]


@pytest.mark.parametrize("language", ["en", "fi"])
@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: type(notice).__name__)
def test_text_and_html_tell_the_same(notice: Notice, language: str) -> None:
    """Given a notice of each kind, then text and HTML hold the same words, and a code can be read if there is one."""
    recipient = msgspec.structs.replace(AINO, language=language)
    mail = opened(compose(notice, recipient, head=HEAD, notice_id="n-1", now=NOW, link=LINK))
    page = Page(body_of(mail, "html"))
    words = body_of(mail, "plain").replace("-- ", "").replace(f": {LINK}", "").split()
    assert page.words == words
    assert page.language == language
    assert read_code(mail) == getattr(notice, "code", None)


def test_a_mail_has_one_thing_to_do() -> None:
    """Given a link, then a mail with a code has no button, and a mail without a code has this one."""
    for notice in NOTICES:
        page = Page(body_of(opened(compose(notice, AINO, head=HEAD, notice_id="n-1", now=NOW, link=LINK)), "html"))
        assert page.links == ([] if hasattr(notice, "code") else [LINK])


def test_what_strangers_write_is_text_in_html_too() -> None:
    """Given a point and a shop with markup in their names, then the page shows it and does not obey it."""
    nasty = '<script>alert(1)</script><a href="https://x.example">&amp;'
    notice = Ready(About("P", nasty), Place(nasty, nasty, "UTC"), CODE, END)
    page = Page(body_of(opened(compose(notice, AINO, head=HEAD, notice_id="n-1", now=NOW)), "html"))
    assert page.links == []
    assert "script" not in page.tags
    assert "<script>alert(1)</script><a" in page.words


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jean-Luc O'Neill", "Jean-Luc O'Neill"),
        ("Aino J. Näkki", "Aino J Näkki"),
        ("Bank <evil@x.example>,", "Bank evil x example"),
        ("=?utf-8?q?=0D=0A?=", "utf-8 q 0D 0A"),
        ("山田 太郎", "山田 太郎"),
        ("Äiti Öljy-Åström " * 3, "Äiti Öljy-Åström Äiti Öljy-Ås"),
        ("\r\n", ""),
    ],
)
def test_a_name_in_a_header_is_only_a_name(name: str, shown: str) -> None:
    """Given a name with signs that mean something in a header, then those signs are not in it."""
    recipient = msgspec.structs.replace(AINO, name=name)
    (address,) = opened(compose(READY, recipient, head=HEAD, notice_id="n-1", now=NOW))["To"].addresses
    assert (address.display_name, address.addr_spec) == (shown, "aino@people.example")


@pytest.mark.parametrize("notice_id", ["", "a b", "a>\r\nBcc: x@y.example", "a@b"])
def test_a_notice_id_from_outside_is_a_bug(notice_id: str) -> None:
    """Given a notice id that no part of ours makes, then no mail is written."""
    with pytest.raises(AssertionError, match="made here"):
        compose(READY, AINO, head=HEAD, notice_id=notice_id, now=NOW)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://x.example/"])
def test_a_link_that_is_not_ours_is_a_bug(link: str) -> None:
    """Given a link in the open or with a script in it, then no mail is written."""
    with pytest.raises(AssertionError, match="made here"):
        compose(READY, AINO, head=HEAD, notice_id="n", now=NOW, link=link)


@pytest.mark.parametrize("code", ["", "1234567", "123456789", "1234567a", "١٢٣٤٥٦٧٨"])
def test_a_code_that_is_none_is_a_bug(code: str) -> None:
    """Given anything but eight digits, then it is never shown as a code."""
    with pytest.raises(AssertionError, match="eight digits"):
        grouped(code)


ANYTHING = st.text(st.characters(), max_size=120)
NASTY = ANYTHING | st.sampled_from(
    [
        "\r\nBcc: all@x.example",
        "a\nSubject: b",
        "12345678",
        "9999 9999",
        "x\n\n    9999 9999\n\ny",
        "x\u20289999 9999\u2028",
        "=?utf-8?q?=0D=0ABcc:_x@y.example?=",
        '"Aino" <x@y.example>,',
        "ä" * 119,
        "\\" * 50 + '"',
        "($@<>;:)",
    ]
)


@given(name=NASTY, point=NASTY, directions=NASTY, origin=NASTY, code=st.from_regex(r"[0-9]{8}", fullmatch=True))
@example(name="\x00", point="", directions="", origin="", code="00000000")
@settings(max_examples=100, deadline=None)
def test_any_names_reach_the_reader_and_no_header(
    *, name: str, point: str, directions: str, origin: str, code: str
) -> None:
    """Given any names whatever, when the mail is written and read, then its code is the code, its headers only ours."""
    recipient = Recipient(name, Address("aino", "people.example"), "fi")
    notice = Ready(About("R7T2K4M9", origin), Place(point, directions, "Europe/Helsinki"), code, END)
    composed = compose(notice, recipient, head=HEAD, notice_id="n-1", now=NOW)
    mail = opened(composed)
    assert read_code(mail) == code
    assert set(mail.keys()) == HEADERS
    assert len(mail.keys()) == len(HEADERS)
    assert [str(address.addr_spec) for address in mail["To"].addresses] == ["aino@people.example"]
    assert mail["Subject"] == one_line(write_letter(notice, "fi").subject).replace("=?", "= ?")
    assert all(len(line) <= 998 for line in composed.whole.split(b"\r\n"))
    assert b"\n" not in composed.whole.replace(b"\r\n", b"")


@given(digits=st.lists(st.from_regex(r"[0-9]{4}", fullmatch=True), min_size=2, max_size=6))
def test_a_mail_without_a_code_gives_none(digits: list[str]) -> None:
    """Given a mail without a code whose names are full of digits, when read, then no code is found in it."""
    notice = msgspec.structs.replace(NOTICES[4], former=" ".join(digits))
    assert read_code(opened(compose(notice, AINO, head=HEAD, notice_id="n-1", now=NOW))) is None


class Page(HTMLParser):
    """What a reader of HTML gets: the words of the body, the links, the tags, the language."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.language = ""
        self._inside = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self._inside = tag
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag == "html":
            self.language = dict(attrs)["lang"] or ""

    def handle_data(self, data: str) -> None:
        """Note the words that are shown."""
        if self._inside not in ("title", "style"):
            self.words += data.split()
