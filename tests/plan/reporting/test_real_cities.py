"""The benchmarks of real cities: what they make of their files, and what they say where these are absent."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import plan_helsinki, plan_vienna
from restante.core.refusals import Refusal

HEAD = "name,country,type,status,lat,lon,city,post_code,street,is_247"
PEOPLE = """People by district
NUTS1;DISTRICT_CODE;POP_TOTAL;REF_DATE
AT1;90100;90;20140101
AT1;90100;100;20150101
AT1;90200;400;20150101
"""


def written(folder: Path, *rows: str) -> tuple[Path, Path]:
    """Both files of a small Vienna."""
    points, people = folder / "points.csv", folder / "people.csv"
    points.write_text("\n".join((HEAD, *rows)), encoding="utf-8")
    people.write_text(PEOPLE, encoding="utf-8")
    return points, people


ROWS = (
    "B1,AT,parcel_locker,Operating,48.20,16.37,Wien,1010,Graben 1,True",
    "S1,AT,pok|pop,Operating,48.20,16.37,Wien,1010,Graben 1,False",
    "B2,AT,parcel_locker,Disabled,48.21,16.38,Wien,1020,Praterstraße 2,True",
    "S2,AT,pok|pop,Operating,48.22,16.39,Wien,1020,Praterstraße 9,False",
    "B3,AT,parcel_locker,Operating,0.0,0.0,Wien,1020,Nowhere,True",
)


def test_vienna_is_its_spots_and_its_people(tmp_path: Path) -> None:
    """A bank and a shop at one spot are one place; what is out of use is a site; people are of the latest year."""
    its = plan_vienna.read(*written(tmp_path, *ROWS))
    assert not isinstance(its, Refusal)
    assert [(site.id.split(": ")[1], site.standing) for site in its.city.sites] == [
        ("B1", True),
        ("B2", False),
        ("S2", False),
    ]
    assert [round(sum(cell.parcels_per_day) / plan_vienna.RATES.parcels_per_person) for cell in its.city.cells] == [
        100,
        200,
        200,
    ]
    assert [cell.district for cell in its.city.cells] == ["1010", "1020", "1020"]
    assert "near-zero 1" in its.notes[0]
    assert "not-operating 1" in its.notes[0]


def test_people_without_a_place_are_not_dropped(tmp_path: Path) -> None:
    """A district in which the list has no point is named."""
    refused = plan_vienna.read(*written(tmp_path, ROWS[0]))
    assert isinstance(refused, Refusal)
    assert "1020" in refused.detail


@pytest.mark.parametrize(
    ("module", "main", "names"),
    [(plan_vienna, plan_vienna.main, ("POINTS", "PEOPLE")), (plan_helsinki, plan_helsinki.main, ("EXTRACT",))],
)
def test_absent_data_are_said_to_be_absent(
    module: ModuleType,
    main: Callable[[], int],
    names: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Nothing is planned, nothing written, and the message names the file."""
    for name in names:
        monkeypatch.setattr(module, name, tmp_path / f"{name}.file")
    monkeypatch.setattr("sys.argv", ["plan", str(tmp_path / "out")])
    assert main() == 2
    assert f"{names[0]}.file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
