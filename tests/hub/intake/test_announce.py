"""Announcements: what is accepted, what is refused and why, and what happens when they come twice."""

import asyncio
from typing import Any

import psycopg
import pytest

from restante.core.access import parse_parcel_code
from restante.core.refusals import CODES
from restante.hub.intake.schemas import WARNINGS
from restante.store.directory import code_of
from tests.house.tidy import ROOT
from tests.hub.api import DIMENSIONS, Api, module


def told(reference: str = "A-1", **more: Any) -> dict[str, Any]:
    """An announcement."""
    return {"reference": reference, "dimensions": DIMENSIONS, "weight_grams": 900, **more}


async def refusal(api: Api, body: Any, **options: Any) -> tuple[int, str, str]:
    """The status, code and field with which an announcement is refused."""
    answer = await api.ask("POST", "/parcels", body, by="swift", **options)
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["type"] == f"urn:restante:refusal:{problem['code']}"
    return answer.status_code, problem["code"], problem.get("field", "")


WRONG: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
    ({"dimensions": {**DIMENSIONS, "width_mm": 9000}}, (422, "parcel-too-large", "dimensions")),
    ({"weight_grams": 31_000}, (422, "parcel-too-heavy", "weight_grams")),
    ({"dimensions": None}, (422, "size-missing", "dimensions")),
    ({"size": "XXL"}, (422, "size-unknown", "size")),
    ({"point": "00000000-0000-8000-8000-000000000001"}, (404, "point-unknown", "point")),
    ({"point": "x" * 36}, (404, "point-unknown", "point")),
    ({"destination": "019a0000-0000-8000-8000-00000000ffff"}, (404, "point-unknown", "destination")),
    ({"reference": ""}, (400, "field-malformed", "reference")),
    ({"weight_grams": "900"}, (400, "field-malformed", "weight_grams")),
    ({"weight_grams": -1}, (400, "field-malformed", "weight_grams")),
    ({"reciever": {}}, (400, "field-malformed", "body")),
    ({"dimensions": {"width_mm": 1}}, (400, "field-malformed", "dimensions")),
    ({"needs": ["hot"]}, (400, "field-malformed", "needs[0]")),
    ({"reference": "a\x00b"}, (400, "field-malformed", "body")),
]


async def test_a_refusal_names_the_field_and_the_rule(api: Api) -> None:
    """Given one thing wrong in an announcement, then exactly that is named, and no parcel exists."""
    for changed, expected in WRONG:
        assert await refusal(api, told(**changed)) == expected
    assert (await api.get("/parcels"))["items"] == []


async def test_a_parcel_without_room_is_known_and_told_where_there_is_some(api: Api) -> None:
    """Given a full bank with two others near, then the parcel has no promise and the nearest with room come first."""
    full = await api.point(module(sizes="S"), name="Full")
    near = await api.point(module(sizes="S"), name="Near", latitude=60.17)
    far = await api.point(module(sizes="S"), name="Far", latitude=60.3)
    await api.point(module(sizes="S"), name="Closed", latitude=60.168)
    closed = (await api.get("/points", params={"latitude": 60.168, "longitude": 24.9525}))["items"][0]["id"]
    assert (await api.ask("PUT", f"/points/{closed}/status", {"status": "closed"})).status_code == 200
    small = {"width_mm": 10, "height_mm": 10, "depth_mm": 10}
    first = await api.post("/parcels", told("A-1", dimensions=small, point=full), by="swift")
    assert first["promise"]["point"] == full
    second = await api.post("/parcels", told("A-2", dimensions=small, point=full), by="swift")
    assert second["promise"] is None
    assert second["problem"]["code"] == "no-room"
    assert [one["id"] for one in second["problem"]["nearest"]] == [near, far]
    assert (await api.get(f"/parcels/{second['parcel']}", by="swift"))["stage"] == "announced"


async def test_what_never_fits_and_what_is_gone_are_told_with_the_nearest_equivalent(api: Api) -> None:
    """Given a point without large compartments and one that left the network, then another is offered for each."""
    small = await api.point(module(sizes="SS"), name="Small")
    large = await api.point(module(sizes="LL"), name="Large", latitude=60.2)
    big = {"width_mm": 350, "height_mm": 400, "depth_mm": 600}
    answer = await api.post("/parcels", told("A-1", dimensions=big, point=small), by="swift")
    assert (answer["problem"]["code"], answer["problem"]["nearest"][0]["id"]) == ("never-fits", large)
    assert (await api.ask("PUT", f"/points/{small}/status", {"status": "gone"})).status_code == 200
    answer = await api.post("/parcels", told("A-2", point=small), by="swift")
    assert (answer["problem"]["code"], answer["problem"]["nearest"][0]["id"]) == ("point-gone", large)


async def test_contacts_are_checked_when_announced(api: Api) -> None:
    """Given an address that mail cannot be sent to, then the parcel is taken with a warning that names it."""
    recipient = {"name": "Aino", "emails": ["aino@", "aino@example.org"]}
    answer = await api.post("/parcels", told(recipient=recipient), by="swift")
    assert [(one["code"], one["field"]) for one in answer["warnings"]] == [
        ("address-malformed", "recipient.emails[0]"),
        ("no-point", "point"),
    ]
    nobody = await api.post("/parcels", told("A-2", recipient={"name": "Aino"}), by="swift")
    assert "nobody-to-tell" in [one["code"] for one in nobody["warnings"]]


async def test_doubts_about_a_window_are_told(api: Api) -> None:
    """Given a window that is over or has no point, then the parcel is taken with a warning."""
    window = {"opens_at": "2026-02-27T00:00:00Z", "closes_at": "2026-03-04T00:00:00Z"}
    answer = await api.post("/parcels", told(window=window), by="swift")
    warned = {one["field"]: (one["code"], one["detail"]) for one in answer["warnings"]}
    assert warned["window.opens_at"] == warned["window"] == ("window-odd", WARNINGS["window-odd"])


def test_every_warning_is_documented() -> None:
    """Whatever an announcement may be warned of stands on the API's page, so that integrators look for it."""
    page = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
    addresses = {code for code in CODES if code.startswith("address-")}
    assert [code for code in (*WARNINGS, *addresses) if f"`{code}`" not in page] == []


async def test_each_item_of_a_bulk_is_answered_by_itself(api: Api) -> None:
    """Given good, bad and repeated items together, then each is answered in its place."""
    point = await api.point(module(sizes="SSSSMMMM"))
    items = [
        told("B-1", point=point),
        told("B-2", dimensions={**DIMENSIONS, "depth_mm": 9999}),
        told("B-1", point=point),
        told("B-1", weight_grams=1),
        told("B-3"),
    ]
    answer = await api.post("/parcels/bulk", {"items": items}, by="swift")
    assert [item["status"] for item in answer["items"]] == ["accepted", "refused", "accepted", "refused", "accepted"]
    assert (answer["accepted"], answer["refused"]) == (3, 2)
    assert answer["items"][0]["accepted"]["parcel"] == answer["items"][2]["accepted"]["parcel"]
    assert answer["items"][1]["problem"]["code"] == "parcel-too-large"
    assert answer["items"][3]["problem"]["code"] == "reference-taken"


async def test_a_thousand_are_taken_and_one_more_is_not(api: Api) -> None:
    """Given 1,000 items, then all have codes of their own; given 1,001, then none is announced."""
    items = [told(f"C-{number}") for number in range(1001)]
    answer = await api.ask("POST", "/parcels/bulk", {"items": items}, by="swift")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (413, "too-many-items", "items")
    assert (await api.get("/parcels", by="swift"))["items"] == []
    answer = await api.post("/parcels/bulk", {"items": items[:1000]}, by="swift")
    codes = {item["accepted"]["code"] for item in answer["items"]}
    assert len(codes) == 1000
    assert all(parse_parcel_code(code) == code for code in codes)


async def test_a_reference_means_one_parcel_for_ever(api: Api) -> None:
    """Given a reference, when it is announced again, then it is the same parcel, or refused if told differently."""
    first = await api.ask("POST", "/parcels", told(), by="swift")
    again = await api.ask("POST", "/parcels", told(), by="swift")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["parcel"], again.json()["replayed"]) == (first.json()["parcel"], True)
    assert await refusal(api, told(weight_grams=1)) == (409, "reference-taken", "reference")
    other = await api.post("/parcels", told(), by="slow")
    assert other["parcel"] != first.json()["parcel"]


async def test_many_at_once_announce_one_parcel(api: Api) -> None:
    """Given twenty requests with one reference at the same time, then one parcel is announced once."""
    point = await api.point()
    answers = await asyncio.gather(*(api.post("/parcels", told(point=point), by="swift") for _ in range(20)))
    assert len({answer["parcel"] for answer in answers}) == 1
    events = await api.get(f"/parcels/{answers[0]['parcel']}/events", by="swift")
    assert [item["event"]["kind"] for item in events["items"]] == ["parcel-announced", "room-reserved"]


async def test_a_request_under_one_key_is_done_once(api: Api) -> None:
    """Given an Idempotency-Key, then the same request again is answered alike, and another one is refused."""
    point = await api.point(module(sizes="S"))
    key = {"Idempotency-Key": "monday-1"}
    small = told(dimensions={"width_mm": 9, "height_mm": 9, "depth_mm": 9}, point=point)
    first = await api.post("/parcels", small, by="swift", headers=key)
    again = await api.post("/parcels", small, by="swift", headers=key)
    assert {**again, "replayed": False} == first
    assert again["replayed"]
    assert await refusal(api, told("A-2"), headers=key) == (422, "key-reused", "Idempotency-Key")
    await api.post("/parcels", told("A-2"), by="slow", headers=key)
    full = {**small, "reference": "A-3"}
    one = await api.post("/parcels", full, by="swift", headers={"Idempotency-Key": "monday-2"})
    two = await api.post("/parcels", full, by="swift", headers={"Idempotency-Key": "monday-2"})
    assert one["problem"]["code"] == two["problem"]["code"] == "no-room"


async def test_a_code_that_belongs_to_another_parcel_is_changed(api: Api, database: str) -> None:
    """Given that the code drawn first is taken, then the parcel gets another, and both mean one parcel each."""
    first = await api.post("/parcels", told("A-1"), by="swift")
    second = await api.post("/parcels", told("A-2"), by="swift")
    with psycopg.connect(database, autocommit=True) as db:
        # As if the second's code had been the first one's all along.
        db.execute("DELETE FROM code_directory WHERE code = %s", [second["code"]])
        db.execute("UPDATE code_directory SET code = %s WHERE parcel = %s", [second["code"], first["parcel"]])
    again = await api.ask("POST", "/parcels", told("A-2"), by="swift")
    assert again.json()["code"] == code_of(second["parcel"], 1)


async def test_names_and_addresses_are_found_nowhere(
    api: Api, database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given a marked person and reference, then no table, event or line of a log holds the marks in the clear."""
    mark = "Xyzzy"
    person = {"name": f"{mark} Quux", "emails": [f"{mark}@example.org", f"{mark}@"], "street_address": f"{mark} 1"}
    point = await api.point()
    await api.post("/parcels", told(f"{mark}-7", recipient=person, point=point, consignment=f"{mark}-c"), by="swift")
    await refusal(api, told(f"{mark}-8", recipient={**person, "age": mark}))
    await refusal(api, told(f"{mark}-7", weight_grams=2))
    assert mark not in str(await api.get("/feed"))
    with psycopg.connect(database) as db:
        tables = db.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN "
            "('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            for row in db.execute(f"SELECT t::text FROM {table} t"):
                assert mark not in row[0], table
                assert mark.encode().hex() not in row[0], table
    out, err = capfd.readouterr()
    assert mark not in out + err
