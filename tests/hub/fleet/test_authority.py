"""The authority says who a source is, and nothing a request asks for changes what it says."""

import base64
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.hub.fleet.authority import (
    SKEW,
    Authority,
    Issued,
    Peer,
    identify,
    issue_listener,
    issue_source,
    key_sha256,
    new_authority,
    requested_key,
)
from restante.hub.fleet.keyfiles import (
    AUTHORITY_FILE,
    KeyExposed,
    KeyUnreadable,
    open_authority,
    open_listener_file,
)
from restante.wire.enrol import SourceName
from tests.hub.fleet.lines import NAME, NETWORK, NOW, Key, csr, der, key_pem, new_key, serial

DAY = timedelta(days=1)
GOOD_CSR = csr(ec.derive_private_key(7, ec.SECP256R1()))


@pytest.fixture(scope="module")
def authority() -> Authority:
    """One root for the module."""
    return new_authority(NETWORK, new_key(), now=NOW, serial=serial())


def certify(authority: Authority, key: Key, name: SourceName = NAME, *, life: timedelta = 30 * DAY) -> Issued:
    """A source's certificate from ``authority``."""
    issued = issue_source(authority, csr(key), name, now=NOW, serial=serial(), life=life)
    assert isinstance(issued, Issued)
    return issued


@pytest.fixture(scope="module")
def good_der(authority: Authority) -> bytes:
    """One good certificate for the module."""
    return der(certify(authority, new_key()).pem)


def who(authority: Authority, pem: str, *, now: timedelta = DAY, revoked: frozenset[int] = frozenset()) -> Peer | str:
    """Who is recognised by this certificate, so long after now; the code of the refusal if nobody."""
    found = identify(
        der(pem),
        authorities=[authority.certificate],
        network=NETWORK,
        now=NOW + now,
        is_revoked=lambda peer: peer.serial in revoked,
    )
    return found.code if isinstance(found, Refusal) else found


def test_root_may_sign_leaves_and_lists_only(authority: Authority) -> None:
    """Given a new root, then it is a CA of path length 0 that signs certificates and CRLs and nothing else."""
    extensions = authority.certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    subject_key = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    issuer_key = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert subject_key == issuer_key


def test_source_certificate_says_the_name_given_and_not_the_one_asked_for(authority: Authority) -> None:
    """When a request asks to be another source, then the certificate names the source of the code all the same."""
    issued = issue_source(authority, csr(new_key(), "bank-2"), NAME, now=NOW, serial=41)
    assert isinstance(issued, Issued)
    certificate = x509.load_pem_x509_certificate(issued.pem.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["restante:helsinki:bank-1"]
    assert certificate.subject.rfc4514_string() == "CN=bank-1"
    assert certificate.serial_number == issued.peer.serial == 41


def test_requested_extensions_are_not_copied(authority: Authority) -> None:
    """When a request asks to be an authority, then the certificate is a leaf for clients."""
    key = new_key()
    asking = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    asking = asking.add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
    pem = asking.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    issued = issue_source(authority, pem, NAME, now=NOW, serial=serial())
    assert isinstance(issued, Issued)
    extensions = x509.load_pem_x509_certificate(issued.pem.encode()).extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_source_certificate_lives_thirty_days(authority: Authority) -> None:
    """When nothing else is said, then a certificate ends thirty days from now and began a little before."""
    issued = certify(authority, new_key())
    assert (issued.not_before, issued.peer.not_after) == (NOW - SKEW, NOW + 30 * DAY)


@pytest.mark.parametrize("key", [new_key(), ed25519.Ed25519PrivateKey.generate()], ids=["P-256", "Ed25519"])
def test_both_kinds_of_key_are_certified(authority: Authority, key: Key) -> None:
    """When a source brings a P-256 or an Ed25519 key, then it is certified and recognised by it."""
    issued = certify(authority, key)
    assert who(authority, issued.pem) == issued.peer
    assert issued.peer.key_sha256 == key_sha256(key.public_key())


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())],
    ids=["RSA", "P-384"],
)
def test_other_kinds_of_key_are_refused(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """When a source brings any other key, then it is refused by name."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    assert requested_key(pem) == Refusal("key-kind-refused", "csr_pem")


def test_request_signed_by_another_key_is_refused() -> None:
    """When somebody asks for a certificate for a key that is not theirs, then the signature gives them away."""
    raw = bytearray(x509.load_pem_x509_csr(GOOD_CSR.encode()).public_bytes(serialization.Encoding.DER))
    raw[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(raw)).public_bytes(serialization.Encoding.PEM).decode()
    assert requested_key(forged) == Refusal("csr-malformed", "csr_pem", "signature")


def test_endless_request_is_refused() -> None:
    """When a request is longer than any request is, then it is not parsed."""
    assert requested_key(GOOD_CSR + "\n" * 10_000) == Refusal("csr-malformed", "csr_pem", "too long")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=60, deadline=None)
def test_any_text_as_request_is_refused(text: str) -> None:
    """Whatever text is sent for a request, the answer is a refusal and never an exception."""
    wrapped = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
    assert isinstance(requested_key(text), Refusal)
    assert isinstance(requested_key(wrapped), Refusal)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_request_with_a_flipped_bit_certifies_no_other_key(data: st.DataObject) -> None:
    """Whichever bit of a good request is flipped, it is refused, or the bit said nothing and the key is the same."""
    raw = bytearray(x509.load_pem_x509_csr(GOOD_CSR.encode()).public_bytes(serialization.Encoding.DER))
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    body = base64.encodebytes(raw).decode().strip()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n"
    assert isinstance(requested_key(pem), Refusal) or requested_key(pem) == requested_key(GOOD_CSR)


def test_certificate_of_another_authority_is_foreign(authority: Authority) -> None:
    """Given a root of the same name but another key, then its certificates are foreign here."""
    stranger = new_authority(NETWORK, new_key(), now=NOW, serial=serial())
    assert who(authority, certify(stranger, new_key()).pem) == "certificate-foreign"


def test_certificate_of_another_network_is_foreign(authority: Authority) -> None:
    """Given one root used for two networks by mistake, then a source of the other one is foreign here."""
    issued = certify(authority, new_key(), SourceName("turku", "bank-1"))
    assert who(authority, issued.pem) == "certificate-foreign"


def test_the_hubs_own_certificate_is_no_source(authority: Authority) -> None:
    """When the listener's certificate or the root is shown in place of a source's, then it is foreign."""
    listener = issue_listener(authority, new_key().public_key(), ["localhost"], now=NOW, serial=serial())
    for certificate in (listener, authority.certificate):
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        assert who(authority, pem) == "certificate-foreign"


def test_a_certificate_that_says_something_else_is_foreign(authority: Authority) -> None:
    """Given a certificate of ours with no name of ours, with two, or for a server, then it names nobody."""
    client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
    others = [([], client), (["https://example.test/"], client), ([NAME.uri, "restante:helsinki:bank-2"], client)]
    for uris, use in [*others, ([NAME.uri], server)]:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names = names or [x509.DNSName("bank-1")]
        builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(authority.certificate.subject)
        builder = builder.public_key(new_key().public_key()).serial_number(serial())
        builder = builder.not_valid_before(NOW).not_valid_after(NOW + 2 * DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        pem = builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        assert who(authority, pem) == "certificate-foreign"


@pytest.mark.parametrize(
    ("at", "expected"),
    [(-SKEW - timedelta(seconds=1), False), (-SKEW, True), (30 * DAY, True), (30 * DAY + timedelta(seconds=1), False)],
)
def test_a_certificate_holds_between_its_two_instants(authority: Authority, at: timedelta, expected: bool) -> None:
    """Given a certificate, then it holds from its first second to its last and not a second longer."""
    found = who(authority, certify(authority, new_key()).pem, now=at)
    assert isinstance(found, Peer) if expected else found == "certificate-expired"


def test_a_revoked_certificate_is_refused(authority: Authority) -> None:
    """When a serial number has been revoked, then its certificate is refused and its neighbour's is not."""
    lost, kept = certify(authority, new_key()), certify(authority, new_key())
    revoked = frozenset({lost.peer.serial})
    assert who(authority, lost.pem, revoked=revoked) == "certificate-revoked"
    assert who(authority, kept.pem, revoked=revoked) == kept.peer


def test_nothing_shown_is_missing(authority: Authority) -> None:
    """When no certificate is shown, then it is missing, not foreign."""
    for nothing in (None, b""):
        found = identify(
            nothing, authorities=[authority.certificate], network=NETWORK, now=NOW, is_revoked=lambda _: False
        )
        assert found == Refusal("certificate-missing")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # the library's word on one of the flips
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_certificate_with_a_flipped_bit_names_nobody_else(
    authority: Authority, good_der: bytes, data: st.DataObject
) -> None:
    """Whichever bit of a certificate is flipped, it is foreign, or the bit said nothing; never an exception."""
    raw = bytearray(good_der)
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    found, good = (
        identify(one, authorities=[authority.certificate], network=NETWORK, now=NOW, is_revoked=lambda _: False)
        for one in (bytes(raw), good_der)
    )
    assert found in (good, Refusal("certificate-foreign"))


def test_authority_is_made_once(tmp_path: Path) -> None:
    """Given a state directory with an authority, when it is opened again, then it is the same one."""
    first = open_authority(tmp_path / "state", NETWORK, now=NOW, serial=serial())
    second = open_authority(tmp_path / "state", NETWORK, now=NOW + DAY, serial=serial())
    assert first.sha256 == second.sha256
    assert first.key.private_numbers() == second.key.private_numbers()


def test_authoritys_files_are_private(tmp_path: Path) -> None:
    """When an authority is made, then directory and key are the owner's alone and no other file is left behind."""
    open_authority(tmp_path / "state", NETWORK, now=NOW, serial=serial())
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / AUTHORITY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [AUTHORITY_FILE]


def test_the_second_of_two_hubs_takes_the_firsts_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two hubs that both saw no authority, when the second writes its own, then it ends with the first's."""
    state = tmp_path / "state"
    first = open_authority(state, NETWORK, now=NOW, serial=serial())
    with monkeypatch.context() as blind:
        blind.setattr(Path, "exists", lambda path: False)
        second = open_authority(state, NETWORK, now=NOW, serial=serial())
    assert second.sha256 == first.sha256
    assert [path.name for path in state.iterdir()] == [AUTHORITY_FILE]


@pytest.mark.parametrize("name", ["state", f"state/{AUTHORITY_FILE}"])
def test_exposed_key_is_not_used(tmp_path: Path, name: str) -> None:
    """Given a key or directory that others can read, then the hub does not start on it."""
    open_authority(tmp_path / "state", NETWORK, now=NOW, serial=serial())
    (tmp_path / name).chmod(0o755)
    with pytest.raises(KeyExposed):
        open_authority(tmp_path / "state", NETWORK, now=NOW, serial=serial())


@pytest.mark.parametrize("body", ["", "-----BEGIN PRIVATE KEY-----\n", key_pem(new_key()), "two"])
def test_damaged_authority_is_never_replaced(tmp_path: Path, authority: Authority, body: str) -> None:
    """Given an authority's file that is cut short or of two minds, then opening it faults and leaves it as it is."""
    state = tmp_path / "state"
    open_authority(state, NETWORK, now=NOW, serial=serial())
    text = key_pem(new_key()) + authority.pem if body == "two" else body
    (state / AUTHORITY_FILE).write_text(text)
    with pytest.raises(KeyUnreadable):
        open_authority(state, NETWORK, now=NOW, serial=serial())
    assert (state / AUTHORITY_FILE).read_text() == text


def test_listener_is_renewed_when_due_or_renamed(tmp_path: Path) -> None:
    """Given the listener's file, then it stays while it is good and changes at two thirds of its life or for a name."""
    state = tmp_path / "state"
    authority = open_authority(state, NETWORK, now=NOW, serial=serial())

    def body(names: list[str], after: timedelta) -> bytes:
        return open_listener_file(state, authority, names, now=NOW + after, serial=serial()).read_bytes()

    first = body(["localhost", "::1"], 0 * DAY)
    assert body(["0:0::1", "localhost"], 59 * DAY) == first
    second = body(["localhost", "::1"], 61 * DAY)
    assert second != first
    assert body(["hub.example"], 61 * DAY) != second


def test_listener_of_another_authority_or_damaged_is_made_anew(tmp_path: Path) -> None:
    """Given a listener's file from another root, or cut short, then it is replaced by one of ours."""
    state = tmp_path / "state"
    authority = open_authority(state, NETWORK, now=NOW, serial=serial())
    stranger = new_authority(NETWORK, new_key(), now=NOW, serial=serial())
    path = open_listener_file(state, stranger, ["localhost"], now=NOW, serial=serial())
    for spoil in (lambda: None, lambda: path.write_bytes(path.read_bytes()[:100])):
        spoil()
        open_listener_file(state, authority, ["localhost"], now=NOW, serial=serial())
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        certificate.verify_directly_issued_by(authority.certificate)
