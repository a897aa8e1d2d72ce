"""Ed25519 signatures over documents, each bound to the one use it was made for, and their text forms.

The signed message is `"restante-seal-1" ‖ len(context) ‖ context ‖ document`: a signature made for a manifest can never
be shown as one for a command, whatever the documents contain.
"""

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MANIFEST: Final = b"manifest"
MANIFEST_FRESH: Final = b"manifest-fresh"
JOURNAL_HEAD: Final = b"journal-head"
COMMAND: Final = b"command"

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32

_DOMAIN = b"restante-seal-1"


def sign(private_key: Ed25519PrivateKey, context: bytes, document: bytes) -> bytes:
    """64 bytes of Ed25519 signature (RFC 8032) over the document, good for this context only."""
    return private_key.sign(_message(context, document))


def verify(public_key: Ed25519PublicKey, signature: bytes, *, context: bytes, document: bytes) -> bool:
    """Whether the holder of the key signed exactly this document for exactly this context; any bytes may be given."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        public_key.verify(signature, _message(context, document))
    except InvalidSignature:
        return False
    return True


def to_text(raw: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_text(text: str) -> bytes | None:
    """The bytes of unpadded base64url, or None; each byte string has one accepted text only."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if to_text(raw) == text else None


def public_key_to_text(public_key: Ed25519PublicKey) -> str:
    """A public key as 43 characters of base64url."""
    return to_text(public_key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def public_key_from_text(text: str) -> Ed25519PublicKey | None:
    """The public key behind its text form, or None if the text is no key."""
    raw = from_text(text)
    if raw is None or len(raw) != PUBLIC_KEY_BYTES:
        return None
    return Ed25519PublicKey.from_public_bytes(raw)


def _message(context: bytes, document: bytes) -> bytes:
    assert 0 < len(context) < 256, "a context is 1 to 255 bytes"
    return _DOMAIN + bytes([len(context)]) + context + document
