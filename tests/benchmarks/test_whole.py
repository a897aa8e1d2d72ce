"""The table of all benchmarks: it shows what parts told, and says so where one failed or told nothing."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console

from benchmarks import retention, whole
from restante.cli.show import BenchPart
from restante.store.retention import Retired

RATE = {"median": 9_000.0, "low": 8_000.0, "high": 9_500.0}
CUSTODY: dict[str, Any] = {
    "lines": [
        {"batch": batch, "writers": 2, "rate": RATE, "batch_p99_ms": 31.4}
        for batch in (64, 256)
    ],
    "replayed": {"rate": {"median": 18_000.0}},
    "plain_sql": {"median": 3_000.0},
    "findings": [],
    "accepted": 100,
    "committed": 100,
    "missed": ["batch 256, 2 lanes: 9,000.0, floor 10,000"],
}  # fmt: skip


def text(found: dict[str, whole.Told]) -> str:
    """The table as it is printed."""
    console = Console(record=True, width=200)
    console.print(whole.table(found))
    return console.export_text()


def test_the_table_has_goals_beside_figures() -> None:
    """Given a part's report, then its rows stand beside floors and aims, and rows of parts that were not run do not."""
    shown = text({"custody": whole.read(json.dumps(CUSTODY).encode(), failed=False)})
    assert re.search(r"bulk, batch 256.*10,000.*20,000.*9,000 \(8,000 – 9,500\)", shown)
    assert re.search(r"to plain SQL.*3\.00", shown)
    assert re.search(r"own trips sent again.*0\.4 .*0\.50", shown)
    assert "HTTP" not in shown
    assert "failed" not in shown


def test_a_part_that_failed_is_told_of() -> None:
    """Given a part that missed a floor and one that printed nothing, then both are marked and complained of."""
    found = {
        "custody": whole.read(json.dumps(CUSTODY).encode(), failed=True),
        "http": whole.read(b"Traceback", failed=False),
    }
    assert "(failed)" in text(found)
    assert "no report" in text(found)
    assert whole.complaints(found) == [f"custody: {CUSTODY['missed'][0]}", "http: ended without a report"]
    assert whole.complaints({"custody": whole.read(json.dumps(CUSTODY).encode(), failed=False)}) == []


def test_every_part_can_be_asked_for_alone() -> None:
    """Given the parts of the table, then the command line knows each, and each is a program here."""
    assert set(whole.PARTS) < set(get_args(BenchPart))
    assert all((whole.ROOT / "benchmarks" / f"{name}.py").exists() for name in get_args(BenchPart) if name != "all")
    assert {row.part for row in whole.ROWS} == set(whole.PARTS)


def a_day(path: Path, *, events: int, locked_s: float) -> Retired:
    """A day that was retired into this file."""
    return Retired(date(2026, 3, 2), events, 0, str(path), 2.0, locked_s)


@pytest.mark.parametrize(("locked_s", "misses"), [(2.0, 0), (2.01, 1)])
def test_days_that_hold_batches_up_fail(tmp_path: Path, locked_s: float, misses: int) -> None:
    """Given two days, then rates and waits are of both; batches that waited for longer than the floor fail it."""
    path = tmp_path / "day"
    path.write_bytes(bytes(500))
    report = retention.report_of(9, [a_day(path, events=10, locked_s=one) for one in (0.1, locked_s)], [])
    assert (report.events_per_s, report.bytes_an_event, report.locked_most_s) == (5.0, 50.0, locked_s)
    assert (len(report.missed), report.wrong) == (misses, ())
    assert retention.report_of(9, [a_day(path, events=0, locked_s=0.1)], []).wrong == ("no day was retired",)
