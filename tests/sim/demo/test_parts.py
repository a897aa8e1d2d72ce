"""The demo's parts by themselves: its time, its lines, its fates, what a watcher makes of the feed, and the screen."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.core.bank import SourceKind
from restante.core.events import AnyEvent
from restante.sim.demo.day import SHARES, roles
from restante.sim.demo.display import Scene, as_line, as_svg, sentence
from restante.sim.demo.ground import Role
from restante.sim.demo.lines import Line, open_line
from restante.sim.demo.pace import FROM, PACE, PacedClock, PaceMalformed, read_clock
from restante.sim.demo.picture import FIGURES, Picture, PointSeen
from restante.sim.demo.setting import MARK, FolderTaken, _own

START = datetime(2026, 3, 2, 7, tzinfo=UTC)
POINT = "p-1"


# --- time


def test_a_paced_hour_is_an_hour_of_the_day() -> None:
    """At a pace of 1440 a minute of real time is a day, and every program is told the same."""
    clock = PacedClock(START, 1440.0)
    assert clock.at(START + timedelta(minutes=1)) == START + timedelta(days=1)
    assert clock.real_seconds(24) == 60
    assert read_clock(clock.environment()) == clock


def test_outside_the_demo_time_is_real() -> None:
    """Without a word from a demo, time is the clock's."""
    real = datetime.now(UTC)
    assert timedelta(0) <= read_clock({}).now() - real < timedelta(seconds=5)


@pytest.mark.parametrize(
    "said", [{FROM: "soon"}, {FROM: "2026-03-02T07:00:00"}, {FROM: START.isoformat(), PACE: "0"}, {FROM: "", PACE: "x"}]
)
def test_a_time_that_cannot_be_told_is_a_fault(said: dict[str, str]) -> None:
    """A wrong start or pace is named, not guessed at."""
    with pytest.raises(PaceMalformed):
        read_clock(said)


# --- lines


async def _echo() -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def _call(line: Line) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", line.port)


async def test_a_line_passes_bytes_on_until_it_is_cut() -> None:
    """A whole line carries bytes both ways; cut, it breaks the call and takes none; healed, it carries again."""
    hub = await _echo()
    line = await open_line(hub.sockets[0].getsockname()[1])
    reader, writer = await _call(line)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    line.cut()
    assert await _is_gone(reader)
    writer.close()
    reader, writer = await _call(line)
    assert await _is_gone(reader)
    writer.close()
    line.heal()
    reader, writer = await _call(line)
    writer.write(b"again")
    assert await reader.readexactly(5) == b"again"
    writer.close()
    await line.close()
    hub.close()


async def _is_gone(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(5):
            return await reader.read(1) == b""
    except ConnectionResetError:
        return True


# --- fates


@given(st.integers(12, 2_000), st.integers())
def test_every_fate_is_met_where_there_are_parcels_enough(count: int, seed: int) -> None:
    """A day has as many fates as parcels, one jam, every rare fate at least once, and mostly people who come."""
    found = Counter(roles(count, Random(seed)))
    assert found.total() == count
    assert found[Role.MEETS_A_JAM] == 1
    assert all(found[role] >= 1 for role in SHARES)
    assert count < 100 or found[Role.COLLECTS] > 0.7 * count


# --- the picture


def event(kind: str, **body: Any) -> dict[str, Any]:
    """An event as the feed tells it."""
    return {"at": START.isoformat(), "event": {"kind": kind, **body}}


def deposited(parcel: str, door: int = 3, by: str = "courier") -> dict[str, Any]:
    """A parcel of size M was put in."""
    return event("parcel-deposited", parcel=parcel, point=POINT, door=door, room_class="1+seated", by=by)


def picture() -> Picture:
    """A network of one bank."""
    return Picture({POINT: PointSeen("Kaivopiha", SourceKind.BANK, {0: 4, 1: 8})})


def test_a_picture_counts_what_the_feed_tells() -> None:
    """After an announcement, a deposit and a collection the figures say one each, and nothing waits."""
    seen = picture()
    seen.take(event("parcel-announced", parcel="a", org="satama", code="ABCD1234"))
    told = seen.take(deposited("a"))
    assert told is not None
    assert told.words == "ABCD 1234 is put in at Kaivopiha, door 3"
    assert seen.waiting == 1
    seen.take(event("parcel-withdrawn", parcel="a", point=POINT, door=3, room_class="1+seated", by="recipient"))
    assert (seen.waiting, seen.figures["collected"], seen.figures["taken back"]) == (0, 1, 0)
    assert seen.figures["announced"] == seen.figures["deposited"] == 1


def test_a_case_stands_out() -> None:
    """What a person should look at is marked, and counted by kind."""
    seen = picture()
    told = seen.take(event("point-case-opened", point=POINT, case="c", what="door-stuck", detail="5"))
    assert told is not None
    assert told.stands_out
    assert seen.cases == {"door-stuck": 1}


def test_the_figures_count_events_that_exist() -> None:
    """No figure waits for a kind of event that nobody writes."""
    kinds = {str(kind.__struct_config__.tag) for kind in AnyEvent.__args__}
    assert {kind for kind in FIGURES.values() if kind} <= kinds


def scene() -> Scene:
    """A Monday morning."""
    return Scene(START, "Europe/Helsinki", 240.0, {"API": "http://127.0.0.1:1/v1"}, "© OpenStreetMap contributors")


def test_the_screen_shows_no_old_number_as_new() -> None:
    """A bank that is cut off shows a question mark and how long it has been gone, not its last count."""
    seen = picture()
    seen.take(deposited("a"))
    assert "1/8" in as_svg(seen, scene()).replace("&#160;", " ")
    seen.points[POINT].cut_since = START - timedelta(hours=3)
    drawn = as_svg(seen, scene()).replace("&#160;", " ")
    assert "?/8" in drawn
    assert "@font-face" not in drawn
    assert "1/8" not in drawn
    assert "cut off 3 h" in drawn
    assert sentence(seen).endswith("One is cut off.")


def test_an_event_is_a_line_in_the_citys_own_time() -> None:
    """Times on the screen are those of the place."""
    told = picture().take(deposited("a"))
    assert told is not None
    assert as_line(told, "Europe/Helsinki").plain.startswith("09:00  ")


# --- folders


def test_a_folder_is_wiped_only_if_a_demo_made_it(tmp_path: Any) -> None:
    """A folder with somebody's files is refused; one that a demo left is made new."""
    with _own(tmp_path / "demo"):
        (tmp_path / "demo" / "left").write_text("old")
    with _own(tmp_path / "demo"):
        assert not (tmp_path / "demo" / "left").exists()
        assert (tmp_path / "demo" / MARK).exists()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "letter").write_text("kept")
    with pytest.raises(FolderTaken), _own(tmp_path / "own"):
        pass
    assert (tmp_path / "own" / "letter").read_text() == "kept"
