"""The faces of the demo city are drawings a fitter could have measured: nothing overlaps and everything adds up."""

from itertools import combinations

import msgspec
import pytest

from restante.core.bank import SEATED_REACH_MM, Ability, Compartment, Place, parts
from restante.core.size import is_ladder
from restante.sim.faces import BANKS, COUNTERS, LADDER, CounterFace, Door, Face, Screen, drawing, modules, place_label

FACES: dict[str, Face | CounterFace] = {**BANKS, **COUNTERS}

faces = pytest.mark.parametrize("code", FACES)
banks = pytest.mark.parametrize("code", BANKS)
counters = pytest.mark.parametrize("code", COUNTERS)


def _compartments(face: Face | CounterFace) -> list[Compartment]:
    return [compartment for module in modules(face) for compartment in module.compartments]


def _place(compartment: Compartment) -> Place:
    assert compartment.place is not None
    return compartment.place


def _overlap(a: Place, b: Place) -> bool:
    return (
        a.x_mm < b.x_mm + b.width_mm
        and b.x_mm < a.x_mm + a.width_mm
        and a.y_mm < b.y_mm + b.height_mm
        and b.y_mm < a.y_mm + a.height_mm
    )


def test_twelve_different_banks_and_two_counters() -> None:
    """No two faces are alike, and every one says how it is drawn."""
    assert len(BANKS) == 12
    assert len(COUNTERS) == 2
    assert len({msgspec.json.encode(drawing(face)) for face in FACES.values()}) == 14


def test_the_city_has_small_and_large_banks() -> None:
    """From some 20 doors to the 148 of an average Polish machine; Rautatientori has the 50 of the pictures."""
    doors = {code: len(_compartments(face)) for code, face in BANKS.items()}
    assert min(doors.values()) == 21
    assert max(doors.values()) == doors["ELI"] == 148
    assert doors["RAU"] == 50


def test_one_small_bank_has_no_screen_and_two_are_cold() -> None:
    """The yard at Bulevardi has no screen; the station and the mall have cold columns, and warm ones too."""
    screens = {
        code: [row for column in face.columns for row in column.rows if isinstance(row, Screen)]
        for code, face in BANKS.items()
    }
    assert [code for code, found in screens.items() if not found] == ["BUL"]
    assert {code for code, face in BANKS.items() if any(column.cold for column in face.columns)} == {"RAU", "KLU"}
    assert all(not all(column.cold for column in face.columns) for face in BANKS.values())


def test_the_ladder_nests_and_is_used_whole() -> None:
    """Every size class nests in the next, and every one stands somewhere in the city."""
    assert is_ladder(LADDER)
    used = {compartment.size for face in BANKS.values() for compartment in _compartments(face)}
    assert used == set(range(len(LADDER.classes)))


@banks
def test_columns_are_equally_high(code: str) -> None:
    """The rows of every column of a bank add up to the same height."""
    assert len({sum(row.height_mm for row in column.rows) for column in BANKS[code].columns}) == 1


@banks
def test_doors_are_numbered_once(code: str) -> None:
    """Doors count 1, 2, 3 … down the columns from left to right, none twice and none left out."""
    numbers = [row.door for column in BANKS[code].columns for row in column.rows if isinstance(row, Door)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [compartment.door for compartment in _compartments(BANKS[code])] == numbers


@faces
def test_no_two_doors_overlap(code: str) -> None:
    """Each door has its own rectangle of the elevation."""
    places = [_place(compartment) for compartment in _compartments(FACES[code])]
    assert not any(_overlap(a, b) for a, b in combinations(places, 2))


@banks
def test_doors_and_screen_fill_the_front(code: str) -> None:
    """Doors and screen together cover the elevation between plinth and cap exactly."""
    face = BANKS[code]
    front = sum(column.width_mm * row.height_mm for column in face.columns for row in column.rows)
    doors = sum(_place(c).width_mm * _place(c).height_mm for c in _compartments(face))
    screen = sum(
        column.width_mm * row.height_mm for column in face.columns for row in column.rows if isinstance(row, Screen)
    )
    assert doors + screen == front
    assert min(_place(c).y_mm for c in _compartments(face)) == face.plinth_mm


@banks
def test_what_stands_behind_a_door_is_no_larger_than_the_door(code: str) -> None:
    """The inside of a size class fits behind its door, steel included."""
    for compartment in _compartments(BANKS[code]):
        inside = LADDER.classes[compartment.size].inside
        assert inside.width_mm + 60 <= _place(compartment).width_mm
        assert inside.height_mm + 10 <= _place(compartment).height_mm


@faces
def test_reach_is_the_middle_of_the_door(code: str) -> None:
    """Reach height is where the door's centre is, above the ground and below two metres and a bit."""
    for compartment in _compartments(FACES[code]):
        place = _place(compartment)
        assert place.y_mm < compartment.reach_height_mm < place.y_mm + place.height_mm
        assert abs(2 * compartment.reach_height_mm - 2 * place.y_mm - place.height_mm) <= 1
        assert 100 < compartment.reach_height_mm < 2_100


@banks
def test_abilities_follow_from_the_drawing(code: str) -> None:
    """A door is seated when within reach and cold when its column is, and the class it is counted under agrees."""
    face = BANKS[code]
    for module, column in zip(modules(face), face.columns, strict=True):
        for compartment in module.compartments:
            seated = SEATED_REACH_MM[0] <= compartment.reach_height_mm <= SEATED_REACH_MM[1]
            assert (Ability.SEATED in compartment.abilities) == seated
            assert (Ability.COLD in compartment.abilities) == column.cold
            assert parts(compartment.room_class) == (compartment.size, frozenset(map(str, compartment.abilities)))


@banks
def test_some_doors_of_each_bank_can_be_reached_sitting(code: str) -> None:
    """Every bank has seated doors, and every bank but a very low one has others too."""
    seated = [Ability.SEATED in compartment.abilities for compartment in _compartments(BANKS[code])]
    assert any(seated)
    assert not all(seated)


@banks
def test_screens_hang_where_a_person_sits_or_stands(code: str) -> None:
    """The lower edge of a screen is 0.7 to 0.9 m above the ground, so that its controls are under 1.22 m."""
    face = BANKS[code]
    for column in face.columns:
        for at, row in enumerate(column.rows):
            if isinstance(row, Screen):
                below = face.plinth_mm + sum(lower.height_mm for lower in column.rows[at + 1 :])
                assert 700 <= below <= 900


@banks
def test_a_drawing_has_the_agreed_shape(code: str) -> None:
    """Plain data: columns of rows that are a door or a screen and nothing else, plinth and cap."""
    plain = msgspec.json.decode(msgspec.json.encode(drawing(BANKS[code])))
    assert set(plain) == {"columns", "plinth_mm", "cap_mm"}
    for column in plain["columns"]:
        assert set(column) == {"width_mm", "cold", "rows"}
        assert all(set(row) in ({"door", "size", "height_mm"}, {"screen", "height_mm"}) for row in column["rows"])


@counters
def test_a_counter_is_one_module_of_shelf_places(code: str) -> None:
    """Shelf places are numbered once, hold at least one parcel, and can be served to somebody sitting."""
    (module,) = modules(COUNTERS[code])
    assert [c.door for c in module.compartments] == list(range(1, len(module.compartments) + 1))
    assert all(c.capacity >= 1 and Ability.SEATED in c.abilities for c in module.compartments)
    assert max(c.capacity for c in module.compartments) > 1


def test_shelf_places_are_labelled_by_board() -> None:
    """Place 1 is A1, the third of the third board of five is C3, and there is no place 16."""
    counter = COUNTERS["VUO"]
    assert [place_label(counter, number) for number in (1, 5, 6, 13, 16)] == ["A1", "A5", "B1", "C3", None]
