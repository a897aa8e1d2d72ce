"""Cases over the API: seen by whom they concern, settled once with a word on how; what was set aside is read."""

from typing import Any

from restante.core import commands as cmd
from restante.core.events import CaseKind, CaseSettled, NoticeKind, PointCaseSettled
from restante.core.ids import CommandId, ParcelId, PointId, StayKey
from restante.hub.engine import Accepted
from restante.hub.fleet.aside import PostgresAside
from restante.hub.paging import write_cursor
from restante.store.ledger import JournalRow
from tests.hub.api import Api
from tests.hub.journeys.test_steering import announced, deposit

HOW = {"how": "Rang the recipient."}
KEY = "Idempotency-Key"


async def with_case(api: Api) -> tuple[str, str]:
    """A carrier's parcel that nobody could be told of; the parcel and its point."""
    point = await api.point()
    parcel = await announced(api, point=point)
    await deposit(api, parcel, point)
    view = await api.ledger.view(PointId(point))
    assert view is not None
    lost = cmd.RecordNotice(
        CommandId(""), "worker", api.time.now(), ParcelId(parcel), NoticeKind.REMINDER, "email-1", bounced=True,
        stay=StayKey(view.head.source, 1, 1), point=PointId(point), last_channel=True,
    )  # fmt: skip
    assert isinstance(await api.parts.engine.submit(lost), Accepted)
    return parcel, point


async def with_point_case(api: Api, about: str = "door 3") -> str:
    """A point whose door is stuck."""
    point = await api.point()
    stuck = cmd.OpenPointCase(CommandId(""), "test", api.time.now(), PointId(point), CaseKind.DOOR_STUCK, about)
    assert isinstance(await api.parts.engine.submit(stuck), Accepted)
    return point


async def cases(api: Api, of: str, **options: Any) -> list[Any]:
    """The open cases of a parcel or point."""
    items: list[Any] = (await api.get(f"{of}/cases", **options))["items"]
    return items


async def test_a_carrier_sees_and_settles_a_case_of_its_parcel(api: Api) -> None:
    """Given a parcel with a case, when its carrier settles it, then it is closed, and the log says how and by whom."""
    parcel, _ = await with_case(api)
    [case] = await cases(api, f"/parcels/{parcel}", by="swift")
    assert case["what"] == "notice-bounced"
    assert case["opened_at"]
    assert await cases(api, f"/parcels/{parcel}") == [case]
    settled = await api.post(f"/parcels/{parcel}/cases/{case['id']}/settlement", HOW, by="swift")
    assert settled == {"id": case["id"], "replayed": False}
    assert await cases(api, f"/parcels/{parcel}", by="swift") == []
    last = (await api.ledger.history(ParcelId(parcel)))[-1]
    assert isinstance(last.event, CaseSettled)
    assert (last.actor, last.event.how) == ("carrier:swift", HOW["how"])
    again = await api.ask("POST", f"/parcels/{parcel}/cases/{case['id']}/settlement", HOW, by="swift")
    assert (again.status_code, again.json()["code"]) == (404, "case-unknown")


async def test_nobody_settles_a_case_of_anothers_parcel(api: Api) -> None:
    """Given a parcel with a case, then to another carrier and to a host it is unknown or not theirs to settle."""
    parcel, point = await with_case(api)
    [case] = await cases(api, f"/parcels/{parcel}")
    await api.admit("mall", role="host")
    way = f"/parcels/{parcel}/cases/{case['id']}/settlement"
    assert (await api.ask("POST", way, HOW, by="slow")).json()["code"] == "parcel-unknown"
    assert (await api.ask("POST", way, HOW, by="mall")).json()["code"] == "role-not-allowed"
    assert (await api.ask("GET", f"/parcels/{parcel}/cases", by="slow")).json()["code"] == "parcel-unknown"
    theirs = await announced(api, "B-1")
    crossed = await api.ask("POST", f"/parcels/{theirs}/cases/{case['id']}/settlement", HOW, by="swift")
    assert (crossed.status_code, crossed.json()["code"]) == (404, "case-unknown")
    wrong_place = await api.ask("POST", f"/points/{point}/cases/{case['id']}/settlement", HOW)
    assert (wrong_place.status_code, wrong_place.json()["code"]) == (404, "case-unknown")
    assert await cases(api, f"/parcels/{parcel}") == [case], "nothing of it settled the case"


async def test_the_operator_settles_a_case_of_a_point_once(api: Api) -> None:
    """Given a case of a point, when settled twice under one key, then it is settled once; carriers do not see it."""
    point = await with_point_case(api, "door 3: it jams")
    [case] = await cases(api, f"/points/{point}")
    assert (case["what"], case["detail"]) == ("door-stuck", "door 3: it jams")
    for by in ("swift", "slow"):
        assert (await api.ask("GET", f"/points/{point}/cases", by=by)).status_code == 403
        assert (await api.ask("POST", f"/points/{point}/cases/{case['id']}/settlement", HOW, by=by)).status_code == 403
    way = f"/points/{point}/cases/{case['id']}/settlement"
    first = await api.post(way, HOW, headers={KEY: "one"})
    assert await api.post(way, HOW, headers={KEY: "one"}) == {**first, "replayed": True}
    assert await cases(api, f"/points/{point}") == []
    history = await api.ledger.history(PointId(point))
    told = [(one.actor, one.event.how) for one in history if isinstance(one.event, PointCaseSettled)]
    assert told == [("operator:operator", HOW["how"])]


async def test_what_is_unknown_is_said_to_be(api: Api) -> None:
    """Given ids of nothing, then they are unknown; a settlement without words is refused by field."""
    point = await api.point()
    parcel = await announced(api)
    for way, code in (
        ("/points/nowhere/cases", "point-unknown"),
        (f"/points/{parcel}/cases", "point-unknown"),
        ("/points/nowhere/entries-aside", "point-unknown"),
        ("/parcels/nothing/cases", "parcel-unknown"),
    ):
        assert (await api.ask("GET", way)).json()["code"] == code, way
    for way, code in (
        (f"/points/{point}/cases/none/settlement", "case-unknown"),
        (f"/points/{point}/cases/{parcel}/settlement", "case-unknown"),
        ("/points/nowhere/cases/none/settlement", "point-unknown"),
        (f"/points/{parcel}/cases/{parcel}/settlement", "point-unknown"),
        (f"/parcels/{parcel}/cases/none/settlement", "case-unknown"),
        ("/parcels/nothing/cases/none/settlement", "parcel-unknown"),
    ):
        assert (await api.ask("POST", way, HOW)).json()["code"] == code, way
    empty = await api.ask("POST", f"/points/{point}/cases/none/settlement", {"how": ""})
    assert (empty.status_code, empty.json()["field"]) == (400, "how")
    assert await cases(api, f"/parcels/{parcel}") == await cases(api, f"/points/{point}") == []


async def test_what_was_set_aside_is_read_page_by_page(api: Api) -> None:
    """Given entries set aside of two epochs, then the operator reads each once, in order, as it came."""
    point, other = await api.point(), await api.point(name="Other")
    rows = []
    for place, epoch, seqs in ((point, 1, (4, 5)), (point, 2, (1,)), (other, 1, (9,))):
        view = await api.ledger.view(PointId(place))
        assert view is not None
        kept = [JournalRow(view.head.source, epoch, seq, f"hash{seq}", b'{"kind": "door-shut"}') for seq in seqs]
        await PostgresAside(api.parts.fleet.records.tables).keep(kept, api.time.now())
        rows += kept if place == point else []
    way, found, cursor = f"/points/{point}/entries-aside", list[Any](), ""
    while True:
        page = await api.get(way, params={"limit": 2, "cursor": cursor})
        found += page["items"]
        if not (cursor := page["cursor"]):
            break
    places = [(one["epoch"], one["seq"], one["hash"]) for one in found]
    assert places == [(1, 4, "hash4"), (1, 5, "hash5"), (2, 1, "hash1")]
    assert {one["entry"] for one in found} == {'{"kind": "door-shut"}'}
    assert (await api.ask("GET", way, by="swift")).status_code == 403
    for odd in ((2**31, 0, ""), (-1, 0, ""), (0, 2**63, ""), (0, 0, "\x00"), ("a", 0, "")):
        bad = await api.ask("GET", way, params={"cursor": write_cursor(f"aside:{point}", odd)})
        assert (bad.status_code, bad.json()["code"]) == (400, "cursor-malformed"), odd
