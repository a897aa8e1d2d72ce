"""Ids, sizes, classes and the other small values."""

from datetime import timedelta
from itertools import permutations
from uuid import RFC_4122, UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from restante.core.bank import Ability, Compartment, Source, SourceKind, is_room_class, parts, room_class
from restante.core.ids import (
    MAX_LANES,
    Lane,
    SourceId,
    StayKey,
    born_at,
    derived_id,
    is_laned_id,
    lane_for,
    lane_of,
    laned_id,
)
from restante.core.refusals import CODES, Fault, Refusal
from restante.core.size import Dimensions, Ladder, SizeClass, fits, is_ladder, smallest_rank
from restante.core.time import millis
from tests.core.scene import HOUR, NOW, a_module

lanes = st.integers(0, MAX_LANES - 1).map(Lane)
boxes = st.builds(Dimensions, *(st.integers(1, 60),) * 3)


@given(st.binary(min_size=8, max_size=8), lanes)
def test_a_laned_id_is_a_uuid_that_knows_its_lane(chance: bytes, lane: Lane) -> None:
    """Given chance and a lane, when an id is made, then it is a UUID of version 8 that tells its birth and its lane."""
    made = laned_id(NOW, chance, lane)
    assert (UUID(made).version, UUID(made).variant) == (8, RFC_4122)
    assert int(made.replace("-", "")[:12], 16) == millis(NOW)
    assert born_at(made) == NOW
    assert lane_of(made) == lane
    assert is_laned_id(made)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8), lanes, lanes)
def test_ids_sort_by_birth(earlier: bytes, later: bytes, here: Lane, there: Lane) -> None:
    """Given two instants, when ids are made, then they sort as the instants do."""
    assert laned_id(NOW, earlier, here) < laned_id(NOW + HOUR, later, there)


@given(st.text(), lanes)
def test_a_derived_id_is_the_same_again(name: str, lane: Lane) -> None:
    """Given a name, when an id is derived twice, then it is the same UUID of version 8 in the lane."""
    made = derived_id(name, lane)
    assert made == derived_id(name, lane)
    assert (UUID(made).version, UUID(made).variant) == (8, RFC_4122)
    assert lane_of(made) == lane


def test_what_is_no_id() -> None:
    """Given other text, when asked, then it is no id; and a stay's key is written with its three parts."""
    assert not is_laned_id("00000000-0000-4000-8000-000000000000")
    assert not is_laned_id("zz")
    assert 0 <= lane_for("anything", 7) < 7
    assert str(StayKey(SourceId("s"), 2, 3)) == "s/2/3"


def test_ids_and_lanes_are_what_they_ever_were() -> None:
    """Given what an id is made of, when it is made, then it is the one that is stored: rows are found by it."""
    born = NOW + timedelta(milliseconds=123)
    assert laned_id(born, bytes(range(1, 9)), Lane(513)) == "019cadc6-9afb-8708-9020-304050600201"
    assert laned_id(born, bytes(8), Lane(0)) == "019cadc6-9afb-8000-8000-000000000000"
    assert born_at(laned_id(born, bytes(8), Lane(0))) == born
    assert derived_id("case:door-stuck", Lane(513)) == "fd2f3d23-4a4e-8178-8f3c-de46d46e0201"
    assert [lane_for(f"parcel {number}", 16) for number in range(8)] == [3, 7, 13, 6, 12, 12, 13, 11]


@given(boxes, boxes)
def test_boxes_nest_by_some_rotation(parcel: Dimensions, inside: Dimensions) -> None:
    """Given two boxes, when one is tried in the other every way, then some way fits exactly when ``fits`` says so."""
    room = (inside.width_mm, inside.height_mm, inside.depth_mm)
    turned = permutations((parcel.width_mm, parcel.height_mm, parcel.depth_mm))
    assert fits(parcel, inside) == any(all(a <= b for a, b in zip(way, room, strict=True)) for way in turned)


LADDER = Ladder((
    SizeClass("A", Dimensions(80, 380, 640), 10_000),
    SizeClass("B", Dimensions(190, 380, 640), 25_000),
))  # fmt: skip


@given(boxes, st.integers(0, 40_000))
def test_the_smallest_rank_takes_the_parcel_and_no_smaller_one_does(parcel: Dimensions, weight_grams: int) -> None:
    """Given a parcel, when its rank is asked, then that class takes it and those below do not."""
    rank = smallest_rank(
        LADDER, Dimensions(parcel.width_mm * 7, parcel.height_mm * 7, parcel.depth_mm * 7), weight_grams
    )
    assume(isinstance(rank, int))
    assert isinstance(rank, int)
    assert weight_grams <= LADDER.classes[rank].max_weight_grams
    assert rank == 0 or smallest_rank(Ladder(LADDER.classes[:rank]), Dimensions(1, 1, 1), 99_999) != rank


def test_the_ladder_refuses_what_it_cannot_take() -> None:
    """Given a parcel too large or too heavy, when its rank is asked, then the refusal names which."""
    large = smallest_rank(LADDER, Dimensions(700, 1, 1), 1)
    heavy = smallest_rank(LADDER, Dimensions(1, 1, 1), 26_000)
    assert isinstance(large, Refusal)
    assert isinstance(heavy, Refusal)
    assert (large.code, heavy.code) == ("parcel-too-large", "parcel-too-heavy")
    assert smallest_rank(LADDER, Dimensions(1, 1, 1), 20_000) == 1
    assert (LADDER.rank("B"), LADDER.rank("Z")) == (1, None)
    assert is_ladder(LADDER)
    assert not is_ladder(Ladder(LADDER.classes[::-1]))
    low, high = LADDER.classes[:2]
    assert not is_ladder(Ladder((low, msgspec.structs.replace(high, max_weight_grams=low.max_weight_grams - 1))))
    assert not is_ladder(Ladder((high, msgspec.structs.replace(low, max_weight_grams=high.max_weight_grams))))


@given(st.integers(0, 99), st.sets(st.from_regex(r"[a-z]([a-z-]{0,8})", fullmatch=True), max_size=4))
def test_a_room_class_is_read_as_it_was_written(size: int, abilities: set[str]) -> None:
    """Given a size and abilities, when a class is named, then its parts are those."""
    name = room_class(size, abilities)
    assert is_room_class(name)
    assert parts(name) == (size, frozenset(abilities))


@pytest.mark.parametrize("text", ["", "zz", "-1", "1+", "+cold", "1++a", "٣", "1+Cold", "9" * 9, "1\n"])
def test_what_is_no_room_class(text: str) -> None:
    """Given other text, when asked, then it is no room class."""
    assert not is_room_class(text)


def test_a_compartment_within_reach_is_counted_as_seated() -> None:
    """Given reach heights, when the class is asked, then those of EN 301 549 count as seated."""
    assert [Compartment(1, 0, height).room_class for height in (379, 380, 1220, 1221)] == ["0", *["0+seated"] * 2, "0"]
    cold = [Compartment(1, 0, height, (Ability.COLD,)).room_class for height in (379, 380)]
    assert cold == ["0+cold", "0+cold+seated"]
    assert len(list(Source(SourceId("s"), SourceKind.BANK, (a_module(),)).compartments())) == 5


def test_refusals_and_faults_speak() -> None:
    """Given a code, when a refusal is made, then it has its rule; a code nobody wrote down is a bug."""
    assert Refusal("no-room").rule == CODES["no-room"]
    with pytest.raises(AssertionError, match="undocumented"):
        Refusal("never-heard-of")
    assert str(Fault()) == "The world failed."
    assert str(Fault("other")) == "other"
    assert str(type("BoardSilent", (Fault,), {"__doc__": None})()) == "BoardSilent"
