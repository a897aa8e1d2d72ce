"""What a bank and the hub say to each other until the bank holds a certificate, and to renew it.

Theory of operation. A technician carries an *invitation* to the machine, one line of text or a QR::

    <hub address>#<SHA-256 of the authority's certificate, hex>#<one-time code>

so nothing is trusted on first use. The bank opens a websocket with the subprotocol ``SUBPROTOCOL`` on the hub's one
listener for banks, and each connection carries one request and one answer, JSON in a text frame:

1. ``AskAuthority`` on a connection that is not verified yet: the answer is public, and the bank keeps it only if it has
   the fingerprint of the invitation.
2. ``Enrol`` on a second connection, verified against that certificate and the hub's name: only now the code is said.
3. ``Renew`` later, on a connection that shows the certificate still held.

A source is named in its certificate by one URI, ``restante:<network>:<source id>``.
"""

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from restante.core.refusals import CODES, Refusal

SUBPROTOCOL: Final = "restante-enrol.v1"
MAX_MESSAGE_BYTES: Final = 32_768
MAX_INVITATION_CHARACTERS: Final = 600

_NETWORK: Final = r"[a-z0-9][a-z0-9-]{0,31}"
_SOURCE: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SOURCE_URI: Final = re.compile(rf"restante:({_NETWORK}):({_SOURCE})")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{22,86}")  # base64url of 128 to 512 bits
_ADDRESS: Final = re.compile(r"[!-~]+")


class SourceName(msgspec.Struct, frozen=True):
    """A bank or a counter, named across networks."""

    network: str
    source: str

    @property
    def uri(self) -> str:
        """The name as it stands in a certificate."""
        return f"restante:{self.network}:{self.source}"


class AskAuthority(msgspec.Struct, frozen=True, tag="ask-authority"):
    """Which certificate vouches for the hub?"""


class Enrol(msgspec.Struct, frozen=True, tag="enrol"):
    """A machine without a certificate asks for its first one."""

    code: str
    csr_pem: str

    def __repr__(self) -> str:
        return "Enrol(code=…)"


class Renew(msgspec.Struct, frozen=True, tag="renew"):
    """A source with a valid certificate asks for the next one, for the same key or a new one."""

    csr_pem: str


class AuthorityShown(msgspec.Struct, frozen=True, tag="authority"):
    """The certificates that vouch for the hub, PEM, the issuing one first."""

    authorities_pem: str


class CertificateIssued(msgspec.Struct, frozen=True, tag="issued"):
    """The source's new certificate, and every authority it must trust from now on (PEM, both)."""

    certificate_pem: str
    authorities_pem: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """No: the code of a refusal, and what it is about."""

    code: str
    detail: str = ""


Request = AskAuthority | Enrol | Renew
Answer = AuthorityShown | CertificateIssued | Refused

_REQUEST: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_ANSWER: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


class Invitation(msgspec.Struct, frozen=True):
    """What a technician brings to a machine: where the hub is, how to know it, and the right to enrol once."""

    hub_url: str
    authority_sha256: str
    code: str

    def __repr__(self) -> str:
        return f"Invitation({self.hub_url!r}, code=…)"

    @property
    def text(self) -> str:
        """The one line to print or show as a QR. It is a secret until it is used."""
        return f"{self.hub_url}#{self.authority_sha256}#{self.code}"


def parse_invitation(text: str) -> Invitation | Refusal:
    """Read the line of an invitation; refuses ``invitation-malformed`` and never repeats the code in doing so."""
    parts = text.strip().split("#")
    if len(text) > MAX_INVITATION_CHARACTERS or len(parts) != 3:
        return Refusal("invitation-malformed")
    url, fingerprint, code = parts[0], parts[1].lower(), parts[2]
    if not is_hub_address(url):
        return Refusal("invitation-malformed", "hub_url")
    if not _FINGERPRINT.fullmatch(fingerprint):
        return Refusal("invitation-malformed", "authority_sha256")
    if not _CODE.fullmatch(code):
        return Refusal("invitation-malformed", "code")
    return Invitation(url, fingerprint, code)


def is_hub_address(url: str) -> bool:
    """Whether ``url`` is a plain ``wss://host[:port][/path]``: no user, no query, no fragment, nothing unprintable."""
    if not _ADDRESS.fullmatch(url) or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not parts.query and parts.username is None and parts.password is None
    return parts.scheme == "wss" and bool(parts.hostname) and plain and port != 0


def parse_source_uri(uri: str) -> SourceName | None:
    """Read a source's name from its certificate's URI; ``None`` when it is no name of ours."""
    found = _SOURCE_URI.fullmatch(uri)
    return SourceName(found[1], found[2]) if found else None


def fingerprint(certificate_der: bytes) -> str:
    """SHA-256 of a certificate's DER, in lower-case hex."""
    return hashlib.sha256(certificate_der).hexdigest()


def code_digest(code: str) -> bytes:
    """How an enrolment code is kept: plain SHA-256, which is enough for 128 bits or more of chance."""
    return hashlib.sha256(b"restante-enrolment-code:" + code.encode()).digest()


def encode(message: Request | Answer) -> bytes:
    """One message as JSON bytes."""
    return msgspec.json.encode(message)


def decode_request(raw: bytes) -> Request | Refusal:
    """Read what a machine asks; refuses ``enrolment-malformed``."""
    if len(raw) > MAX_MESSAGE_BYTES:
        return Refusal("enrolment-malformed", detail="too long")
    try:
        return _REQUEST.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Refusal("enrolment-malformed")


def decode_answer(raw: bytes) -> Answer | Refusal:
    """Read what the hub answers; refuses ``enrolment-malformed``."""
    if len(raw) > MAX_MESSAGE_BYTES:
        return Refusal("enrolment-malformed", detail="too long")
    try:
        return _ANSWER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Refusal("enrolment-malformed")


def refused(refusal: Refusal) -> Refused:
    """A refusal as it is said on the wire."""
    return Refused(refusal.code, refusal.detail)


def refusal_from(said: Refused) -> Refusal:
    """A refusal as it was heard; a code newer than this program reads as ``enrolment-malformed`` with the code kept."""
    if said.code in CODES:
        return Refusal(said.code, detail=said.detail)
    return Refusal("enrolment-malformed", detail=said.code[:64])
