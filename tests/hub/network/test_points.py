"""Points: provisioned, found from anywhere on the globe, and shown with the room they have to each caller."""

import math
import random

from tests.hub.api import POINT, Api, module


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The great-circle distance by the haversine formula, on a sphere of the earth's mean radius."""
    north_a, east_a, north_b, east_b = map(math.radians, (*a, *b))
    half = (
        math.sin((north_b - north_a) / 2) ** 2
        + math.cos(north_a) * math.cos(north_b) * math.sin((east_b - east_a) / 2) ** 2
    )
    return 2 * 6_371_008.8 * math.asin(min(1.0, math.sqrt(half)))


async def test_the_nearest_come_first_everywhere(api: Api) -> None:
    """Given points all over, poles and date line included, then every page order is that of the true distances."""
    chance = random.Random(7)
    places = [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(30)]
    places += [(90.0, 0.0), (-90.0, 10.0), (0.0, 180.0), (0.0, -179.9), (60.1, 24.9), (60.1, 24.9)]
    for latitude, longitude in places:
        await api.post("/points", {**POINT, "latitude": latitude, "longitude": longitude})
    for here in [(0.0, 179.99), (89.0, -120.0), (60.0, 25.0), (-33.0, 151.0)]:
        found, cursor = [], None
        while True:
            query = {"latitude": here[0], "longitude": here[1], "limit": 7} | ({"cursor": cursor} if cursor else {})
            page = await api.get("/points", params=query, by="swift")
            found += page["items"]
            if (cursor := page["cursor"]) is None:
                break
        assert len({one["id"] for one in found}) == len(places)
        told = [one["distance_m"] for one in found]
        true = sorted(metres(here, place) for place in places)
        assert all(abs(one - other) <= 1 for one, other in zip(told, true, strict=True))


async def test_room_is_counted_for_the_operator_and_graded_for_others(api: Api) -> None:
    """Given a bank, then the operator sees how much room is left by size and need, and partners how much about."""
    point = await api.point(module(sizes="SSSSSM", reach_height_mm=1500), module(2, sizes="M", first_door=20))
    exact = (await api.get(f"/points/{point}"))["room"]
    rough = (await api.get(f"/points/{point}", by="swift"))["room"]
    assert {(one["size"], tuple(one["needs"])): one["left"] for one in exact} == {
        ("S", ()): 7, ("M", ()): 2, ("L", ()): 0, ("XL", ()): 0,
        ("S", ("seated",)): 1, ("M", ("seated",)): 1, ("L", ("seated",)): 0, ("XL", ("seated",)): 0,
    }  # fmt: skip
    assert [one["level"] for one in rough if not one["needs"]] == ["enough", "few", "none", "none"]
    assert not any("left" in one for one in rough)


async def test_a_module_joins_while_the_bank_works(api: Api) -> None:
    """Given a bank in service, when a module is added, then there is more room; a door that is there is refused."""
    point = await api.point(module(sizes="S"))
    assert (await api.ask("POST", f"/points/{point}/modules", module(2, first_door=10))).status_code == 201
    assert (await api.get(f"/points/{point}"))["source"]["compartments"] == 5
    clash = await api.ask("POST", f"/points/{point}/modules", module(3, first_door=1))
    assert (clash.status_code, clash.json()["code"]) == (409, "module-exists")
    unknown = await api.ask("POST", f"/points/{point}/modules", module(4, sizes="Q", first_door=50))
    assert (unknown.json()["code"], unknown.json()["field"]) == ("size-unknown", "modules[0].compartments[0].size")


async def test_points_are_filtered(api: Api) -> None:
    """Given points of several kinds, hours and states, then each filter leaves those it names."""
    hours = [{"weekday": 0, "opens": 13 * 60, "closes": 18 * 60}]
    await api.point(name="Day", hours=hours)
    night = await api.point(module(sizes="SS", reach_height_mm=1500), name="Night", kind="bank")
    shut = await api.point(name="Shut", hours=[{"weekday": 1, "opens": 0, "closes": 1440}])
    gone = await api.point(name="Gone")
    assert (await api.ask("PUT", f"/points/{gone}/status", {"status": "gone"})).status_code == 200

    async def names(**query: str) -> set[str]:
        return {one["name"] for one in (await api.get("/points", params=query, by="swift"))["items"]}

    assert await names() == {"Day", "Night", "Shut"}
    assert await names(open_now="true") == {"Day", "Night"}
    assert await names(ability="seated") == {"Day", "Shut"}
    assert await names(size="L") == {"Day", "Shut"}
    assert await names(status="gone") == {"Gone"}
    assert await names(kind="nothing") == set()
    assert (await api.get(f"/points/{shut}"))["is_open_now"] is False
    assert (await api.get(f"/points/{night}"))["public_id"] == f"demo:{night}"


async def test_what_a_point_is_provisioned_with_is_shown(api: Api) -> None:
    """Given a face, hours and a zone, then the point shows them; a zone or hours that cannot be are refused."""
    face = {"width_mm": 900, "modules": [{"x": 1.5, "label": "ä"}]}
    key = {"Idempotency-Key": "p-1"}
    made = await api.post("/points", {**POINT, "face": face, "shut": ["2026-12-25"]}, headers=key)
    again = await api.post("/points", {**POINT, "face": face, "shut": ["2026-12-25"]}, headers=key)
    assert (made["face"], made["shut"], made["id"]) == (face, ["2026-12-25"], again["id"])
    for changed, code, field in (
        ({"zone": "Europe/Nowhere"}, "zone-unknown", "zone"),
        ({"zone": "../etc/passwd"}, "zone-unknown", "zone"),
        ({"hours": [{"weekday": 0, "opens": 5, "closes": 5}]}, "hours-malformed", "hours[0]"),
        ({"latitude": 91}, "field-malformed", "latitude"),
    ):
        problem = (await api.ask("POST", "/points", {**POINT, **changed})).json()
        assert (problem["code"], problem["field"]) == (code, field)


async def test_controllers_are_invited_replaced_and_shut_out(api: Api) -> None:
    """Given a bank, then it gets an invitation, its successor gets another, and couriers get codes."""
    point = await api.point()
    invited = await api.post(f"/points/{point}/invitations")
    assert invited["text"].startswith("wss://")
    assert (await api.post(f"/points/{point}/replacement"))["text"] != invited["text"]
    assert (await api.ask("DELETE", f"/points/{point}/certificates")).json()["certificates"] == 0
    code = (await api.post(f"/points/{point}/courier-codes", by="swift"))["code"]
    assert len(code) == 8
    bare = (await api.post("/points", POINT))["id"]
    for path in ("invitations", "replacement", "courier-codes"):
        assert (await api.ask("POST", f"/points/{bare}/{path}")).json()["code"] == "source-unknown"
