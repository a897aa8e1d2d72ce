"""The benchmark of growth: what it fills, how it judges, and that it refuses what does not fit on the disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import psycopg
import pytest

from benchmarks import curve, growth, stored
from benchmarks.ending import exit_code
from benchmarks.growth_asks import EXTENSIONS, Asked, events_of
from benchmarks.growth_disk import disk_of, hot_shares
from benchmarks.waits import Waits
from benchmarks.writer import Stint
from restante.core.ids import born_at, lane_of
from restante.core.parcel import stage_of
from restante.hub.programs import real_now
from restante.store.postgres import open_ledger

NUMBERS = stored.numbers(10_000_000)


def test_a_network_that_works_off_its_retention() -> None:
    """Given ten million parcels over 100 days, then the log is of 20 days, receipts of 7, and 3 % lie behind doors."""
    assert 10_000_000 - NUMBERS["log_from"] == 2_000_000
    assert 10_000_000 - NUMBERS["receipts_from"] == 700_000
    assert 10_000_000 - NUMBERS["held_from"] == 300_000
    assert stored.numbers(1_000)["held_from"] == 400
    assert stored.numbers(100)["held_from"] == 0


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """Given the bound of 40 GB, then ten million are filled where there is space, and twenty million nowhere."""
    assert 30 < stored.need_gb(10_000_000) < stored.MOST_GB
    stored.check_space(1_000, tmp_path)
    with pytest.raises(stored.NoSpace, match="20,000,000 parcels need some"):
        stored.check_space(20_000_000, tmp_path)


async def test_stored_parcels_are_such_as_the_engine_writes(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a fill that stopped half way, when it goes on, then every parcel can be read, is where its id says, and has
    its log, timers and names.
    """
    monkeypatch.setattr(stored, "SLICE", 400)
    with monkeypatch.context() as broken:
        broken.setattr(stored, "_fill_slice", _stopping_at(800))
        with pytest.raises(InterruptedError):
            await stored.fill(database, tmp_path, 1_000, said=print)
    probes = await stored.fill(database, tmp_path, 1_000, said=print)
    assert await stored.fill(database, tmp_path, 1_000, said=print) == probes
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM parcel").fetchone() == (1_002,)
        assert db.execute("SELECT count(*) FROM event_other_days").fetchone() == (0,)
        assert disk_of(db, 1_000)["parcel"].heap > 500
    async with open_ledger(database) as ledger:
        found = await ledger.parcels(probe.parcel for probe in probes)
        assert {type(stage_of(found[probe.parcel])).__name__ for probe in probes} == {"Collected", "Held"}
        assert all(lane_of(one) in {0, 1} and born_at(one) < real_now() for one in found)
        held = next(probe for probe in reversed(probes) if probe.is_held)
        assert [row.version for row in await ledger.history(held.parcel)][-1] == 8
        due = await ledger.claim_timers(real_now(), 2_000, 1.0)
        lived = 1  # the parcel that the engine left behind a door, as the template of the others
        assert len(due) == 2 * (stored.numbers(1_000)["due_to"] - stored.numbers(1_000)["held_from"] + lived)
        assert {row.parcel for row in due}.isdisjoint(probe.parcel for probe in probes if probe.is_held)


def _stopping_at(first: int) -> Callable[[str, dict[str, Any]], None]:
    """What fills slices, and is interrupted at one."""
    fill_slice = stored._fill_slice

    def fill(dsn: str, given: dict[str, Any]) -> None:
        if given["first"] == first:
            raise InterruptedError
        fill_slice(dsn, given)

    return fill


def a_size(stored_: int, rate: float, p50_ms: float) -> growth.Size:
    """What was measured at one size."""
    spread, waits = growth.Spread(rate, rate, rate), Waits(9, p50_ms, p50_ms, p50_ms)
    every = dict.fromkeys(growth.DRAWN, waits)
    return growth.Size(stored_, 1.0, {"new lives, batches of 256": spread}, every, {}, 1000.0, {"parcel": 0.5})


@pytest.mark.parametrize(("rate", "p50_ms", "misses"), [(50.0, 4.0, 0), (49.9, 4.0, 1), (50.0, 4.1, len(growth.DRAWN))])
def test_a_network_that_slows_down_fails(rate: float, p50_ms: float, misses: int) -> None:
    """Given half the rate and four times the wait it passes; a little less or more fails, unless floors are off."""
    sizes = (a_size(1_000, 100.0, 1.0), a_size(100_000, 75.0, 2.0), a_size(10_000_000, rate, p50_ms))
    report = growth.Report(sizes, (), tuple(growth.missed(sizes)))
    assert len(report.missed) == misses
    assert exit_code(report, floors=True) == int(misses > 0)


def test_lost_events_and_refusals_fail() -> None:
    """Given a writer that was told of more events than were committed, or refused, then the figures are worthless."""
    sound = Stint(1.0, 3.0, 20, 30, 30, (0.1, 0.2), 0.0, 0.0)
    assert events_of("a", [sound, sound]).wrong == []
    assert events_of("a", [sound, sound]).rates == {"a": 20.0}
    assert len(events_of("a", [sound, msgspec.structs.replace(sound, committed=29)]).wrong) == 1
    assert events_of("a", [msgspec.structs.replace(sound, refused=("no",))]).wrong == ["no"]


def test_shares_count_what_happened_between_two_looks() -> None:
    """Given updates before and after, then the share is that of those between; a table at rest has none."""
    assert hot_shares({"parcel": (10, 10), "room": (4, 4)}, {"parcel": (20, 12), "room": (4, 4)}) == {"parcel": 0.2}


def test_the_curve_can_be_read() -> None:
    """Given lines over sizes, then the picture is XML that names each; a line that starts at nothing is left out."""
    sizes = (a_size(1_000, 100.0, 1.0), a_size(10_000_000, 40.0, 3.0))
    drawn = growth.lines(sizes)
    assert [point.value for point in drawn["a second: new lives"]] == [1.0, 0.4]
    text = curve.draw("Growth & <more>", drawn)
    root = ET.fromstring(text)
    told = {one.text for one in root.iter() if one.text}
    assert {"Growth & <more>", "wait: timers claimed", "10,000,000", "1 ×"} <= told
    assert curve.relative({"nothing": [curve.Point(1, 0.0), curve.Point(2, 5.0)]}) == {}


def test_a_small_scale_still_asks() -> None:
    """Given a scale of next to nothing, then everything is asked a few times: a run of nothing proves nothing."""
    assert Asked("", Path(), [], 0.0001, "x").some(EXTENSIONS) == 5
