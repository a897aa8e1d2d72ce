"""Real days of Polish networks: the reader takes them whole and refuses everything else by line, field and rule."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.core.size import is_ladder
from restante.sim.polish import (
    CENTRES,
    LADDER,
    LETTERS,
    Instance,
    Malformed,
    data_dir,
    instance_paths,
    next_best,
    read_instance,
    repeated,
    synthetic_instance,
    synthetic_layout,
    write_instance,
)

SMALL = synthetic_instance(Random(7), lockers=4, orders=9)
FILE = write_instance(SMALL)


@pytest.fixture(scope="module")
def real() -> list[tuple[Path, Instance]]:
    """All real instances, read; skipped where the data are not at hand."""
    folder = data_dir()
    if folder is None or not instance_paths(folder):
        pytest.skip("the Polish instances are absent: set RESTANTE_DATA to the folder of benchmark data")
    read = [(path, read_instance(path.read_bytes())) for path in instance_paths(folder)]
    assert [result for _, result in read if isinstance(result, Malformed)] == []
    return [(path, result) for path, result in read if isinstance(result, Instance)]


def test_every_real_file_reads_back_word_for_word(real: list[tuple[Path, Instance]]) -> None:
    """Nothing in a real file is lost on the way through our values."""
    for path, instance in real:
        assert write_instance(instance).split() == path.read_bytes().split(), path.name


def test_radom_is_as_published(real: list[tuple[Path, Instance]]) -> None:
    """Both Radom days have 81 lockers and the orders their names promise."""
    orders = {path.stem: len(day.orders) for path, day in real if path.stem.startswith("Radom")}
    assert orders == {"Radom_0.002_17200": 419, "Radom_0.004_19200": 837}
    assert {len(day.lockers) for path, day in real if path.stem.startswith("Radom")} == {81}


def test_locations_count_from_one(real: list[tuple[Path, Instance]]) -> None:
    """Read from 1, no locker is sent more than it has free; read from 0, the last location would have no locker."""
    for path, day in real:
        sent = [[0, 0, 0] for _ in day.lockers]
        for order in day.orders:
            sent[order.locker - 1][LETTERS.index(order.size)] += order.is_delivery
        assert all(
            wanted <= free
            for row, locker in zip(sent, day.lockers, strict=True)
            for wanted, free in zip(row, locker.free, strict=True)
        ), path.name
        assert max(order.locker for order in day.orders) == len(day.lockers)


@pytest.mark.parametrize(("city", "matrix"), [("Radom", "4_Radom"), ("OstrowWlkp", "6_OstrowWlkp"), ("Lodz", "2_Lodz")])
def test_place_zero_is_the_depot(real: list[tuple[Path, Instance]], city: str, matrix: str) -> None:
    """The published matrix of a city with its last depot moved to the front is the matrix of its instances."""
    folder = data_dir()
    assert folder is not None
    text = (folder / "polish_locker_cities" / f"matrix_{matrix}.txt").read_text(encoding="ascii")
    published = [[int(float(word)) for word in line.split()] for line in text.splitlines() if line.strip()]
    for _, day in ((path, day) for path, day in real if path.stem.startswith(city)):
        order = [len(published) - 1, *range(len(day.lockers))]
        assert day.metres == tuple(tuple(published[a][b] for b in order) for a in order)


def test_every_city_has_a_centre_and_a_fair_map(real: list[tuple[Path, Instance]]) -> None:
    """The made-up map of each city stays under a stress of 0.2."""
    for path, day in real:
        assert path.stem.split("_")[0] in CENTRES
        layout = synthetic_layout(day)
        assert len(layout.xy_m) == len(day.lockers)
        assert layout.stress < 0.2, path.name


def test_the_polish_sizes_form_a_ladder() -> None:
    """A nests in B and B in C."""
    assert is_ladder(LADDER)
    assert tuple(rung.name for rung in LADDER.classes) == LETTERS


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 60))
@settings(max_examples=40)
def test_written_is_read(seed: int, lockers: int, orders: int) -> None:
    """A made-up day survives being written and read, and the same seed makes the same day."""
    day = synthetic_instance(Random(seed), lockers=lockers, orders=orders)
    assert read_instance(write_instance(day)) == day
    assert day == synthetic_instance(Random(seed), lockers=lockers, orders=orders)


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_made_up_orders_fit(seed: int) -> None:
    """A made-up day asks for exactly the orders named and never for more than is free."""
    day = synthetic_instance(Random(seed), lockers=3, orders=100)
    assert len(day.orders) == 100
    for locker in day.lockers:
        for rank, letter in enumerate(LETTERS):
            wanted = sum(order.locker == locker.number and order.size == letter for order in day.orders)
            assert wanted <= locker.free[rank]


def test_repeated_orders() -> None:
    """A day three times over has three times the orders and the same banks."""
    heavy = repeated(SMALL, 3)
    assert heavy.orders == SMALL.orders * 3
    assert heavy.lockers == SMALL.lockers


def test_next_best_goes_by_the_road_from_here() -> None:
    """The others come nearest first by the way there, without the depot and without the locker itself."""
    order = next_best(SMALL, 2)
    assert sorted(order) == [1, 3, 4]
    ways = [SMALL.metres[2][k] for k in order]
    assert ways == sorted(ways)


def _spoiled(line: int, text: str) -> bytes:
    lines = FILE.split(b"\n")
    lines[line - 1] = text.encode()
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("line", "text", "field"),
    [
        (1, "0 4 1", "n"),
        (1, "9 4", "v"),
        (1, "9 4 1 1", "v"),
        (1, "9 2001 1", "m"),
        (1, "9 4 one", "v"),
        (1, "", "n"),
        (2, "30 60 700 9", "start_hour"),
        (2, "30 60 700 24.00", "start_hour"),
        (2, "30 60 700 -1.00", "start_hour"),
        (2, "30 60 0 9.00", "van_capacity"),
        (2, "30 60 700", "start_hour"),
        (3, "3 5 1 1", "size"),
        (3, "1 26 1 1", "weight"),
        (3, "1 5 5 1", "location"),
        (3, "1 5 0 1", "location"),
        (3, "1 5 1 2", "is_delivery"),
        (3, "1 +5 1 1", "weight"),
        (3, "1 5_0 1 1", "weight"),
        (12, "1 1 1 1 1", "metres 0 to 0"),
        (12, "0 0 1 1 1", "metres 0 to 1"),
        (12, "0 1 1 1 9999999999999", "metres 0 to 4"),
        (12, "0 1 1 1", "metres 0 to 4"),
        (17, "2 1 1 1", "id"),
        (17, "1 1 -1 1", "freeB"),
        (17, "1 1 1 1001", "freeC"),
        (21, "1 1 1 1", "text"),
        (5, "1 5 ż 1", "text"),
    ],
)
def test_a_broken_line_is_named(line: int, text: str, field: str) -> None:
    """Whatever a line breaks, the refusal names that line, the field and a rule."""
    refused = read_instance(_spoiled(line, text))
    assert isinstance(refused, Malformed)
    assert (refused.code, refused.line, refused.field) == ("instance-malformed", line, field)
    assert refused.rule


@pytest.mark.parametrize("line", range(1, 21))
def test_a_missing_line_is_refused(line: int) -> None:
    """A file that has lost any one of its lines is never taken for a day."""
    lines = FILE.split(b"\n")
    assert isinstance(read_instance(b"\n".join(lines[: line - 1] + lines[line:])), Malformed)


def test_a_large_header_over_an_empty_file_costs_nothing() -> None:
    """A header that promises millions of numbers is refused at the first line that is not there."""
    assert read_instance(b"100000 2000 1\n30 60 700 9.00\n") == Malformed(3, "size", "the line is missing")


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    """Any bytes give an answer, and never an exception."""
    assert isinstance(read_instance(noise), Malformed | Instance)


@given(st.data())
@settings(max_examples=200)
def test_damaged_files_get_an_answer(data: st.DataObject) -> None:
    """A good file with bytes cut, changed or put in is either refused with a line or is a day that writes itself."""
    start = data.draw(st.integers(0, len(FILE)))
    end = data.draw(st.integers(start, min(len(FILE), start + 20)))
    junk = data.draw(st.binary(max_size=8) | st.text("0123456789 .\n-", max_size=8).map(str.encode))
    spoiled = FILE[:start] + junk + FILE[end:]
    result = read_instance(spoiled)
    if isinstance(result, Malformed):
        assert 1 <= result.line <= spoiled.count(b"\n") + 2
    else:
        assert read_instance(write_instance(result)) == result


def test_the_data_folder_is_named_or_absent(tmp_path: Path) -> None:
    """The environment decides where data lie; a folder that is not there is None, not a surprise later."""
    assert data_dir({"RESTANTE_DATA": str(tmp_path)}) == tmp_path
    assert data_dir({"RESTANTE_DATA": str(tmp_path / "gone")}) is None
    assert instance_paths(tmp_path) == ()
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    assert data_dir({}) == (beside if beside.is_dir() else None)
