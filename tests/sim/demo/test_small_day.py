"""A whole day with real programs: hub, worker, two banks and a counter as processes, real mail, lines over TLS."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restante.sim.demo.setting import discard

PARCELS = 14


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the database's account can reach; what is left is deleted."""
    with tempfile.TemporaryDirectory(prefix="restante-demo-", ignore_cleanup_errors=True) as closed:
        Path(closed).chmod(0o711)
        yield Path(closed) / "demo"
        discard(Path(closed) / "demo")


@pytest.fixture(scope="module")
def day(folder: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the account of one small day."""
    arguments = ["demo", "--parcels", str(PARCELS), "--exit", "--banks", "2", "--counters", "1", "--pace", "2880"]
    # The city's map is not fetched here: its folder cannot be made, and the built-in list of places does.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RESTANTE_")}
    environ |= {"XDG_STATE_HOME": "/dev/null"}
    done = subprocess.run(
        [sys.executable, "-m", "restante", *arguments, "--json", "--state", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        timeout=240,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


pytestmark = pytest.mark.slow


def test_everybody_agrees_on_every_parcel(day: tuple[int, dict[str, Any]]) -> None:
    """Hub, machines and people tell the same of every parcel, and the exit code says so."""
    code, account = day
    assert account["disagreements"] == []
    assert code == 0
    assert account["parcels"] == PARCELS
    assert set(account["ended"]) <= {"collected", "released", "cancelled"}
    assert account["ended"] == account["stages"]


def test_what_the_day_is_for_has_happened(day: tuple[int, dict[str, Any]]) -> None:
    """A bank was cut off, a latch jammed, a hold lapsed and was taken back, a wrong code opened nothing."""
    _, account = day
    assert len(account["cut_off"]) == 1
    assert account["stuck_doors"] >= 1
    assert account["lapsed"] >= 1
    assert account["ended"]["released"] >= 1
    assert account["wrong_codes"] >= 1
    assert account["cases"]["door-stuck"] >= 1
    assert account["deposits"] == account["withdrawals"] > 0


def test_people_were_told_by_mail(day: tuple[int, dict[str, Any]]) -> None:
    """Every parcel put in while there was a line was followed by a mail, and its delay is in the account."""
    _, account = day
    assert account["mails"] >= account["ended"]["collected"]
    assert account["deposit_to_mail_ms"]["count"] >= 2
    assert 0 < account["deposit_to_mail_ms"]["p50"] <= account["deposit_to_mail_ms"]["p95"]


def test_nothing_is_left_running(day: tuple[int, dict[str, Any]], folder: Path) -> None:
    """When the demo has ended, so have all of its programs and its database."""
    assert day
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and process.joinpath("cmdline").exists():
            try:
                assert str(folder).encode() not in process.joinpath("cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
