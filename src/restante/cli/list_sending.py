"""Brings the accepted rows of a list into a network: what is there already, and requests that may be sent twice.

The Idempotency-Key of each request follows from the file, the row and what is sent, so a list that is brought in twice
brings nothing twice. Keys are forgotten after some days; by then a point is known by its kind, name and place, and a
parcel by its reference.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from restante.carriers.lists.parcels import KnownPoints
from restante.carriers.lists.points import Judged
from restante.carriers.lists.wording import plain
from restante.cli.calling import Calls
from restante.cli.ending import Stop
from restante.cli.list_report import Report

MOST_AT_ONCE: Final = 1000
LARGEST_BULK_BYTES: Final = 3_500_000
NEAR_DEGREES: Final = 0.0003
"""About 30 m: so near, a point of the same kind and name is the same point."""
MOST_POINTS: Final = 1_000_000

ENDS_ALL: Final = frozenset({
    "hub-silent", "hub-foreign", "busy", "api-key-missing", "api-key-wrong", "role-not-allowed",
})  # fmt: skip
"""What a hub says about the caller or itself, and not about the row that was sent."""


class Standing:
    """The network's points as it has them before a list is brought in."""

    def __init__(self, shown: Iterator[dict[str, Any]]) -> None:
        self._alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._status: dict[str, str] = {}
        for one in shown:
            kept = {name: one.get(name) for name in ("id", "latitude", "longitude", "source")}
            self._alike.setdefault((one["kind"], plain(one["name"])), []).append(kept)
            self._status[one["id"]] = one["status"]

    def same(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """The point that a row is about, if it is in the network: same kind and name, 30 m apart at most."""
        for one in self._alike.get((str(body["kind"]), plain(str(body["name"]))), ()):
            apart = max(abs(one["latitude"] - body["latitude"]), abs(one["longitude"] - body["longitude"]))
            if apart <= NEAR_DEGREES:
                return one
        return None

    def known(self) -> KnownPoints:
        """The points as parcels name them."""
        named: dict[str, list[str]] = {}
        for (_, name), alike in self._alike.items():
            named.setdefault(name, []).extend(one["id"] for one in alike)
        return KnownPoints(self._status, named)


def standing(hub: Calls) -> Standing:
    """Ask for every point of the network."""
    return Standing(hub.pages("/points", MOST_POINTS))


def send_point(hub: Calls, row: Judged, there: Standing, *, digest: str, report: Report) -> str:
    """Bring one point in, with what stands there if the row says it; answers ``made``, ``exists`` or ``refused``."""
    import msgspec

    found, source = there.same(row.body), row.source
    step = ""
    try:
        if found is None:
            body = msgspec.json.encode(row.body)
            point = hub.post("/points", body, key=_key(digest, row.number, body))["id"]
        else:
            point = found["id"]
        if source and (found is None or not found["source"]):
            step, body = "source.", msgspec.json.encode(source)
            hub.post(f"/points/{point}/source", body, key=_key(digest, row.number, point.encode() + body))
    except Stop as refused:
        if refused.code in ENDS_ALL:
            raise
        report.told(row.number, "refused", refused.code, field=f"{step}{refused.field}", said=refused.rule)
        return "refused"
    outcome = "made" if found is None else "exists"
    report.told(row.number, outcome, "", field="point", value=point)
    return outcome


class Bulk:
    """Announcements gathered into requests of the largest size that the interface takes."""

    def __init__(self, hub: Calls, digest: str, report: Report) -> None:
        self._hub, self._digest, self._report = hub, digest, report
        self._rows: list[int] = []
        self._bodies: list[bytes] = []
        self._bytes = 0

    def add(self, row: Judged) -> Iterator[str]:
        """Take a row in; answers what became of those that were sent with it, if any were."""
        import msgspec

        body = msgspec.json.encode(row.body)
        if len(self._rows) == MOST_AT_ONCE or self._bytes + len(body) > LARGEST_BULK_BYTES:
            yield from self.flush()
        self._rows.append(row.number)
        self._bodies.append(body)
        self._bytes += len(body) + 1

    def flush(self) -> Iterator[str]:
        """Send what was gathered; ``made``, ``made-without-room``, ``exists`` or ``refused`` for each."""
        if not self._rows:
            return
        body = b'{"items":[' + b",".join(self._bodies) + b"]}"
        rows, self._rows, self._bodies, self._bytes = self._rows, [], [], 0
        for one in self._hub.post("/parcels/bulk", body, key=_key(self._digest, rows[0], body))["items"]:
            row = rows[one["index"]]
            if problem := one.get("problem"):
                self._report.told(
                    row, "refused", problem["code"], field=problem.get("field", ""), said=problem.get("title", "")
                )
                yield "refused"
                continue
            yield self._accepted(row, one["accepted"])

    def _accepted(self, row: int, accepted: dict[str, Any]) -> str:
        problem = accepted.get("problem") or {"code": "", "title": ""}
        outcome = "exists" if accepted["replayed"] else "made-without-room" if problem["code"] else "made"
        self._report.told(
            row, outcome, problem["code"], field="parcel", value=accepted["parcel"], said=problem["title"]
        )
        return outcome


def _key(digest: str, row: int, body: bytes) -> str:
    """The Idempotency-Key of a request."""
    return f"list-{hashlib.sha256(f'{digest}:{row}:'.encode() + body).hexdigest()}"
