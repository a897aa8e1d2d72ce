"""Whatever a source writes becomes a fact: a known one where it has the form, and kept as it came where it has not."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core import facts
from restante.core.ids import StayKey
from restante.core.stay import By, Evidence
from restante.hub.fleet.reading import adoption_of, fact_of
from restante.wire.journal import write_entry
from tests.hub.fleet.town import BANK, NOW, POINT, Book, parcel_id

KINDS = [kind.__struct_config__.tag for kind in facts.Known.__args__]
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for kind in facts.Known.__args__ for name in kind.__struct_fields__})


def test_a_known_kind_is_read_with_all_its_fields() -> None:
    """Given an entry of a known kind, when read, then the fact says what its data say, and fields unknown here pass."""
    data = {
        "parcel": parcel_id(1), "stay": [BANK, 1, 4], "grant": "g", "door": 3, "by": "recipient",
        "evidence": "sensor", "weight_kg": 2.5,
    }  # fmt: skip
    fact = fact_of(Book().write("parcel-taken-out", data))
    assert fact == facts.ParcelTakenOut(parcel_id(1), StayKey(BANK, 1, 4), "g", 3, By.RECIPIENT, Evidence.SENSOR)


def test_every_known_fact_comes_back_from_its_own_data() -> None:
    """Given facts as a source writes them, when their entries are read, then they are the same."""
    written: list[facts.Known] = [
        facts.DoorStuck(4, "g"), facts.Started("1.0", ("3",)), facts.ManifestApplied(1, 2), facts.DoorForced(1),
        facts.StayInherited(parcel_id(1), StayKey(BANK, 1, 4), 2), facts.CodeEntryClosed("keypad", 60),
    ]  # fmt: skip
    for fact in written:
        data = msgspec.to_builtins(fact)
        assert fact_of(Book().write(data.pop("kind"), data)) == fact


def test_an_unknown_kind_and_malformed_data_are_kept() -> None:
    """Given a kind unknown here, or known data of another form, when read, then the name and the data are kept."""
    assert fact_of(Book().write("door-sang", {"song": 1})) == facts.Unknown("door-sang", {"song": 1})
    assert fact_of(Book().write("door-stuck", {"door": "four"})) == facts.Unknown("door-stuck", {"door": "four"})
    assert fact_of(Book().write("unknown", {"name": "x", "data": {}})) == facts.Unknown(
        "unknown", {"name": "x", "data": {}}
    )


@settings(max_examples=150)
@given(st.sampled_from(KINDS) | st.text(min_size=1, max_size=20), st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_no_entry_is_an_error(kind: str, data: dict[str, Any]) -> None:
    """Given any entry that chains, when read, then it is a fact of its kind or an unknown one with all its data."""
    match fact_of(Book().write(kind, data)):
        case facts.Unknown(name=name, data=kept):
            assert (name, kept) == (kind, data)
        case fact:
            assert fact.__struct_config__.tag == kind


def test_the_command_carries_the_entry_and_never_a_later_time() -> None:
    """Given an entry with a clock that runs ahead, when adopted, then it happened no later than it was heard of."""
    entry = Book().put_in(1)
    command = adoption_of(entry, POINT, NOW - timedelta(hours=1))
    assert (command.at, command.entry) == (NOW - timedelta(hours=1), write_entry(entry))
    assert adoption_of(entry, POINT, NOW + timedelta(hours=1)).at == NOW
    assert (command.seq, command.hash, command.previous_hash) == (1, entry.hash, entry.previous_hash)
