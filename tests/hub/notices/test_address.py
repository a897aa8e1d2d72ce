"""E-mail addresses are checked when a parcel is announced: what passes can be sent to, what does not says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.hub.notices.address import Address, check_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("aino@people.example", "aino@people.example"),
        ("  aino.nakki+parcels@People.Example ", "aino.nakki+parcels@people.example"),
        ("o'neill_{x}@a.b-c.example", "o'neill_{x}@a.b-c.example"),
        ("posti@näkki.example", "posti@xn--nkki-loa.example"),
        ("post@faß.example", "post@xn--fa-hia.example"),
        ("post@例え.テスト", "post@xn--r8jz45g.xn--zckzah"),
        (f"{'a' * 64}@b.example", f"{'a' * 64}@b.example"),
    ],
)
def test_addresses_people_have_pass(text: str, address: str) -> None:
    """Given an address as somebody typed it, when checked, then it is the address that mail goes to."""
    checked = check_address(text)
    assert isinstance(checked, Address)
    assert str(checked) == address


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "address-malformed"),
        ("aino", "address-malformed"),
        ("@people.example", "address-malformed"),
        ("aino@", "address-malformed"),
        ("aino@localhost", "address-malformed"),
        ("aino@[127.0.0.1]", "address-malformed"),
        ("aino@127.0.0.1", "address-malformed"),
        ("aino@people..example", "address-malformed"),
        ("aino@people.example.", "address-malformed"),
        ("aino@-people.example", "address-malformed"),
        ("aino@people_x.example", "address-malformed"),
        ("aino@\u2488.example", "address-malformed"),
        (".aino@people.example", "address-malformed"),
        ("a..b@people.example", "address-malformed"),
        ('"a b"@people.example', "address-malformed"),
        ("aino nakki@people.example", "address-malformed"),
        ("Aino <aino@people.example>", "address-malformed"),
        ("a@b.example,c@d.example", "address-malformed"),
        ("aino@people.example\r\nRCPT TO:<x@y.example>", "address-malformed"),
        ("aino\n@people.example", "address-malformed"),
        ("aino@people.example\n", "address-malformed"),
        ("aino@people.example\x00", "address-malformed"),
        ("äino@people.example", "address-not-latin"),
        (f"{'a' * 65}@people.example", "address-too-long"),
        (f"aino@{'a.' * 125}example", "address-too-long"),
    ],
)
def test_what_cannot_be_sent_to_is_refused(text: str, code: str) -> None:
    """Given something that is no usable address, when checked, then the refusal names the field and the rule."""
    checked = check_address(text, field="recipient.email")
    assert isinstance(checked, Refusal)
    assert (checked.code, checked.field) == (code, "recipient.email")
    assert not text or text not in checked.detail


@given(st.text(max_size=300) | st.emails().map(lambda address: address + "\r\n"))
def test_whatever_passes_fits_an_smtp_command(text: str) -> None:
    """Given any text, when it passes the check, then it is one ASCII word of legal length, and passes again."""
    checked = check_address(text)
    if isinstance(checked, Address):
        address = str(checked)
        assert address.isascii()
        assert address.isprintable()
        assert not set(address) & set(' <>,;:"()[]\\')
        assert len(address) <= 254
        assert check_address(address) == checked


@given(st.emails())
def test_ordinary_addresses_pass(text: str) -> None:
    """Given any plain address of the standard, when checked, then it passes, its domain in lower case."""
    local, _, domain = text.rpartition("@")
    assert check_address(text) == Address(local, domain.lower())
