"""The hub's half of enrolment: a code is one source's, one key's and one day's."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.hub.fleet.authority import Peer, key_sha256
from restante.hub.fleet.enrol import LISTENER_LOG, SOCKET_LOG, EnrolmentCode, answer_enrolment, invite, redeem
from restante.wire.enrol import (
    Answer,
    AskAuthority,
    AuthorityShown,
    CertificateIssued,
    Enrol,
    Refused,
    Renew,
    Request,
    SourceName,
    decode_answer,
    encode,
)
from tests.hub.fleet.lines import NAME, NETWORK, NOW, Hub, csr, new_key, serial

HOUR = timedelta(hours=1)
KINDS = st.sampled_from(["enrol", "renew", "ask-authority", "issued", ""])
MESSAGES = st.fixed_dictionaries({"type": KINDS}, optional={"code": st.text(), "csr_pem": st.text() | st.none()})
MISSING = Refusal("certificate-missing")


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub whose line is not opened: the exchange is tried as values."""
    return Hub(tmp_path / "hub")


async def ask(hub: Hub, request: Request | bytes, peer: Peer | Refusal = MISSING) -> Answer | Refusal:
    """What the hub answers."""
    raw = request if isinstance(request, bytes) else encode(request)
    return decode_answer(await answer_enrolment(raw, hub.office, peer=peer, now=hub.clock, serial=serial()))


async def test_a_code_buys_a_certificate_for_its_source(hub: Hub) -> None:
    """Given a code for bank 1, when a machine brings it with its request, then it is certified as bank 1."""
    key = new_key()
    answer = await ask(hub, Enrol(hub.invite().code, csr(key, "bank-2")))
    assert isinstance(answer, CertificateIssued)
    (issued,) = hub.records.issued
    assert issued.peer.name == NAME
    assert issued.peer.key_sha256 == key_sha256(key.public_key())
    assert issued.pem == answer.certificate_pem
    assert answer.authorities_pem == hub.authority.pem


async def test_the_same_key_may_ask_again_and_another_may_not(hub: Hub) -> None:
    """Given a used code, when the same key asks again, then it is answered; when another does, then it is refused."""
    code, key = hub.invite().code, new_key()
    for _ in range(2):
        assert isinstance(await ask(hub, Enrol(code, csr(key))), CertificateIssued)
    assert await ask(hub, Enrol(code, csr(new_key()))) == Refused("enrolment-code-used")
    assert len(hub.records.issued) == 2


async def test_a_code_ends_after_a_day_for_its_own_key_too(hub: Hub) -> None:
    """Given a used code, when its day is over, then even the key that used it gets nothing more for it."""
    code, key = hub.invite().code, new_key()
    hub.clock = NOW + 24 * HOUR - timedelta(seconds=1)
    assert isinstance(await ask(hub, Enrol(code, csr(key))), CertificateIssued)
    hub.clock = NOW + 24 * HOUR
    assert await ask(hub, Enrol(code, csr(key))) == Refused("enrolment-code-expired")


async def test_a_wrong_code_buys_nothing(hub: Hub) -> None:
    """When the code is unknown, then nothing is issued and the code is not repeated in the answer."""
    hub.invite()
    wrong = "A" * 22
    answer = await ask(hub, Enrol(wrong, csr(new_key())))
    assert answer == Refused("enrolment-code-wrong")
    assert hub.records.issued == []


async def test_a_bad_request_does_not_use_the_code_up(hub: Hub) -> None:
    """When a good code comes with a broken request, then the code is still good afterwards."""
    code = hub.invite().code
    assert await ask(hub, Enrol(code, "nonsense")) == Refused("csr-malformed")
    assert isinstance(await ask(hub, Enrol(code, csr(new_key()))), CertificateIssued)


async def test_of_two_machines_with_one_code_one_is_certified(hub: Hub) -> None:
    """Given two machines that bring one code at the same time, both found good, then the records let one in."""
    code = hub.invite().code
    kept = dict(hub.records.codes)
    first = await ask(hub, Enrol(code, csr(new_key())))
    used = hub.records.codes

    async def stale(digest: bytes) -> EnrolmentCode | None:
        return kept.get(digest)

    hub.records.find_code = stale  # type: ignore[method-assign]
    second = await ask(hub, Enrol(code, csr(new_key())))
    assert isinstance(first, CertificateIssued)
    assert second == Refused("enrolment-code-used")
    assert hub.records.codes == used
    assert len(hub.records.issued) == 1


async def test_renewal_takes_the_name_from_the_certificate_shown(hub: Hub) -> None:
    """Given bank 1 on the line, when it asks for a new certificate with a new key, then it is bank 1's again."""
    peer = hub.certify(new_key()).peer
    key = new_key()
    assert isinstance(await ask(hub, Renew(csr(key, "bank-2")), peer), CertificateIssued)
    (issued,) = hub.records.issued
    assert issued.peer.name == NAME
    assert issued.peer.serial != peer.serial
    assert issued.peer.key_sha256 == key_sha256(key.public_key())


@pytest.mark.parametrize("code", ["certificate-missing", "certificate-revoked", "certificate-expired"])
async def test_renewal_needs_a_certificate_that_holds(hub: Hub, code: str) -> None:
    """When the one on the line is not a source in good standing, then nothing is renewed and it hears why."""
    assert await ask(hub, Renew(csr(new_key())), Refusal(code)) == Refused(code)
    assert hub.records.issued == []


async def test_renewal_with_a_bad_request_is_refused(hub: Hub) -> None:
    """When a bank's renewal carries no readable request, then it is refused and keeps what it has."""
    peer = hub.certify(new_key()).peer
    assert await ask(hub, Renew("nonsense"), peer) == Refused("csr-malformed")


async def test_a_source_revoked_at_the_last_moment_is_not_renewed(hub: Hub) -> None:
    """Given a renewal that was found good, when the records say no while writing, then no certificate goes out."""
    peer = hub.certify(new_key()).peer

    async def no(issued: object, code: object) -> bool:
        return False

    hub.records.keep = no  # type: ignore[method-assign]
    assert await ask(hub, Renew(csr(new_key())), peer) == Refused("certificate-revoked")


async def test_whoever_asks_is_shown_the_authorities(hub: Hub, tmp_path: Path) -> None:
    """When a machine asks for the authority, then it is shown every root to trust, and no private key."""
    other = Hub(tmp_path / "other")
    hub.authorities = (hub.authority.certificate, other.authority.certificate)
    answer = await ask(hub, AskAuthority())
    assert isinstance(answer, AuthorityShown)
    assert x509.load_pem_x509_certificates(answer.authorities_pem.encode()) == list(hub.authorities)
    assert "PRIVATE" not in answer.authorities_pem


@given(raw=st.binary(max_size=300) | MESSAGES.map(lambda message: json.dumps(message).encode()))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_are_answered(hub: Hub, raw: bytes) -> None:
    """Whatever bytes arrive, the hub answers with a message of the exchange, and issues nothing for them."""
    assert isinstance(await ask(hub, raw), Refused | AuthorityShown)
    assert hub.records.issued == []


async def test_an_overlong_request_is_not_read(hub: Hub) -> None:
    """When a message is longer than any of the exchange, then it is refused before it is parsed."""
    raw = encode(Enrol(hub.invite().code, csr(new_key()) + " " * 40_000))
    assert await ask(hub, raw) == Refused("enrolment-malformed", "too long")


def test_an_invitation_is_kept_without_its_code(hub: Hub) -> None:
    """When an invitation is made, then what is kept of it does not hold the code, nor does its print-out."""
    invitation, kept = invite("wss://hub.example", hub.authority, NAME, chance=bytes(range(16)), now=NOW)
    assert invitation.authority_sha256 == hub.authority.sha256
    assert invitation.code.encode() not in kept.digest
    assert invitation.code not in repr(kept) + repr(invitation) + repr(Enrol(invitation.code, ""))
    assert redeem(kept, invitation.code, key="k", now=NOW) == EnrolmentCode(
        kept.digest, NAME, NOW + 24 * HOUR, used_by="k"
    )


def test_a_redeemed_code_is_one_keys_alone(hub: Hub) -> None:
    """Given a code used by one key, then that key may use it again and any other is refused, before any record is."""
    invitation, kept = invite("wss://hub.example", hub.authority, NAME, chance=bytes(range(16)), now=NOW)
    used = redeem(kept, invitation.code, key="first", now=NOW)
    assert isinstance(used, EnrolmentCode)
    assert redeem(used, invitation.code, key="first", now=NOW) == used
    assert redeem(used, invitation.code, key="second", now=NOW) == Refusal("enrolment-code-used")


def test_too_little_chance_makes_no_code(hub: Hub) -> None:
    """When the shell brings less than 128 bits of chance, then that is a bug of ours."""
    with pytest.raises(AssertionError):
        invite("wss://hub.example", hub.authority, NAME, chance=bytes(15), now=NOW)


@given(other=st.text(max_size=40))
def test_a_code_is_redeemed_by_itself_alone(other: str) -> None:
    """Given a kept code, whatever else is said for it, then it is wrong."""
    kept = EnrolmentCode(b"\0" * 32, SourceName(NETWORK, "bank-1"), NOW + HOUR)
    assert redeem(kept, other, key="k", now=NOW) == Refusal("enrolment-code-wrong")
    assert redeem(None, other, key="k", now=NOW) == Refusal("enrolment-code-wrong")


def test_the_listeners_log_never_writes_frames() -> None:
    """Given a root logger at DEBUG, then the listener's log stays above the level that would write codes."""
    assert not LISTENER_LOG.isEnabledFor(logging.DEBUG)
    assert not SOCKET_LOG.isEnabledFor(logging.DEBUG)
