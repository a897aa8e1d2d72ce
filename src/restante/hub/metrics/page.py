"""The page that Prometheus reads, and the answers for whoever only asks whether the program works.

It is served on loopback and nowhere else: figures tell how much business a network does, and nobody is asked for a key.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from ipaddress import ip_address
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from restante.hub.measures import Spread
from restante.hub.metrics.catalogue import METRICS, Kind, Metric, Row, Seen
from restante.hub.settings import BadSettings

Look = Callable[[], Seen]
Check = Callable[[], Awaitable[bool]]

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class Shown(Collector):
    """Everything of the catalogue, as the library writes it."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterator[Family]:
        """Each metric as it is now."""
        seen = self._look()
        for metric in METRICS:
            yield family_of(metric, metric.read(seen))

    def describe(self) -> Iterable[Family]:
        """Nothing is asked for when the collector is registered: the parts of the program are not up yet."""
        return ()


def family_of(metric: Metric, rows: Iterable[Row]) -> Family:
    """A metric with its values."""
    match metric.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(metric.name, metric.question, labels=metric.labels)
            for labels, value in rows:
                assert not isinstance(value, Spread)
                counter.add_metric(labels, value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(metric.name, metric.question, labels=metric.labels)
            for labels, value in rows:
                assert not isinstance(value, Spread)
                gauge.add_metric(labels, value)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.question, labels=metric.labels)
            for labels, value in rows:
                assert isinstance(value, Spread)
                histogram.add_metric(labels, _buckets(value), value.total)
            return histogram


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    return list(zip([*(f"{bound:g}" for bound in spread.bounds), "+Inf"], accumulate(spread.counts), strict=True))


def registry_of(look: Look) -> CollectorRegistry:
    """The catalogue and the process, to be written out."""
    registry = CollectorRegistry()
    registry.register(Shown(look))
    ProcessCollector(registry=registry)
    return registry


class MetricsPage:
    """The listener's application: ``/metrics``, ``/alive`` and ``/ready``, to GET alone."""

    def __init__(self, look: Look, check: Check) -> None:
        self._registry = registry_of(look)
        self._check = check

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or go along with the server's start and end."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        status, head, body = await self._answer(scope["method"], scope["path"])
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": status, "headers": [head, length]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: str) -> tuple[int, tuple[bytes, bytes], bytes]:
        match method, path:
            case "GET", "/metrics":
                return 200, (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()), generate_latest(self._registry)
            case "GET", "/alive":
                return 200, _TEXT, b"alive\n"
            case "GET", "/ready":
                is_ready = await self._check()
                return (200, _TEXT, b"ready\n") if is_ready else (503, _TEXT, b"not ready\n")
            case _:
                return 404, _TEXT, b"not found\n"


async def _live(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


def bind_of(setting: str) -> tuple[str, int] | None:
    """The address and port to serve metrics on; None for none. Fault: ``BadSettings``, as for what is not loopback."""
    if not setting:
        return None
    host, _, port = setting.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not _is_loopback(host) or not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise BadSettings(
            "RESTANTE_METRICS_BIND: write a loopback address and a port, as 127.0.0.1:9464, or nothing for no metrics"
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
