"""Invitations and messages of enrolment read back as written, and anything else is refused without an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.refusals import CODES, Refusal
from restante.wire.enrol import (
    MAX_MESSAGE_BYTES,
    Answer,
    AskAuthority,
    AuthorityShown,
    CertificateIssued,
    Enrol,
    Invitation,
    Refused,
    Renew,
    Request,
    SourceName,
    code_digest,
    decode_answer,
    decode_request,
    encode,
    is_hub_address,
    parse_invitation,
    parse_source_uri,
    refusal_from,
    refused,
)

PRINT = "ab" * 32
CODE = "MDEyMzQ1Njc4OWFiY2RlZg"
GOOD = f"wss://hub.example:8443/banks#{PRINT}#{CODE}"


def test_an_invitation_reads_back_as_written() -> None:
    """Given an invitation's line, then it is read into its three parts and written as it was."""
    invitation = parse_invitation(f"  {GOOD}\n")
    assert invitation == Invitation("wss://hub.example:8443/banks", PRINT, CODE)
    assert invitation.text == GOOD


def test_a_fingerprint_may_be_typed_in_capitals() -> None:
    """When the fingerprint was typed in capitals, then it is the same fingerprint."""
    assert parse_invitation(f"wss://[::1]:9#{PRINT.upper()}#{CODE}") == Invitation("wss://[::1]:9", PRINT, CODE)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        ("#", ""),
        (GOOD + "#", ""),
        (GOOD + "x" * 600, ""),
        (GOOD.replace("wss", "ws"), "hub_url"),
        (GOOD.replace("wss", "https"), "hub_url"),
        (GOOD.replace("hub.example:8443", ""), "hub_url"),
        (GOOD.replace("8443", "99999"), "hub_url"),
        (GOOD.replace("8443", "0"), "hub_url"),
        (GOOD.replace("hub", "user:word@hub"), "hub_url"),
        (GOOD.replace("/banks", "/banks?x=1"), "hub_url"),
        (GOOD.replace("hub", "hu b"), "hub_url"),
        (GOOD.replace("hub", "hüb"), "hub_url"),
        (GOOD.replace("hub.example:8443", "[::1"), "hub_url"),
        (GOOD.replace(PRINT, PRINT[:-1]), "authority_sha256"),
        (GOOD.replace(PRINT, "g" * 64), "authority_sha256"),
        (GOOD[:-1], "code"),
        (GOOD[:-1] + "+", "code"),
    ],
)
def test_a_bad_invitation_is_refused_by_its_bad_part(text: str, field: str) -> None:
    """When one part of the line is wrong, then that part is named and the code is not repeated."""
    assert parse_invitation(text) == Refusal("invitation-malformed", field)


@pytest.mark.parametrize("rest", ["#", "#banks", "/banks#x"])
def test_an_address_with_a_fragment_is_none(rest: str) -> None:
    """Given the address of a hub as a file holds it, when a fragment follows, then it is no address."""
    assert is_hub_address("wss://hub.example:8443")
    assert not is_hub_address(f"wss://hub.example:8443{rest}")


@given(st.text(max_size=120) | st.lists(st.text(max_size=80), min_size=3, max_size=3).map("#".join))
def test_any_line_is_read_or_refused(text: str) -> None:
    """Whatever line is scanned, the answer is an invitation or a refusal."""
    assert isinstance(parse_invitation(text), Invitation | Refusal)


@given(st.integers(0, len(GOOD) - 1), st.characters())
def test_a_changed_character_is_refused_or_seen(at: int, other: str) -> None:
    """Whichever character of a good line changes, it is refused or reads as another invitation, never as the same."""
    changed = GOOD[:at] + other + GOOD[at + 1 :]
    if changed.lower() != GOOD.lower():
        assert parse_invitation(changed) != parse_invitation(GOOD)


def test_a_source_reads_back_from_its_uri() -> None:
    """Given a source's name, then its URI reads back as the same name."""
    name = SourceName("helsinki", "019a0000-0000-8000-8000-000000000000")
    assert name.uri == "restante:helsinki:019a0000-0000-8000-8000-000000000000"
    assert parse_source_uri(name.uri) == name


@pytest.mark.parametrize(
    "uri",
    ["", "restante:", "restante:helsinki:", "restante::b", "restante:Helsinki:b", "restante:h:b:c", "restante:h:b\n",
     "urn:restante:h:b", "restante:h:../b", "restante:h:" + "b" * 65, "restante:h:b%00"],
)  # fmt: skip
def test_what_is_no_name_of_ours_names_nobody(uri: str) -> None:
    """When a URI is not exactly a source's name, then it names nobody."""
    assert parse_source_uri(uri) is None


@pytest.mark.parametrize("message", [AskAuthority(), Enrol(CODE, "csr"), Renew("csr")])
def test_requests_read_back(message: Request) -> None:
    """Given a request, then it reads back as written."""
    assert decode_request(encode(message)) == message


@pytest.mark.parametrize("message", [AuthorityShown("pem"), CertificateIssued("pem", "pem"), Refused("no-room", "x")])
def test_answers_read_back(message: Answer) -> None:
    """Given an answer, then it reads back as written."""
    assert decode_answer(encode(message)) == message


def test_fields_of_a_later_version_are_passed_over() -> None:
    """When a message has a field we do not know, then the rest is read."""
    assert decode_request(b'{"type":"renew","csr_pem":"x","later":1}') == Renew("x")


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{}", b'{"type":"enrol"}', b'{"type":"issue"}', b'{"type":"renew","csr_pem":1}', b"\xff\xfe",
     b"[" * 30_000, b'{"type":"renew","csr_pem":"\\ud800"}', b"x" * (MAX_MESSAGE_BYTES + 1)],
)  # fmt: skip
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    """When bytes are not a message of the exchange, then they are refused by name, both ways."""
    for read in (decode_request(raw), decode_answer(raw)):
        assert isinstance(read, Refusal)
        assert read.code == "enrolment-malformed"


def test_the_longest_message_is_read() -> None:
    """Given messages as long as may be, when read, then they are taken; one byte more, and they are too long."""
    asked, shown = encode(Renew("x")), encode(AuthorityShown("x"))
    for raw, read in ((asked, decode_request), (shown, decode_answer)):
        longest = raw.replace(b'"x"', b'"' + b"x" * (MAX_MESSAGE_BYTES - len(raw) + 1) + b'"')
        assert not isinstance(read(longest), Refusal)
        assert read(longest + b" ") == Refusal("enrolment-malformed", detail="too long")


def test_a_code_is_not_shown_by_what_holds_it() -> None:
    """Given an invitation and a request with a code, when they are printed, then the code is not in it."""
    invitation = parse_invitation(GOOD)
    assert repr(invitation) == "Invitation('wss://hub.example:8443/banks', code=…)"
    assert repr(Enrol("0123-secret", "csr")) == "Enrol(code=…)"


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Whatever bytes arrive, reading them ends in a message or a refusal."""
    decode_request(raw)
    decode_answer(raw)


@given(st.sampled_from(sorted(CODES)), st.text(max_size=20))
def test_refusals_cross_the_line(code: str, detail: str) -> None:
    """Given a refusal of ours, then it is heard as it was said, but for the field."""
    assert refusal_from(refused(Refusal(code, "a", detail))) == Refusal(code, detail=detail)


def test_a_refusal_of_a_later_version_is_still_a_refusal() -> None:
    """When the hub says a code this program does not know, then it is a refusal that carries the code."""
    assert refusal_from(Refused("hub-on-holiday")) == Refusal("enrolment-malformed", detail="hub-on-holiday")


def test_code_digest_is_kept_apart_from_other_digests() -> None:
    """Given a code, then its digest is 32 bytes and not the bare SHA-256 of the code."""
    import hashlib

    assert len(code_digest(CODE)) == 32
    assert code_digest(CODE) != hashlib.sha256(CODE.encode()).digest()
