"""Organisations and keys: admitted once, shown once, listed without secrets, ended for good."""

import stat
from pathlib import Path

import psycopg

from restante.hub.callers import OPERATOR_FILE, first_operator
from restante.hub.paging import write_cursor
from restante.store.tables import open_tables
from tests.hub.api import START, Api


async def test_the_first_key_is_in_a_file_of_its_owner_alone(api: Api, database: str) -> None:
    """Given a first start, then the operator's key is in a file of 0600; a second start makes no other."""
    path = Path(api.parts.settings.state) / OPERATOR_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    async with open_tables(database, name="test") as tables:
        assert await first_operator(tables, path.parent, START) is None
    assert path.read_bytes() == before


async def test_a_key_is_stored_as_a_hash_and_shown_once(api: Api, database: str) -> None:
    """Given a new key, then lists and the database hold no part of its secret, and its use is noted."""
    made = await api.post("/orgs/swift/keys", {"label": "van"}, by="swift")
    secret = made["key"].split("_")[2]
    assert len(secret) * 4 >= 160
    assert (await api.client.get("/v1/parcels", headers={"Authorization": f"bearer {made['key']}"})).status_code == 200
    listed = await api.ask("GET", "/orgs/swift/keys", by="swift")
    assert secret not in listed.text
    assert [one["label"] for one in listed.json()["items"]] == ["test", "van"]
    assert listed.json()["items"][1]["last_used_at"] is not None
    with psycopg.connect(database) as db:
        rows = db.execute("SELECT k::text FROM api_key k").fetchall()
    assert rows
    assert not any(secret in row[0] or secret.encode().hex() in row[0] for row in rows)


async def test_organisations_are_admitted_once_and_listed(api: Api) -> None:
    """Given organisations, then an id is taken once, pages list them all, and an unknown one is unknown."""
    again = await api.ask("POST", "/orgs", {"id": "swift", "role": "carrier", "name": "Other"})
    assert (again.status_code, again.json()["code"]) == (409, "org-exists")
    bad = await api.ask("POST", "/orgs", {"id": "Swift!", "role": "carrier", "name": "Other"})
    assert (bad.status_code, bad.json()["field"]) == (400, "id")
    first = await api.get("/orgs", params={"limit": 2})
    rest = await api.get("/orgs", params={"limit": 2, "cursor": first["cursor"]})
    assert [one["id"] for one in first["items"] + rest["items"]] == ["operator", "slow", "swift"]
    assert (await api.get("/orgs/swift", by="swift"))["name"] == "Swift"
    for answer in (await api.ask("GET", "/orgs/none"), await api.ask("DELETE", "/orgs/swift/keys/0000")):
        assert answer.status_code == 404


async def test_a_cursor_with_a_character_no_text_holds_is_malformed(api: Api) -> None:
    """Given a cursor made by hand with U+0000 in it, then it is refused and not handed to the database."""
    bad = await api.ask("GET", "/orgs", params={"cursor": write_cursor("orgs", "a\x00")})
    assert (bad.status_code, bad.json()["code"]) == (400, "cursor-malformed")
