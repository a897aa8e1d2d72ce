"""What version 1 of the wire was released as is read for ever: the same values and, where signed, the same bytes."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from restante.core import facts
from restante.hub.fleet.reading import fact_of
from restante.wire import codec, enrol, journal, seal
from restante.wire import session as wire
from restante.wire.manifest import (
    Applied,
    Difference,
    Fresh,
    Grant,
    GrantKind,
    ListedCompartment,
    Manifest,
    Pinned,
    Settings,
    apply,
    apply_fresh,
    code_verifier,
    document_of,
    restored,
)
from tests.wire import samples
from tests.wire.samples import CHANGE, ENROLMENT, FACTS, FRESH, FULL, GOLDEN, KEY, LOG_EPOCH, MESSAGES, NEXT, SOURCE

PINNED = Pinned(SOURCE, LOG_EPOCH, seal.public_key_to_text(KEY.public_key()))


def stored(family: str, name: str) -> bytes:
    """A golden file."""
    return (GOLDEN / family / name).read_bytes()


def names(family: str, ending: str = ".json") -> set[str]:
    """The golden files of a family, without their ending."""
    return {path.stem for path in (GOLDEN / family).glob(f"*{ending}")}


def released(name: str) -> wire.ManifestSent:
    """A golden manifest as it was sent."""
    text, signature = stored("manifest", f"{name}.json").decode(), stored("manifest", f"{name}.signature").decode()
    return wire.ManifestSent(text, signature, full=name == "full")


def in_force() -> Applied:
    """The golden full manifest, applied."""
    applied = apply(None, released("full"), PINNED)
    assert isinstance(applied, Applied), applied
    return applied


def test_no_kind_travels_without_a_golden_file() -> None:
    """Given every kind of fact, message and manifest, when golden files are counted, then each has one, and no more."""
    assert names("journal") == samples.kinds(facts.Known)
    assert names("session") == samples.kinds(wire.FromSource, wire.FromHub)
    assert names("enrolment") == samples.kinds(enrol.Request, enrol.Answer)
    assert names("manifest") == names("manifest", ".signature") == {"full", "difference", "fresh"}
    assert {grant.kind for grant in FULL.grants.values()} == set(GrantKind)


RECKONED = {"hash", "previous_hash", "digest", "base", "signature"}
"""Fields that follow from the bytes of others, and so change when a later version adds a field."""


@pytest.mark.parametrize("one", list(samples.written()), ids=lambda one: f"{one.path.parent.name}/{one.path.name}")
def test_what_is_written_today_has_all_that_was_released(one: samples.Unreleased) -> None:
    """Given a value, when written today, then all that its golden file says stands in it, and perhaps more."""
    before = one.path.read_bytes()
    if one.path.suffix == ".json":
        assert is_kept(json.loads(before), json.loads(one.body))
    elif one.path.suffix == ".txt":
        assert before == one.body


def is_kept(released: Any, today: Any) -> bool:
    """Whether all that was released is still there."""
    match released, today:
        case dict(), dict():
            names = released.keys() - RECKONED
            return all(name in today and is_kept(released[name], today[name]) for name in names)
        case list(), list():
            return len(released) == len(today) and all(map(is_kept, released, today))
        case _:
            return bool(released == today)


def test_the_released_log_is_accepted_hash_for_hash() -> None:
    """Given the golden entries of one log, when checked as an upload, then they chain, and say what they said."""
    raw = [stored("journal", f"{samples.tag(fact)}.json") for fact in FACTS]
    entries = [entry for entry in map(journal.parse_entry, raw) if isinstance(entry, journal.Entry)]
    assert [journal.write_entry(entry) for entry in entries] == raw
    found = journal.check_batch(journal.first_head(SOURCE, LOG_EPOCH), entries, source=SOURCE)
    assert isinstance(found, journal.Accepted)
    assert tuple(map(fact_of, found.entries)) == FACTS
    head = journal.head_from(json.loads(stored("journal-head", "head.json")))
    assert isinstance(head, journal.SignedHead)
    assert journal.is_head_genuine(head, KEY.public_key())
    assert journal.check_head(head, found.head) is None


def test_the_released_manifests_are_applied_with_their_signatures() -> None:
    """Given the golden manifests, when applied in turn, then in force is what was meant, under the same signature."""
    full = in_force()
    assert full.manifest == FULL
    assert restored(full.document, full.as_of) == full
    amended = apply(full, released("difference"), PINNED)
    assert isinstance(amended, Applied), amended
    assert amended.manifest == NEXT
    sent = released("fresh")
    fresh = apply_fresh(full, wire.ManifestFresh(sent.document, sent.signature), PINNED)
    assert isinstance(fresh, Applied), fresh
    assert fresh.as_of == FRESH.as_of
    assert full.document.encode() == stored("manifest", "full.json")
    assert full.digest == CHANGE.base
    assert amended.digest == CHANGE.digest


def test_what_a_manifest_leaves_out_means_what_it_did() -> None:
    """Given documents that leave out what they may, when read, then it means what the first release meant by it."""
    assert msgspec.convert({}, Settings) == Settings(72, 168, 16_384, 8, 1, "UTC", "")
    plain = msgspec.convert({"kind": "deposit", "org": "carrier-1"}, Grant)
    empty = {"parcel": None, "parcel_code": "", "room_class": None, "stay": None, "door": None, "verifier": ""}
    always = {"not_before": None, "expires_at": None, "max_uses": 1, "offline": "always", "checks": (), "holder": ""}
    assert msgspec.structs.asdict(plain) == {"kind": "deposit", "org": "carrier-1", **empty, **always}
    given = {"door": 1, "module": 1, "size": 0, "reach_height_mm": 1}
    assert msgspec.structs.asdict(msgspec.convert(given, ListedCompartment)) == {
        **given,
        "abilities": (),
        "capacity": 1,
    }


def test_a_released_code_still_opens() -> None:
    """Given a code and the golden manifest, when its verifier is made again, then it is the one that was released."""
    made = code_verifier(
        samples.CODE, source_key=samples.SOURCE_KEY, source=SOURCE, log_epoch=LOG_EPOCH, settings=FULL.settings
    )
    assert in_force().manifest.grants["g-collect"].verifier == made


@pytest.mark.parametrize("message", MESSAGES, ids=samples.tag)
def test_a_released_message_is_heard(message: wire.FromSource | wire.FromHub) -> None:
    """Given a golden message of a session, when read by whom it is for, then it says what it said."""
    frame = stored("session", f"{samples.tag(message)}.json")
    heard = [read(frame) for read in (wire.read_from_source, wire.read_from_hub)]
    assert message in heard


@pytest.mark.parametrize("said", ENROLMENT, ids=samples.tag)
def test_a_released_message_of_enrolment_is_heard(said: enrol.Request | enrol.Answer) -> None:
    """Given a golden message of an enrolment, when read by whom it is for, then it says what it said."""
    raw = stored("enrolment", f"{samples.tag(said)}.json")
    assert said in (enrol.decode_request(raw), enrol.decode_answer(raw))


def test_a_released_invitation_is_read() -> None:
    """Given the golden invitation, when typed in, then it is the same invitation."""
    assert enrol.parse_invitation(stored("enrolment", "invitation.txt").decode()) == samples.INVITATION


KINDS: list[type[msgspec.Struct]] = [
    *(type(one) for one in (*FACTS, *MESSAGES, *ENROLMENT)),
    *(Manifest, Difference, Fresh, Grant, Settings, ListedCompartment, wire.SourceClock, wire.Tail),
]


def fields_in(value: Any) -> Iterator[str]:
    """Every name of a field anywhere in a document."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from fields_in(inner)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_is_left_out_of_the_golden_files(kind: type[msgspec.Struct]) -> None:
    """Given a kind, when its fields are looked for, then each stands in a golden file, or nothing would hold it."""
    found = {name for path in GOLDEN.rglob("*.json") for name in fields_in(json.loads(path.read_bytes()))}
    assert {one.encode_name for one in msgspec.structs.fields(kind)} <= found


def test_a_later_versions_fields_stay_in_what_is_signed_and_hashed() -> None:
    """Given golden bytes with fields of a later version, when kept and written again, then those are still there."""
    document = json.loads(stored("journal", "started.json"))
    del document["hash"]
    document |= {"weather": {"sun": True}}
    document["clock"]["leap"] = 1
    body = codec.canonical(document)
    assert isinstance(body, bytes)
    entry = journal.entry_from({**document, "hash": codec.digest(body)})
    assert isinstance(entry, journal.Entry)
    assert journal.entry_hash(entry) == entry.hash
    later = json.loads(document_of(FULL)) | {"weather": "sun"}
    later["grants"]["g-new"] = {"kind": "exchange", "org": "carrier-1"}
    kept = restored(json.dumps(later), FULL.issued_at)
    assert isinstance(kept, Applied)
    assert kept.kept_out == ("g-new",)
    assert json.loads(kept.document) == later
