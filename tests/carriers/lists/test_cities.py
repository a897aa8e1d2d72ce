"""Lists that planning starts from: cells, sites and standing points, with every row kept out told of."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restante.carriers.lists.cities import Brought, bring_cells, bring_sites, bring_standing
from restante.carriers.lists.survey import Wish
from restante.core.bank import SourceKind
from restante.core.refusals import Refusal
from restante.plan.importing.rates import Rates
from restante.plan.siting.cells import Site

RATES = Rates(parcels_per_person=0.1, parcels_per_passer_by=0.01, size_shares=(0.5, 0.3, 0.2))


def cells(text: str, wish: Wish | None = None) -> Brought | Refusal:
    """A list of demand brought in."""
    return bring_cells(lambda: io.BytesIO(text.encode()), wish or Wish(), RATES)


def sites(text: str) -> Brought | Refusal:
    """A list of sites brought in."""
    return bring_sites(lambda: io.BytesIO(text.encode()), Wish())


def broken(brought: Brought | Refusal) -> dict[str, int]:
    """Which rules kept how many rows out."""
    assert isinstance(brought, Brought)
    return dict(brought.account.rules(rejects=True))


def test_demand_by_size_by_parcels_and_by_people() -> None:
    """What a row says by size holds; else its parcels by assumed shares; else its people by an assumed rate."""
    found = cells(
        "id,latitude,longitude,district,population,footfall,parcels,size_1,size_2\n"
        "a,60.1,24.9,I,999,,9,2,1.5\n"
        "b,60.1,24.8,II,999,,10,,\n"
        "c,60.2,24.9,II,100,1000,,,\n"
    )
    assert isinstance(found, Brought)
    by_size = [cell.parcels_per_day for cell in found.cells]
    assert by_size == [pytest.approx((2, 1.5, 0)), pytest.approx((5, 3, 2)), pytest.approx((10, 6, 4))]
    assert [(cell.id, cell.district) for cell in found.cells] == [("a", "I"), ("b", "II"), ("c", "II")]
    assert found.account.accepted == 3


def test_german_columns_and_semicolons() -> None:
    """A table as an office exports it."""
    found = cells("Kennung;Breite;Länge;Bezirk;Einwohner\nz1;48,2;16,37;Neubau;1000\n")
    assert isinstance(found, Brought)
    assert (found.cells[0].latitude, found.cells[0].longitude) == (48.2, 16.37)
    assert sum(found.cells[0].parcels_per_day) == pytest.approx(100)


def test_each_row_kept_out_is_told_of() -> None:
    """No place, near 0/0, no number, a negative one, nobody, a size too many, an id used before: a rule each."""
    found = cells(
        "id,lat,lon,population,size_6\n"
        "ok,60.1,24.9,100,\nplaceless,,24.9,100,\nsea,0,0,100,\nwords,60.1,24.9,many,\nfewer,60.1,24.9,-5,\n"
        "nobody,60.1,24.9,0,\nhuge,60.1,24.9,100,3\nok,60.2,24.9,100,\nshort,60.1\n"
    )
    assert broken(found) == {
        "coordinate-missing": 1, "near-zero": 1, "number-unreadable": 2, "demand-zero": 1, "size-beyond": 1,
        "duplicate-id": 1, "cells-unfit": 1,
    }  # fmt: skip
    assert isinstance(found, Brought)
    assert [cell.id for cell in found.cells] == ["ok"]
    assert found.account.examples["duplicate-id"][0][0] == 8


def test_nobody_anywhere_is_refused() -> None:
    """Given only rows without demand, then the refusal says what became of them."""
    found = cells("id,lat,lon,population\na,60.1,24.9,0\nb,60.1,24.8,0\n")
    assert found == Refusal("plan-no-demand", "rows", "2 rows; demand-zero: 2")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "list-empty"),
        ("id,lat,lon\na,1,2\n", "list-column-missing"),
        ("[1", "list-malformed"),
        ("x;y\n", "list-column-missing"),
    ],
)
def test_what_is_no_list_of_demand_is_refused(text: str, code: str) -> None:
    """Nothing, no column of demand, no JSON."""
    found = cells(text)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_geojson() -> None:
    """A feature's point is its place, its properties its columns."""
    feature = {"type": "Feature", "properties": {"population": 200, "district": "X"}}
    feature["geometry"] = {"type": "Point", "coordinates": [24.9, 60.1]}
    found = cells(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert isinstance(found, Brought)
    assert (found.cells[0].id, found.cells[0].latitude, found.cells[0].district) == ("row 1", 60.1, "X")


def test_sites() -> None:
    """Everything a site says, and what holds where it says nothing."""
    found = sites(
        "id,lat,lon,host,kind,rent,room_modules,hours_per_week,wheelchair,cctv,existing\n"
        "a,60.1,24.9,Shop & Co,counter,1200.5,4,60,no,yes,yes\nb,60.2,24.9,,,,,,,,\n"
    )
    assert isinstance(found, Brought)
    cost, answers = 120_050, {"step_free": False, "watched": True, "standing": True}
    assert found.sites == (
        Site("a", 60.1, 24.9, "Shop & Co", cost, 4, SourceKind.COUNTER, 60.0, **answers),
        Site("b", 60.2, 24.9, "", 0, 1),
    )


def test_each_site_kept_out_is_told_of() -> None:
    """A kind, a number, an answer and hours that cannot be; with none left the list is refused."""
    rows = ["a,60.1,24.9,kennel,1,1,1,yes", "b,60.1,24.9,bank,-1,1,1,yes", "c,60.1,24.9,bank,1,x,1,yes"]
    rows += ["d,60.1,24.9,bank,1,1,169,yes", "e,60.1,24.9,bank,1,1,1,perhaps"]
    header = "id,lat,lon,kind,cost,modules,hours_per_week,watched"
    expected = {"kind-unknown": 1, "number-unreadable": 2, "hours-range": 1, "answer-unreadable": 1}
    assert broken(sites("\n".join([header, *rows, "f,60.1,24.9,bank,1,1,1,no"]))) == expected
    none = sites("\n".join([header, *rows]))
    assert isinstance(none, Refusal)
    assert none.code == "plan-no-sites"


def test_standing_points_are_sites() -> None:
    """Given another network's list, then what operates stands, and what does not is kept out."""
    text = "name,type,status,lat,lon,is_247\nW1,parcel_locker,Operating,48.2,16.37,1\nW2,pok,Operating,48.21,16.38,0\n"
    text += "W3,parcel_locker,Disabled,48.22,16.37,1\n"
    found = bring_standing(lambda: io.BytesIO(text.encode()), Wish(country="AT"))
    assert broken(found) == {"not-operating": 1}
    assert isinstance(found, Brought)
    assert [(site.id, site.kind, site.standing) for site in found.sites] == [
        ("row 1: W1", "bank", True),
        ("row 2: W2", "counter", True),
    ]


@given(st.text(max_size=200), st.sampled_from([cells, sites]))
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_or_refused(text: str, bring: object) -> None:
    """Whatever a file holds, there is an answer, and what is brought in can be."""
    assert callable(bring)
    header = "id,lat,lon,population,cost\n"
    for whole in (text, header + text):
        found = bring(whole)
        assert isinstance(found, Refusal | Brought)
        if isinstance(found, Brought):
            latitudes = [cell.latitude for cell in found.cells] + [site.latitude for site in found.sites]
            assert all(abs(latitude) <= 90 for latitude in latitudes)
            assert all(min(cell.parcels_per_day) >= 0 for cell in found.cells)
