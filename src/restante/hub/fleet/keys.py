"""What the hub signs manifests with, and the keys that sources recognise codes by.

Every source has a key of its own for every log epoch, derived from one master secret (HKDF, RFC 5869): nothing needs to
be stored for it, and a verifier read out of one source, or one of its former controllers, is of no use at another.
"""

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from restante.core.ids import SourceId
from restante.hub.fleet.keyfiles import MANIFEST_FILE, MASTER_FILE, open_secret
from restante.hub.settings import Settings
from restante.wire import manifest, seal


class FleetKeys(msgspec.Struct, frozen=True):
    """The key manifests are signed with, and the master secret of all sources' keys."""

    manifest: Ed25519PrivateKey
    master: bytes

    def __repr__(self) -> str:
        return "FleetKeys(…)"

    @property
    def manifest_public(self) -> str:
        """The public key of manifests, as a welcome tells it."""
        return seal.public_key_to_text(self.manifest.public_key())

    def source_key(self, source: SourceId, epoch: int) -> bytes:
        """The 32 bytes that key the verifiers of codes at this source in this log epoch."""
        name = source.encode()
        info = b"restante-source-key" + len(name).to_bytes(8, "big") + name + epoch.to_bytes(8, "big")
        return HKDF(SHA256(), length=32, salt=None, info=info).derive(self.master)


def open_keys(directory: Path) -> FleetKeys:
    """The keys of this state directory, made at the first call. Faults: ``KeyExposed``, ``KeyUnreadable``."""
    signing = Ed25519PrivateKey.from_private_bytes(open_secret(directory, MANIFEST_FILE))
    return FleetKeys(signing, open_secret(directory, MASTER_FILE))


def verifier_of(code: str, keys: FleetKeys, *, source: SourceId, epoch: int, settings: Settings) -> str:
    """What a grant holds in place of a code; as slow as the settings say, so call it off the event loop."""
    key = keys.source_key(source, epoch)
    cost = manifest.Settings(kdf_n=settings.kdf_n)
    return manifest.code_verifier(code, source_key=key, source=source, log_epoch=epoch, settings=cost)
