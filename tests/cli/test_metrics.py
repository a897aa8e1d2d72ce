"""The metrics of a running hub: on loopback, on a port of their own, and nowhere else."""

from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from restante.cli import main
from restante.cli.ending import FAILED
from restante.hub.metrics.catalogue import METRICS


def test_a_hub_shows_its_metrics_on_loopback(hub: dict[str, str]) -> None:
    """Given a hub with its worker, when its page is read, then it tells of engine, worker, sessions and database."""
    assert hub["metrics"].startswith("http://127.0.0.1:")
    assert httpx.get(f"{hub['api']}/v1/nowhere").status_code == 404
    found = {family.name for family in text_string_to_metric_families(httpx.get(hub["metrics"]).text)}
    shown = {"restante_lane_head_events", "restante_sources_connected", "restante_pool_connections"}
    assert shown | {"restante_http_requests"} <= found
    assert {one.name.removesuffix("_total") for one in METRICS} <= found
    assert httpx.get(hub["metrics"].replace("/metrics", "/ready")).status_code == 200
    assert httpx.get(f"{hub['api']}/metrics").status_code == 404
    assert httpx.get(f"{hub['api']}/v1/ready").status_code == 204


def test_metrics_for_everybody_are_refused(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an address that others can reach, when a worker starts, then it says so and does not run."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("RESTANTE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESTANTE_METRICS_BIND", "0.0.0.0:0")
    with pytest.raises(SystemExit) as left:
        main(["worker"])
    assert left.value.code == FAILED
    assert capsys.readouterr().err.startswith("BadSettings: RESTANTE_METRICS_BIND")
