"""A list made dirty in known ways: what was planted is found, and no clean row is rejected."""

from pathlib import Path

import msgspec
import pytest

from restante.carriers.lists.rules import RULES
from restante.core.refusals import Refusal
from restante.hub.network.schemas import PointGiven
from restante.sim.polish import data_dir
from tests.carriers.lists.bringing import judged, looked_through, rejected
from tests.carriers.lists.dirty import DEFECTS, ENGLISH, FIELDS, GERMAN, as_bytes, dirty_list


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("header", "delimiter", "encoding"), [(ENGLISH, ",", "utf-8"), (GERMAN, ";", "utf-16")])
def test_what_was_planted_is_found(seed: int, header: tuple[str, ...], delimiter: str, encoding: str) -> None:
    """Given 600 clean rows and five of each defect, then just those are rejected, each by the rule it breaks."""
    dirty = dirty_list(seed, clean=600, each=5)
    rows = judged(as_bytes(dirty.rows, header, delimiter, encoding=encoding))
    assert len(rows) == len(dirty.rows)
    for row in rows:
        if not row.is_rejected:
            msgspec.convert(row.body, PointGiven)
    assert rejected(rows) == {number: {rule} for number, rule in dirty.planted.items()}


def test_nothing_is_said_of_clean_rows() -> None:
    """Given streets such as Sternwartestraße and Testarossagasse, lockers and shops at one spot, then not a word."""
    dirty = dirty_list(4, clean=900, each=0)
    assert [row for row in judged(as_bytes(dirty.rows, FIELDS)) if row.findings] == []


def test_every_rule_that_keeps_a_point_out_is_planted_or_tried_by_itself() -> None:
    """A rule that nobody tries may be broken for years."""
    here = Path(__file__).parent
    tried = {rule for rule, _ in DEFECTS.values()}
    words = "".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    assert [rule for rule in RULES if rule not in tried and f'"{rule}"' not in words] == []


@pytest.fixture(scope="module")
def real() -> Path:
    """Real lists; skipped where the data are not at hand."""
    folder = data_dir()
    if folder is None or not (folder / "real" / "inpost_wien_points.csv").exists():
        pytest.skip("the real lists are absent: set RESTANTE_DATA to the folder of benchmark data")
    return folder / "real"


REAL = {
    "inpost_wien_points.csv": (662, {"not-operating": 216}, {"hours-unknown": 364, "same-place": 1}),
    "inpost_gb_sample_availability.csv": (500, {"not-operating": 60, "near-zero": 28, "never-open": 1}, {}),
    "inpost_warszawa_points.csv": (44, {}, {}),
}


@pytest.mark.parametrize("name", REAL)
def test_real_lists_lose_no_row_that_is_right(real: Path, name: str) -> None:
    """Given real lists, then each rule is broken as often as their description says, and no other one."""
    count, rejecting, warning = REAL[name]
    rows = judged((real / name).read_bytes())
    found: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for row in rows:
        for one in row.findings:
            found[one.rejects][one.rule] = found[one.rejects].get(one.rule, 0) + 1
    assert (len(rows), found[True], found[False]) == (count, rejecting, warning)


def test_real_lists_are_recognised(real: Path) -> None:
    """Given the real lists, then their dialect is found, and the country of the one that does not say it."""
    for name, country in (("inpost_wien_points.csv", ""), ("inpost_warszawa_points.csv", "PL")):
        found = looked_through((real / name).read_bytes())
        assert not isinstance(found, Refusal)
        assert (found.columns.dialect, found.country) == ("inpost", country)
