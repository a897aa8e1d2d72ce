"""The rings hold: who imports whom, which libraries stand where, and where no clock ticks."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import rings
from tests.house.tidy import ROOT

pytestmark = pytest.mark.no_cover  # the product is read here, not run

PACKAGE = ROOT / "src" / "restante"


def modules() -> dict[str, str]:
    """Dotted name and text of every module of the package."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def test_every_ring_keeps_to_its_tools() -> None:
    """Libraries, clocks, chance and the outside stand only where the house has put them."""
    found = {name: wrong for name, text in modules().items() if (wrong := rings.faults(name, text))}
    assert not found, "\n".join(f"{name}: {'; '.join(wrong)}" for name, wrong in found.items())


def test_a_bank_needs_no_more_than_the_base_wheel() -> None:
    """Every library of core, words, wire and edge is a dependency of the base wheel, not of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {name.partition(">=")[0] for name in project["dependencies"]}
    needed = set().union(*(rings.LIBRARIES[ring] for ring in ("core", "words", "wire", "edge")))
    assert needed <= base


PLANTED = {
    "library in core": ("restante.core.a", "import attrs", "library attrs"),
    "library from": ("restante.core.a", "from rich.table import Table", "library rich"),
    "network in core": ("restante.core.a", "import socket", "reaches outside: socket"),
    "file in core": ("restante.core.a", "open('a')", "reaches outside: open"),
    "psycopg in hub": ("restante.hub.engine", "import psycopg", "psycopg belongs to store"),
    "psycopg within": ("restante.hub.a.service", "from psycopg.rows import dict_row", "psycopg belongs to store"),
    "psycopg in a function": ("restante.sim.a", "def f():\n    import psycopg", "psycopg belongs to store"),
    "numpy in hub": ("restante.hub.insight.a", "import numpy as np", "numpy belongs to plan"),
    "sqlite in store": ("restante.store.ledger", "import sqlite3", "sqlite3 belongs to edge"),
    "now": ("restante.core.a", "from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
    "now, aliased": ("restante.wire.a", "import datetime as d\nd.datetime.now(d.UTC)", "datetime.datetime.now"),
    "today": ("restante.plan.a", "from datetime import date\ndate.today()", "datetime.date.today"),
    "time": ("restante.core.a", "import time\ntime.time()", "time.time"),
    "time, from": ("restante.wire.a", "from time import time as t\nt()", "time.time"),
    "uuid4": ("restante.core.a", "from uuid import uuid4", "uuid.uuid4"),
    "random": ("restante.plan.a", "import random\nrandom.random()", "random"),
    "secrets": ("restante.wire.a", "from secrets import token_bytes", "secrets.token_bytes"),
    "urandom": ("restante.wire.a", "import os\nos.urandom(8)", "os.urandom"),
}


@pytest.mark.parametrize(("module", "text", "what"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(module: str, text: str, what: str) -> None:
    """Each rule catches its least offence, however the name was imported."""
    assert what in "; ".join(rings.faults(module, text))


INNOCENT = {
    "a duration": ("restante.core.a", "from datetime import datetime, timedelta\ndatetime.fromtimestamp(0)"),
    "a uuid given": ("restante.core.a", "from uuid import UUID\nUUID(int=1)"),
    "a clock in the shell": ("restante.edge.agent", "import time\ntime.monotonic()"),
    "the database where it belongs": ("restante.store.ledger", "import psycopg\npsycopg.connect()"),
    "chance given by the shell": ("restante.core.a", "def f(random, secrets):\n    return random.choice(secrets)"),
    "a field called time": ("restante.core.a", "def f(event):\n    return event.time.time"),
}


@pytest.mark.parametrize(("module", "text"), INNOCENT.values(), ids=INNOCENT)
def test_honest_work_is_not_blamed(module: str, text: str) -> None:
    """Values of time and ids are no clocks, and the shell may have clocks."""
    assert rings.faults(module, text) == []


def lint_imports(at: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree at this place."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=at, env={**os.environ, "PYTHONPATH": str(at / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small house with the real plan: two rings, two slices, nothing wrong with it."""
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for name in ("", "core", "store", "hub", "hub/intake", "hub/fleet", "hub/engine"):
        folder = tmp_path / "src" / "restante" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("")
    return tmp_path


def test_the_plan_accepts_a_house_in_order(house: Path) -> None:
    """Without this the next test could pass for a wrong reason."""
    (house / "src/restante/hub/intake/__init__.py").write_text("import restante.hub.engine, restante.store")
    assert (answer := lint_imports(house)).returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("core/a.py", "import restante.store"),
        ("store/a.py", "import restante.hub"),
        ("hub/intake/a.py", "import restante.hub.fleet"),
        ("hub/engine/a.py", "import restante.hub.intake"),
        ("hub/a_slice_nobody_drew.py", ""),
        ("utils.py", ""),
    ],
)
def test_the_plan_refuses_a_wrong_import(house: Path, where: str, text: str) -> None:
    """An import outward, one between slices, and a package nobody drew each break a contract."""
    (house / "src" / "restante" / where).write_text(text)
    answer = lint_imports(house)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "BROKEN" in answer.stdout
