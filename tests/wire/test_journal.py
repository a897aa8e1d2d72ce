"""The journal: what is changed, dropped, moved or cut is found, and named; what is resent does no harm."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.refusals import Refusal
from restante.wire import codec, journal
from restante.wire.journal import Accepted, Broken, Clock, Entry, Fork, Gap, Head, Stamp

SOURCE = "bank-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def stamp(second: int = 0) -> Stamp:
    """A stamp so many seconds after noon."""
    return Stamp(3, NOON + timedelta(seconds=second), 1000 * second, Clock("ntp", 20))


def log(length: int, *, source: str = SOURCE, word: str = "parcel") -> list[Entry]:
    """A log of so many entries."""
    head, entries = journal.first_head(source, 1), []
    for number in range(length):
        entry = journal.append_to(head, stamp(number), source=source, kind="Deposited", data={word: number})
        head = journal.head_after(entry)
        entries.append(entry)
    return entries


def head_of(entries: list[Entry], count: int) -> Head:
    """The head after so many of the entries."""
    return journal.head_after(entries[count - 1]) if count else journal.first_head(SOURCE, 1)


def rehashed(entry: Entry) -> Entry:
    """The entry with a hash that fits it: what a forger without the key would write."""
    return msgspec.structs.replace(entry, hash=journal.entry_hash(entry))


LOG = log(12)
START = journal.first_head(SOURCE, 1)


@given(st.integers(0, 12), st.integers(0, 12), st.data())
def test_resending_is_harmless(held: int, sent: int, data: st.DataObject) -> None:
    """Given a head, when entries from any earlier number on come again, even twice, then only the new ones count."""
    start = data.draw(st.integers(0, held))
    batch = [entry for entry in LOG[start:sent] for _ in range(data.draw(st.integers(1, 2)))]
    known = {entry.seq: entry.hash for entry in LOG[:held]}
    result = journal.check_batch(head_of(LOG, held), batch, source=SOURCE, known=known)
    assert result == Accepted(entries=tuple(LOG[held:sent]), head=head_of(LOG, max(held, sent)))


@given(st.integers(0, 11), st.sampled_from(sorted(Entry.__struct_fields__)))
def test_a_changed_field_is_found_and_named(at: int, field: str) -> None:
    """Given a log, when one field of one entry is changed, then the batch is refused at that entry's number."""
    changed = _change(LOG[at], field)
    result = journal.check_batch(START, [*LOG[:at], changed, *LOG[at + 1 :]], source=SOURCE)
    named = result.at_seq if isinstance(result, Fork) else result.seq if isinstance(result, Broken) else None
    assert named == changed.seq


def _change(entry: Entry, field: str) -> Entry:
    old = getattr(entry, field)
    match old:
        case int():
            new: Any = old + 1
        case str():
            new = "0" * 64 if len(old) == 64 else old + "x"
        case datetime():
            new = old + timedelta(milliseconds=1)
        case Clock():
            new = Clock(old.source, old.uncertainty_ms + 1)
        case _:
            new = {"other": 1}
    return msgspec.structs.replace(entry, **{field: new})


@given(st.integers(0, 10))
def test_a_forged_hash_is_found_at_the_next_entry(at: int) -> None:
    """Given an entry changed with its hash made to fit, when read, then the entry after it tells."""
    forged = rehashed(msgspec.structs.replace(LOG[at], kind="Withdrawn"))
    result = journal.check_batch(START, [*LOG[:at], forged, *LOG[at + 1 :]], source=SOURCE)
    assert result == Broken(seq=at + 2, why="it does not follow the entry before it")


@given(st.integers(0, 10))
def test_a_dropped_entry_is_named(at: int) -> None:
    """Given a batch without one of its entries, then a gap names it, and everything is to be sent again."""
    result = journal.check_batch(START, LOG[:at] + LOG[at + 1 :], source=SOURCE)
    assert result == Gap(expected_seq=1, missing_seq=at + 1)


@given(st.permutations(LOG[:6]))
def test_reordered_entries_are_a_gap(batch: list[Entry]) -> None:
    """Given entries out of order, then the first number not in its place is named."""
    result = journal.check_batch(START, batch, source=SOURCE)
    misplaced = next((at + 1 for at, entry in enumerate(batch) if entry.seq != at + 1), None)
    expected = Accepted(tuple(batch), head_of(LOG, 6)) if misplaced is None else Gap(1, misplaced)
    assert result == expected


@given(st.integers(1, 12), st.integers(0, 11))
def test_a_log_cut_short_is_found_by_its_signed_head(signed_at: int, kept: int) -> None:
    """Given a signed head and a log that ends earlier, then the first lost number is named."""
    signed = journal.sign_head(KEY, SOURCE, head_of(LOG, signed_at))
    known = {entry.seq: entry.hash for entry in LOG[:kept]}
    result = journal.check_head(signed, head_of(LOG, kept), known=known)
    cut = Broken(seq=kept + 1, why=f"cut short: {signed_at} entries were signed")
    assert result == (cut if signed_at > kept else None)


def test_a_signed_head_of_another_history_is_a_fork() -> None:
    """Given a signed head whose hash or epoch is not ours, then a fork is named."""
    other = log(5, word="other")
    signed = journal.sign_head(KEY, SOURCE, journal.head_after(other[4]))
    assert isinstance(journal.check_head(signed, head_of(LOG, 5)), Fork)
    known = {entry.seq: entry.hash for entry in LOG}
    assert journal.check_head(signed, head_of(LOG, 9), known=known) == Fork(
        at_seq=5, why="another entry was signed under this number"
    )
    assert journal.check_head(signed, journal.first_head(SOURCE, 2)) == Fork(at_seq=5, why="another log epoch")


@given(st.integers(0, 12), st.integers(1, 12))
def test_a_cloned_disk_that_wrote_on_is_a_fork(common: int, held: int) -> None:
    """Given two histories that part after some number, when the second is uploaded, then a fork names the parting."""
    head = head_of(LOG, common)
    clone = LOG[:common]
    for number in range(common, 12):
        entry = journal.append_to(head, stamp(number), source=SOURCE, kind="Withdrawn", data={})
        head = journal.head_after(entry)
        clone.append(entry)
    known = {entry.seq: entry.hash for entry in LOG[:held]}
    result = journal.check_batch(head_of(LOG, held), clone, source=SOURCE, known=known)
    if held <= common:
        assert result == Accepted(tuple(clone[held:]), journal.head_after(clone[-1]))
    else:
        assert isinstance(result, Fork)
        assert common < result.at_seq <= held


@given(st.integers(2, 12), st.integers(1, 12))
def test_overlap_is_never_taken_on_trust(held: int, start: int) -> None:
    """Given no hashes of the past, then an overlap counts only if it chains up to the head; else send from there."""
    batch = LOG[start - 1 : held - 1]
    result = journal.check_batch(head_of(LOG, held), batch, source=SOURCE)
    assert result == (Gap(held + 1, held + 1) if batch else Accepted((), head_of(LOG, held)))
    whole = journal.check_batch(head_of(LOG, held), LOG[start - 1 :], source=SOURCE)
    assert whole == (Accepted(tuple(LOG[held:]), head_of(LOG, 12)) if start <= held + 1 else Gap(held + 1, held + 1))


def test_another_past_shows_in_the_first_new_entry() -> None:
    """Given a head and an entry that follows another one, then a fork at the head; before any head, damage."""
    other = log(4, word="other")
    for held in (1, 3):
        assert journal.check_batch(head_of(LOG, held), other[held:], source=SOURCE) == Fork(
            at_seq=held, why="the next entry follows another one than the one held"
        )
    stranger = rehashed(msgspec.structs.replace(LOG[0], previous_hash="0" * 64))
    assert isinstance(journal.check_batch(START, [stranger], source=SOURCE), Broken)


def test_two_entries_of_one_batch_with_one_number_are_a_fork() -> None:
    """Given a batch with two different first entries, then a fork names the number."""
    result = journal.check_batch(START, [LOG[0], log(1, word="other")[0]], source=SOURCE)
    assert result == Fork(at_seq=1, why="two entries of one batch hold this number")


def test_a_damaged_epoch_is_damage_and_no_other_history() -> None:
    """Given an entry whose epoch was changed on its way, when it is checked, then it is broken and nobody is forked."""
    changed = msgspec.structs.replace(LOG[3], log_epoch=7)
    found = journal.check_batch(head_of(LOG, 3), [changed], source=SOURCE)
    assert found == Broken(seq=4, why="its hash is not the hash of what it says")


def test_entries_of_another_source_or_too_many_are_broken() -> None:
    """Given a log of another bank, or more than a batch holds, then nothing is taken."""
    assert journal.check_batch(START, log(2, source="bank-2"), source=SOURCE) == Broken(
        seq=1, why="written by another source"
    )
    assert isinstance(journal.check_batch(START, LOG, source=SOURCE, limit=11), Broken)
    assert journal.check_batch(START, [], source=SOURCE, limit=0) == Accepted((), START)


def test_no_two_logs_begin_alike() -> None:
    """The first hash depends on source and epoch, so the log of one cannot be shown as another's."""
    heads = {journal.first_head(source, epoch).hash for source in ("a", "b") for epoch in (1, 2)}
    assert len(heads) == 4


@given(st.binary(max_size=120))
def test_any_bytes_are_an_entry_or_a_refusal(raw: bytes) -> None:
    """Given any bytes, when read as an entry, then an entry or a refusal."""
    assert isinstance(journal.parse_entry(raw), Entry | Refusal)


@settings(max_examples=200)
@given(st.data())
def test_a_mangled_entry_never_passes_as_genuine(data: st.DataObject) -> None:
    """Given the bytes of an entry with some of them changed, then a refusal, a broken entry, or the same entry."""
    raw = bytearray(journal.write_entry(LOG[4]))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    entry = journal.parse_entry(bytes(raw))
    assert isinstance(entry, Refusal) or entry == LOG[4] or journal.entry_hash(entry) != entry.hash


def test_an_entry_reads_back_and_keeps_what_it_does_not_know() -> None:
    """Given an entry of a later version, when read and written, then its hash still holds, new fields and all."""
    document = journal.entry_to(LOG[2])
    document["extra"] = {"new": [1]}
    document["clock"]["leap"] = True
    body = codec.canonical({name: value for name, value in document.items() if name != "hash"})
    assert isinstance(body, bytes)
    document["hash"] = codec.digest(body)
    entry = journal.entry_from(document)
    assert isinstance(entry, Entry)
    assert journal.entry_to(entry) == document
    assert journal.entry_hash(entry) == entry.hash
    assert isinstance(journal.check_batch(head_of(LOG, 2), [entry], source=SOURCE), Accepted)


def test_time_stands_in_utc_milliseconds() -> None:
    """The wall time is written to the millisecond with a Z, whatever zone it was read in."""
    assert journal.entry_to(LOG[0])["wall_time"] == "2026-03-01T12:00:00.123Z"
    for ms in range(1000):
        exact = msgspec.structs.replace(stamp(), wall_time=NOON.replace(microsecond=1000 * ms))
        entry = journal.append_to(START, exact, source=SOURCE, kind="Deposited", data={})
        assert (entry.wall_time, journal.parse_entry(journal.write_entry(entry))) == (exact.wall_time, entry)
    assert journal.parse_entry(journal.write_entry(LOG[0])) == LOG[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 0),
        ("seq", -1),
        ("seq", "1"),
        ("seq", True),
        ("log_epoch", 0),
        ("boot", -1),
        ("previous_hash", "A" * 64),
        ("hash", "0" * 63),
        ("hash", "0" * 64 + "\n"),
        ("source", ""),
        ("kind", "x" * 129),
        ("kind", None),
        ("data", []),
        ("data", {"a": 2**53}),
        ("clock", None),
        ("clock", {}),
        ("clock", {"source": "ntp", "uncertainty_ms": -1}),
        ("wall_time", "2026-03-01T12:00:00Z"),
        ("wall_time", "2026-03-01T12:00:00.123"),
        ("wall_time", "2026-03-01T13:00:00.123+01:00"),
        ("wall_time", "2026-03-01T12:00:00.123456Z"),
        ("wall_time", "0001-01-01T00:00:00.000+10:00"),
        ("wall_time", 17),
    ],
)
def test_fields_that_are_not_as_they_should_be_are_refused(field: str, value: object) -> None:
    """Given an entry with one field out of its bounds, when read, then it is no entry."""
    result = journal.entry_from(journal.entry_to(LOG[0]) | {field: value})
    assert isinstance(result, Refusal)
    assert result.code == "entry-malformed"
    assert result.field in {"", field}


@pytest.mark.parametrize(("field", "value"), [("wall_time", "2026-03-01T12:00:00Z"), ("data", {"a": 2**53})])
def test_a_value_of_the_right_kind_and_the_wrong_form_is_named(field: str, value: object) -> None:
    """Given a time without milliseconds or a number JSON cannot hold, when read, then the field is named."""
    result = journal.entry_from(journal.entry_to(LOG[0]) | {field: value})
    assert isinstance(result, Refusal)
    assert (result.code, result.field) == ("entry-malformed", field)


@pytest.mark.parametrize("field", sorted(set(Entry.__struct_fields__) - {"extra"}))
def test_a_missing_field_is_refused(field: str) -> None:
    """Given an entry without one of its fields, when read, then it is no entry."""
    document = journal.entry_to(LOG[0])
    del document[field]
    assert isinstance(journal.entry_from(document), Refusal)


def test_a_signed_head_reads_back_and_is_bound_to_all_it_says() -> None:
    """Given a signed head, when any part of it is changed, then it is not genuine."""
    signed = journal.sign_head(KEY, SOURCE, head_of(LOG, 3))
    again = journal.head_from(msgspec.to_builtins(signed))
    assert again == signed
    assert journal.is_head_genuine(signed, KEY.public_key())
    for changed in (
        msgspec.structs.replace(signed, source="bank-2"),
        msgspec.structs.replace(signed, head=head_of(LOG, 4)),
        msgspec.structs.replace(signed, signature=signed.signature[:-1]),
        msgspec.structs.replace(signed, signature="ä"),
    ):
        assert not journal.is_head_genuine(changed, KEY.public_key())
    assert isinstance(journal.head_from({"source": 1}), Refusal)
    assert isinstance(journal.head_from(msgspec.to_builtins(signed) | {"source": "\ud800"}), Refusal)


def test_writing_what_json_cannot_hold_is_a_bug() -> None:
    """Given data no document can hold, or too much of it, when appended, then an assertion speaks, not a refusal."""
    for data in ({"a": 2**53}, {"a": "x" * journal.MAX_ENTRY_BYTES}):
        with pytest.raises(AssertionError):
            journal.append_to(START, stamp(), source=SOURCE, kind="Deposited", data=data)
