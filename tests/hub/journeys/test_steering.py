"""Parcels steered over the API: room promised, moved, given back; holds extended; parcels called off and recalled."""

from datetime import timedelta
from typing import Any

from restante.core import commands as cmd
from restante.core.events import NoticeKind
from restante.core.facts import ParcelPutIn
from restante.core.ids import CommandId, ParcelId, PointId, SourceId, StayKey
from restante.core.stay import By, Evidence
from restante.hub.engine import Accepted
from tests.hub.api import DIMENSIONS, Api, module


async def announced(api: Api, reference: str = "A-1", **more: Any) -> str:
    """A parcel of the carrier's; its id."""
    given = {"reference": reference, "dimensions": DIMENSIONS, "recipient": {"name": "Aino"}, **more}
    parcel: str = (await api.post("/parcels", given, by="swift"))["parcel"]
    return parcel


async def steer(api: Api, parcel: str, /, *said: Any, **options: Any) -> tuple[int, Any]:
    """The answer to a carrier's request about a parcel."""
    what, body = (*said, None)[:2]
    answer = await api.ask(options.pop("method", "POST"), f"/parcels/{parcel}/{what}", body, by="swift", **options)
    return answer.status_code, answer.json()


async def stage(api: Api, parcel: str) -> str:
    """A parcel's stage."""
    shown: str = (await api.get(f"/parcels/{parcel}", by="swift"))["stage"]
    return shown


async def deposit(api: Api, parcel: str, point: str) -> None:
    """Put a parcel in at a point and tell its recipient, so that its hold runs."""
    source = SourceId((await api.get(f"/points/{point}"))["source"]["id"])
    here, key = PointId(point), ParcelId(parcel)
    fact = ParcelPutIn(key, "g", 1, (await api.ledger.parcels([key]))[key].room_class, By.COURIER, Evidence.SENSOR)
    put_in = cmd.AdoptFact(CommandId(""), "bank", api.time.now(), source, here, 1, 1, "", "h", fact, b"{}")
    stay = StayKey(source, 1, 1)
    ready = cmd.RecordNotice(CommandId(""), "worker", api.time.now(), key, NoticeKind.READY, "mail", False, stay, here)
    for command in (put_in, ready):
        assert isinstance(await api.parts.engine.submit(command), Accepted)


async def test_a_promised_parcel_is_called_off(api: Api) -> None:
    """Given a parcel with room promised, when it is called off, with a key or without, then the room is given back."""
    point = await api.point(name="One")
    for reference, headers in (("A-1", {}), ("A-2", {"Idempotency-Key": "once"})):
        parcel = await announced(api, reference, point=point)
        status, done = await steer(api, parcel, "cancellation", headers=headers)
        assert (status, len(done["events"])) == (200, 2)
        assert await stage(api, parcel) == "cancelled"


async def test_room_is_promised_moved_and_given_back(api: Api) -> None:
    """Given a parcel without a point, then room is promised, redirected and released, and the parcel called off."""
    one, two = await api.point(name="One"), await api.point(name="Two")
    parcel = await announced(api)
    status, done = await steer(api, parcel, "reservation", {"point": one})
    assert (status, done["parcel"], len(done["events"])) == (200, parcel, 1)
    assert (await steer(api, parcel, "reservation", {"point": two}))[1]["code"] == "already-promised"
    assert (await steer(api, parcel, "redirection", {"point": two}))[0] == 200
    assert (await api.get(f"/parcels/{parcel}", by="swift"))["promise"]["point"] == two
    assert (await steer(api, parcel, "reservation", method="DELETE"))[0] == 200
    assert await stage(api, parcel) == "announced"
    assert (await steer(api, parcel, "reservation", method="DELETE"))[1]["code"] == "not-promised"
    assert (await steer(api, parcel, "cancellation"))[0] == 200
    assert (await steer(api, parcel, "cancellation"))[1]["code"] == "parcel-ended"
    assert await stage(api, parcel) == "cancelled"


async def test_no_room_is_answered_with_where_there_is_some(api: Api) -> None:
    """Given a full point, when room is asked for, then 409 names the nearest with room; unknown ones are 404."""
    small, large = await api.point(module(sizes="S")), await api.point(module(sizes="LL"), latitude=60.2)
    parcel = await announced(api, dimensions={"width_mm": 350, "height_mm": 400, "depth_mm": 600})
    status, problem = await steer(api, parcel, "reservation", {"point": small})
    assert (status, problem["code"], problem["nearest"][0]["id"]) == (409, "never-fits", large)
    assert (await steer(api, parcel, "reservation", {"point": "y" * 36}))[0] == 404
    nowhere = parcel[:9] + "0000" + parcel[13:]
    assert (await steer(api, parcel, "reservation", {"point": nowhere}))[1]["code"] == "point-unknown"
    window = {"opens_at": "2026-03-05T00:00:00Z", "closes_at": "2026-03-04T00:00:00Z"}
    status, problem = await steer(api, parcel, "reservation", {"point": large, "window": window})
    assert (status, problem["code"], problem["field"]) == (422, "window-backwards", "window.closes_at")


async def test_a_hold_is_extended_and_a_waiting_parcel_recalled(api: Api) -> None:
    """Given a parcel behind a door, then its hold moves later but not earlier or too far, and it can be recalled."""
    point = await api.point()
    parcel = await announced(api, point=point)
    await deposit(api, parcel, point)
    shown = await api.get(f"/parcels/{parcel}", by="swift")
    assert (shown["stage"], shown["actor"], shown["stay"]["point"], shown["stay"].get("door")) == (
        "held", "recipient", point, None,
    )  # fmt: skip
    assert (await api.get(f"/parcels/{parcel}"))["stay"]["door"] == 1
    later = (api.time.at + timedelta(hours=100)).isoformat()
    assert (await steer(api, parcel, "extension", {"ends_at": later}))[0] == 200
    assert (await steer(api, parcel, "extension", {"ends_at": later}))[1]["code"] == "hold-not-longer"
    too_long = (api.time.at + timedelta(hours=1000)).isoformat()
    assert (await steer(api, parcel, "extension", {"ends_at": too_long}))[0] == 422
    assert (await steer(api, parcel, "cancellation"))[1]["code"] == "parcel-in-custody"
    assert (await steer(api, parcel, "recall", {"reason": "returned"}))[0] == 200
    assert await stage(api, parcel) == "recalled"


async def test_a_command_under_one_key_is_carried_out_once(api: Api) -> None:
    """Given commands with an Idempotency-Key, then each is answered again as it was, though the parcel has moved on."""
    point = await api.point()
    parcel = await announced(api, point=point)
    for what, options in (("reservation", {"method": "DELETE"}), ("cancellation", {})):
        key = {"Idempotency-Key": what}
        first = await steer(api, parcel, what, headers=key, **options)
        again = await steer(api, parcel, what, headers=key, **options)
        assert (first[0], again[0]) == (200, 200)
        assert again[1] == {**first[1], "replayed": True}
    assert (await steer(api, parcel, "release", headers={"Idempotency-Key": "cancellation"}))[1]["code"] == "key-reused"


async def test_parcels_are_listed_and_found(api: Api) -> None:
    """Given parcels of two carriers, then each lists and finds its own, by page, point, stage, reference and code."""
    point = await api.point(module(sizes="SSSSSSMMMM"))
    mine = [await announced(api, f"A-{n}", point=point if n % 2 else None) for n in range(7)]
    await api.post("/parcels", {"reference": "B-1", "size": "S", "point": point}, by="slow")
    found, cursor = [], None
    while True:
        page = await api.get("/parcels", params={"limit": 2, **({"cursor": cursor} if cursor else {})}, by="swift")
        found += [item["id"] for item in page["items"]]
        if (cursor := page["cursor"]) is None:
            break
    assert sorted(found) == sorted(mine)
    assert len(await items(api, "/parcels", point=point)) == 3
    assert len(await items(api, "/parcels", stage="promised")) == 3
    assert len((await api.get("/parcels"))["items"]) == 8
    one = await api.get("/parcels/by-reference", params={"reference": "A-3"}, by="swift")
    code = one["code"].lower()
    assert (await api.get(f"/parcels/by-code/{code[:4]}%20{code[4:]}", by="swift"))["id"] == one["id"] == mine[3]


async def items(api: Api, path: str, **query: str) -> list[Any]:
    """The first page of one of the carrier's lists."""
    page = await api.get(path, params=query, by="swift")
    listed: list[Any] = page["items"]
    return listed
