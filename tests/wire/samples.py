"""One value of every kind that travels, and the bytes it was first released as.

A golden file is written once, when its kind is new, and never again: ``python -m tests.wire.samples`` writes those that
are missing and touches no other. If a change makes one read differently, sources and hubs in service would too.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from restante.core import facts
from restante.core.bank import Condition, RoomClass
from restante.core.ids import ParcelId, SourceId, StayKey
from restante.core.stay import By, Evidence
from restante.edge.keeping import entry_parts
from restante.wire import enrol, journal, seal
from restante.wire import session as wire
from restante.wire.manifest import (
    Difference,
    Fresh,
    Grant,
    GrantKind,
    ListedCompartment,
    Manifest,
    Offline,
    Settings,
    code_verifier,
    digest_of,
    sign,
    sign_fresh,
)

GOLDEN: Final = Path(__file__).parent / "golden" / "v1"

SOURCE: Final = SourceId("019cadc6-9a80-8064-8000-000000000001")
PARCEL: Final = ParcelId("019cadc6-9a80-8064-8000-000000000004")
OTHER_PARCEL: Final = ParcelId("019cadc6-9a80-8064-8000-000000000005")
STAY: Final = StayKey(SOURCE, 1, 7)
ROOM: Final = RoomClass("1+cold")
NOON: Final = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
LOG_EPOCH: Final = 3

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SOURCE_KEY: Final = bytes(range(100, 132))
CODE: Final = "90000017"

FACTS: Final[tuple[facts.Known, ...]] = (
    facts.Started("restante 0.1.0", ("3/6 door 4",)),
    facts.ManifestApplied(hub_epoch=1_772_000_000, generation=41),
    facts.IntentRecorded(door=4, grant="g1", action="deposit"),
    facts.DoorOpened(4, Evidence.SENSOR),
    facts.DoorShut(4),
    facts.ParcelPutIn(PARCEL, "g1", 4, ROOM, By.COURIER, Evidence.SENSOR, larger=True, shared=True),
    facts.DepositDeclined(OTHER_PARCEL, "too-big"),
    facts.ParcelTakenOut(PARCEL, STAY, "g2", 4, By.RECIPIENT, Evidence.STAFF),
    facts.StayInherited(OTHER_PARCEL, STAY, 5),
    facts.ConditionSeen(5, ROOM, 2, Condition.JAMMED, ((OTHER_PARCEL, STAY),)),
    facts.DoorStuck(5, "g3"),
    facts.DoorForced(6),
    facts.CodeRefused("keypad"),
    facts.CodeEntryClosed("keypad", 60),
)

SETTINGS: Final = Settings(
    unannounced_age_hours=24, deposit_age_hours=96, kdf_n=1024, kdf_r=4, kdf_p=2, zone="Europe/Helsinki", name="Kämp €"
)

VERIFIER: Final = code_verifier(CODE, source_key=SOURCE_KEY, source=SOURCE, log_epoch=LOG_EPOCH, settings=SETTINGS)

GRANTS: Final[dict[str, Grant]] = {
    "g-deposit": Grant(
        GrantKind.DEPOSIT,
        "carrier-1",
        PARCEL,
        "K3YB0XED",
        ROOM,
        not_before=NOON,
        expires_at=NOON + timedelta(hours=48),
        max_uses=2,
        offline=Offline.ALLOWED,
        checks=("age_over_18", "identity"),
        holder="h-1",
    ),
    "g-drop-off": Grant(
        GrantKind.DEPOSIT, "carrier-1", OTHER_PARCEL, "K3YB0XEE", RoomClass("0"), verifier=VERIFIER, max_uses=1
    ),
    "g-collect": Grant(GrantKind.COLLECT, "carrier-1", PARCEL, stay=STAY, door=4, verifier=VERIFIER),
    "g-recall": Grant(GrantKind.RECALL, "carrier-1", PARCEL, stay=STAY, door=4),
    "g-return": Grant(GrantKind.RETURN, "carrier-2", OTHER_PARCEL, offline=Offline.ONLINE_ONLY),
    "g-service": Grant(GrantKind.SERVICE, "carrier-1", verifier=VERIFIER, max_uses=0),
}

FULL: Final = Manifest(
    source=SOURCE,
    hub_epoch=1_772_000_000,
    generation=41,
    issued_at=NOON,
    log_epoch=LOG_EPOCH,
    settings=SETTINGS,
    compartments=(ListedCompartment(4, 1, 1, 1_000, ("cold",)), ListedCompartment(5, 2, 2, 400, capacity=12)),
    grants=GRANTS,
)
# What leads from FULL to NEXT: written by hand, so that it has every part a difference can have.
NEXT: Final = msgspec.structs.replace(
    FULL,
    generation=42,
    issued_at=NOON + timedelta(minutes=5),
    settings=Settings(),
    compartments=FULL.compartments[:1],
    grants={name: grant for name, grant in GRANTS.items() if name != "g-recall"} | {"g-later": GRANTS["g-return"]},
)
CHANGE: Final = Difference(
    source=SOURCE,
    hub_epoch=FULL.hub_epoch,
    generation=42,
    issued_at=NEXT.issued_at,
    base_generation=41,
    base=digest_of(FULL),
    digest=digest_of(NEXT),
    revoke=("g-recall",),
    grants={"g-later": GRANTS["g-return"]},
    settings=NEXT.settings,
    compartments=NEXT.compartments,
)
FRESH: Final = Fresh(SOURCE, FULL.hub_epoch, FULL.generation, digest_of(FULL), NOON + timedelta(minutes=1))

MANIFESTS: Final[dict[str, wire.ManifestSent | wire.ManifestFresh]] = {
    "full": sign(FULL, KEY),
    "difference": sign(CHANGE, KEY),
    "fresh": sign_fresh(FULL, FRESH.as_of, KEY),
}

MESSAGES: Final[tuple[wire.FromSource | wire.FromHub, ...]] = (
    wire.Hello(
        SOURCE,
        (1,),
        LOG_EPOCH,
        14,
        "ab" * 32,
        boot=7,
        software="restante 0.1.0",
        hub_epoch=1_772_000_000,
        generation=41,
        manifest_digest="cd" * 32,
        clock=wire.SourceClock("ntp", 20),
        abilities=("doors",),
    ),
    wire.Welcome(
        session="0123456789abcdef0123456789abcdef",
        version=1,
        hub_epoch=1_772_000_000,
        hub_time=NOON,
        log_epoch=LOG_EPOCH,
        resume_from=12,
        source_key=seal.to_text(SOURCE_KEY),
        manifest_key=seal.public_key_to_text(KEY.public_key()),
        forked=True,
        tails=(wire.Tail(2, 9),),
    ),
    wire.Pending(2.5, "not installed"),
    wire.Rejected("source-unknown", 60.0, "nobody"),
    wire.ManifestSent("{}", "signature", full=True),
    wire.ManifestFresh("{}", "signature"),
    wire.ManifestWanted("manifest-base"),
    wire.JournalSent(3, ('{"an":"entry"}', '{"another":"entry"}')),
    wire.Ack(LOG_EPOCH, 14, "ab" * 32, 3),
    wire.Nack(LOG_EPOCH, 12, "journal-broken", 3),
    wire.Forked(LOG_EPOCH, 12),
    wire.Ping(4),
    wire.Pong(4, NOON),
)

ENROLMENT: Final[tuple[enrol.Request | enrol.Answer, ...]] = (
    enrol.AskAuthority(),
    enrol.Enrol("MDEyMzQ1Njc4OWFiY2RlZg", "-----BEGIN CERTIFICATE REQUEST-----\n"),
    enrol.Renew("-----BEGIN CERTIFICATE REQUEST-----\n"),
    enrol.AuthorityShown("-----BEGIN CERTIFICATE-----\n"),
    enrol.CertificateIssued("-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n"),
    enrol.Refused("enrolment-malformed", "too long"),
)
INVITATION: Final = enrol.Invitation("wss://hub.example:8443/banks", "ab" * 32, "MDEyMzQ1Njc4OWFiY2RlZg")


class Unreleased(NamedTuple):
    """A golden file as it would be written today."""

    path: Path
    body: bytes


def tag(kind: type | object) -> str:
    """The name under which a kind travels."""
    return str(getattr(kind, "__struct_config__").tag)  # noqa: B009 -- a type of msgspec's that mypy does not know


def log() -> list[journal.Entry]:
    """The facts as one log of their source, in the order in which they stand here."""
    head, entries = journal.first_head(SOURCE, LOG_EPOCH), list[journal.Entry]()
    for number, fact in enumerate(FACTS, 1):
        kind, data = entry_parts(fact)
        stamp = journal.Stamp(7, NOON + timedelta(seconds=number), 1_000 * number, journal.Clock("ntp", 20))
        entries.append(journal.append_to(head, stamp, source=SOURCE, kind=kind, data=data))
        head = journal.head_after(entries[-1])
    return entries


def written() -> Iterable[Unreleased]:
    """Every golden file as this version would write it."""
    for entry in log():
        yield Unreleased(GOLDEN / "journal" / f"{entry.kind}.json", journal.write_entry(entry))
    head = journal.sign_head(KEY, SOURCE, journal.head_after(log()[-1]))
    yield Unreleased(GOLDEN / "journal-head" / "head.json", msgspec.json.encode(head))
    for name, sent in MANIFESTS.items():
        yield Unreleased(GOLDEN / "manifest" / f"{name}.json", sent.document.encode())
        yield Unreleased(GOLDEN / "manifest" / f"{name}.signature", sent.signature.encode())
    for message in MESSAGES:
        yield Unreleased(GOLDEN / "session" / f"{tag(message)}.json", wire.encode(message).encode())
    for said in ENROLMENT:
        yield Unreleased(GOLDEN / "enrolment" / f"{tag(said)}.json", enrol.encode(said))
    yield Unreleased(GOLDEN / "enrolment" / "invitation.txt", INVITATION.text.encode())


def kinds(*unions: Any) -> set[str]:
    """The names of all kinds of some unions."""
    return {tag(kind) for union in unions for kind in get_args(union)}


def main() -> None:
    """Write the golden files that are missing."""
    for one in written():
        if not one.path.exists():
            one.path.parent.mkdir(parents=True, exist_ok=True)
            one.path.write_bytes(one.body)
            print(one.path)


if __name__ == "__main__":
    main()
