"""What this version stores and says is read by the version before, which runs beside it on one database."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from restante.sim.upgrade.versions import HistoryMissing, before
from tests.fixtures.shapes import FOLDERS, TESTS, is_kept

READS = """
import json, pathlib, sys
import msgspec
from restante.store import bodies
from restante.wire import session as wire
from restante.core.refusals import Refusal
from tests.fixtures.shapes import FOLDERS, TESTS, forms

plain = lambda value: msgspec.json.decode(msgspec.json.encode(value))
again = {}
for folder, kinds in FOLDERS.items():
    for name, kind in kinds.items():
        read = msgspec.json.decode(forms(folder, name)[-1].read_bytes(), type=kind)
        again[f"{folder}/{name}"] = plain(read)
for path in (TESTS / "core/golden").glob("*.json"):
    again[f"event/{path.stem}"] = plain(bodies.EVENT.decode(path.read_bytes()))
for path in (TESTS / "wire/golden/v1/session").glob("*.json"):
    found = [read(path.read_bytes()) for read in (wire.read_from_source, wire.read_from_hub)]
    heard = [one for one in found if not isinstance(one, Refusal)]
    again[f"message/{path.stem}"] = plain(heard[0])
print(json.dumps(again))
"""

DROPPED = {
    "store/source": "which manifest is in force: without it the mail with a drop-off's code goes out a minute later",
    "store/contact": "how long somebody is kept: without it until somebody asks to be forgotten",
}
"""What the version before loses when it writes a row again, and what follows from that."""


def written() -> Iterator[tuple[str, Path]]:
    """The golden files as this version writes them, by what they are."""
    for folder, kinds in FOLDERS.items():
        for name in kinds:
            found = (TESTS / folder / "golden").glob(f"{name}-[0-9]*.json")
            yield f"{folder}/{name}", max(found, key=lambda path: int(path.stem.rpartition("-")[2]))
    for family, folder in (("event", "core/golden"), ("message", "wire/golden/v1/session")):
        yield from ((f"{family}/{path.stem}", path) for path in (TESTS / folder).glob("*.json"))


def test_the_version_before_reads_what_this_one_writes(tmp_path: Path) -> None:
    """Given all that this version stores and says, when the version before reads it, then it loses what is known."""
    try:
        old = before(tmp_path)
    except HistoryMissing as missing:
        pytest.skip(str(missing))
    told = subprocess.run(
        [sys.executable, "-c", READS],
        env={**os.environ, **old.told},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    again = json.loads(told.stdout)
    lost = {name for name, path in written() if not is_kept(json.loads(path.read_bytes()), again[name])}
    assert lost == set(DROPPED)
