"""The page that Prometheus reads: its form, its names, and where it may be served."""

import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from restante.core.refusals import CODES
from restante.hub.engine import Engine
from restante.hub.measures import Lines, Measures
from restante.hub.metrics.catalogue import METRICS, PROCESS, Kind, Seen
from restante.hub.metrics.figures import AGES, Figures, Waiting
from restante.hub.metrics.page import MetricsPage, bind_of
from restante.hub.settings import BadSettings
from restante.sim.rows import RowLedger
from restante.store.connect import PoolFigures
from tests.hub.api import START

LABEL = re.compile(r"[a-z]+")
UNITS = ("commands", "seconds", "events", "bytes", "total", "info")
COUNTS = {
    "restante_outbox_tasks", "restante_timers_due", "restante_sources", "restante_sources_connected",
    "restante_sources_unacknowledged", "restante_cases_open", "restante_http_requests_in_progress",
    "restante_tasks_in_progress", "restante_pool_connections", "restante_pool_waiting",
}  # fmt: skip
"""Gauges whose unit is what they count."""


def seen(figures: Figures | None = None) -> Seen:
    """A program that has done a little of everything."""
    engine = Engine(RowLedger(), lambda: START, max_batch=8, queue_limit=100)
    engine.measured.turn_away(2)
    measures = Measures(lines=lambda: Lines(3, [5.0, 700.0]))
    measures.answers.note(("GET", "/v1/points/{point}"), 200, 0.003)
    measures.answers.note(("", ""), 0, 1.0)
    measures.work.tasks["send-notice", "done"] += 1
    measures.work.timers["remind", "failed"] += 1
    measures.work.notices["email", "bounced"] += 1
    measures.work.round_at = 1.0
    return Seen(engine, measures, figures, [PoolFigures("restante reads", 1, 2, 3)])


FIGURES = Figures(
    at=2.0,
    heads={},
    outbox={"send-notice": Waiting(4, 61.5)},
    timers={"remind": Waiting(1, 0.0)},
    sources=dict.fromkeys(AGES, 1),
    cases={("door-stuck", "1d"): 2},
)


async def ask(page: MetricsPage, method: str, path: str) -> httpx.Response:
    """What the page answers."""
    app: Any = page
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as client:
        return await client.request(method, path)


def page_of(shown: Seen, *, is_ready: bool = True) -> MetricsPage:
    """A page over values."""

    async def check() -> bool:
        return is_ready

    return MetricsPage(lambda: shown, check)


async def samples(shown: Seen) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of the page by its name and labels (in the order of their names), as the library reads it."""
    text = (await ask(page_of(shown), "GET", "/metrics")).text
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_page_says_what_was_counted() -> None:
    """Given a program that has worked, when its page is read, then every figure is there under its labels."""
    found = await samples(seen(FIGURES))
    expected = {
        ("restante_refusals_total", ("busy",)): 2,
        ("restante_commands_total", ("refused",)): 2,
        ("restante_queue_limit_commands", ()): 100,
        ("restante_http_requests_total", ("GET /v1/points/{point}", "200")): 1,
        ("restante_http_requests_total", ("none", "gone")): 1,
        ("restante_http_request_seconds_bucket", ("0.002", "GET /v1/points/{point}")): 0,
        ("restante_http_request_seconds_bucket", ("0.005", "GET /v1/points/{point}")): 1,
        ("restante_http_request_seconds_bucket", ("+Inf", "GET /v1/points/{point}")): 1,
        ("restante_http_request_seconds_count", ("GET /v1/points/{point}",)): 1,
        ("restante_http_request_seconds_sum", ("GET /v1/points/{point}",)): 0.003,
        ("restante_tasks_total", ("send-notice", "done")): 1,
        ("restante_timers_total", ("remind", "failed")): 1,
        ("restante_notices_total", ("email", "bounced")): 1,
        ("restante_outbox_tasks", ("send-notice",)): 4,
        ("restante_outbox_oldest_seconds", ("send-notice",)): 61.5,
        ("restante_sources_connected", ()): 3,
        ("restante_sources_unacknowledged", ("0s",)): 1,
        ("restante_sources_unacknowledged", ("10m",)): 1,
        ("restante_sources_unacknowledged", ("7d",)): 0,
        ("restante_cases_open", ("1d", "door-stuck")): 2,
        ("restante_cases_open", ("7d", "forked")): 0,
        ("restante_pool_connections", ("restante reads", "lent")): 2,
        ("restante_pool_waiting", ("restante reads",)): 3,
    }
    assert {key: found[key] for key in expected} == expected


async def test_without_a_database_the_rest_is_shown() -> None:
    """Given no figures, when the page is read, then what needs the database is absent and not old."""
    names = {name for name, _ in await samples(seen())}
    assert "restante_queue_limit_commands" in names
    assert not names & {"restante_outbox_tasks", "restante_figures_timestamp_seconds", "restante_cases_open"}


async def test_every_metric_shown_is_in_the_catalogue() -> None:
    """Given the whole page, then each name on it is one of ours or one that tells of the process."""
    text = (await ask(page_of(seen(FIGURES)), "GET", "/metrics")).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.MULTILINE))
    assert kinds.keys() - {one.name for one in METRICS} == PROCESS.keys()
    assert {one.name: one.kind for one in METRICS}.items() <= kinds.items()


def names_of(values: Sequence[str]) -> list[str]:
    """Those of a list that stand in it twice."""
    return sorted({one for one in values if values.count(one) > 1})


def test_names_follow_the_conventions() -> None:
    """Given the catalogue, then names lead with the program and end with their unit, and counters with `_total`."""
    assert names_of([one.name for one in METRICS]) == []
    for metric in METRICS:
        assert re.fullmatch(r"restante(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.rpartition("_")[2] in UNITS or metric.name in COUNTS, metric.name
        assert all(map(LABEL.fullmatch, metric.labels)), metric.name
        assert not {"org", "parcel", "point", "source", "bank", "person"} & set(metric.labels), metric.name
        assert metric.question.endswith(("?", "."))


def test_refusals_are_named_by_their_codes_alone() -> None:
    """Given the table of refusals, then it bounds the series that are labelled by it."""
    assert len(CODES) < 150


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/alive", 200),
        ("GET", "/ready", 200),
        ("POST", "/metrics", 404),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/v1/points", 404),
    ],
)
async def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    """Given the listener of metrics, when anything else is asked for, then it is not there."""
    assert (await ask(page_of(seen()), method, path)).status_code == status


async def test_a_program_that_is_not_ready_says_so() -> None:
    """Given a database that is down, then whoever asks is told, and not what is wrong."""
    answer = await ask(page_of(seen(), is_ready=False), "GET", "/ready")
    assert (answer.status_code, answer.text) == (503, "not ready\n")


@pytest.mark.parametrize(
    ("setting", "bind"),
    [("", None), ("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:9464", ("::1", 9464)), ("127.8.0.1:1", ("127.8.0.1", 1))],
)
def test_metrics_are_bound_to_loopback_or_nothing(setting: str, bind: tuple[str, int] | None) -> None:
    """Given a loopback address and a port, or nothing, then that is taken."""
    assert bind_of(setting) == bind


@pytest.mark.parametrize(
    "setting",
    ["0.0.0.0:9464", "10.0.0.1:9464", "9464", "localhost:9464", "127.0.0.1:", "127.0.0.1:70000", "::1:x", ":"],
)
def test_no_other_address_is_taken(setting: str) -> None:
    """Given an address that others can reach, or none at all, then a fault names the setting."""
    with pytest.raises(BadSettings, match="RESTANTE_METRICS_BIND"):
        bind_of(setting)
