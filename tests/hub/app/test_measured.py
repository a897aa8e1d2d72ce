"""Requests are named and counted by route, and nothing that a caller sends becomes a name."""

import re

from tests.hub.api import Api

NAME = re.compile(r"[0-9a-f]{12}-[0-9]+")


async def test_each_answer_names_its_request(api: Api) -> None:
    """Given two requests, when they are answered by both ways, then each has a name of its own in the answer's head."""
    short = await api.ask("GET", "/orgs")
    long = await api.ask("GET", "/points", params={"limit": 1})
    names = [answer.headers["x-request-id"] for answer in (short, long)]
    assert all(map(NAME.fullmatch, names))
    assert names[0] != names[1]


async def test_a_problem_names_its_request(api: Api) -> None:
    """Given a request that is refused, then the problem document names the request as its head does."""
    for path, options in (("/points/nowhere", {}), ("/nowhere", {}), ("/points", {"params": {"limit": "zqx"}})):
        answer = await api.ask("GET", path, headers={"X-Request-Id": "zqxmarked"}, **options)
        assert answer.json()["instance"] == f"urn:restante:request:{answer.headers['x-request-id']}"
        assert "zqxmarked" not in answer.text


async def test_requests_are_counted_by_template(api: Api) -> None:
    """Given addresses that mean a route, or none, when counted, then by the route's template, the others as one."""
    answers = api.parts.measures.answers
    before = dict(answers.counts)
    point = await api.point()
    await api.get(f"/points/{point}")
    await api.get("/points", params={"limit": 1})
    for path in ("/zqxmarked", "/points/zqx/zqxmarked", "/openapi.json/zqx"):
        await api.ask("GET", path)
    await api.client.request("ZQX", "/v1/points")
    new = {key: count - before.get(key, 0) for key, count in answers.counts.items() if count > before.get(key, 0)}
    assert new == {
        (("POST", "/v1/points"), 201): 1,
        (("POST", "/v1/points/{point}/source"), 201): 1,
        (("GET", "/v1/points/{point}"), 200): 1,
        (("GET", "/v1/points"), 200): 1,
        (("GET", "/v1/openapi.json/{path}"), 404): 1,
        (("", ""), 404): 2,
        (("", ""), 405): 1,
    }
    assert sum(answers.seconds["GET", "/v1/points"].counts) == 1
    assert answers.under_way == 0
