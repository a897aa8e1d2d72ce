"""What a batch writes, as statements of ``sql/batch.sql`` and their arrays: one statement for each table it touches."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec

from restante.core import events as ev
from restante.core.ids import Lane, OrgId, PointId, lanes_of
from restante.store.arrays import (
    Column,
    big_numbers,
    blobs,
    instants,
    lanes,
    numbers,
    plain,
    texts,
    texts_or_null,
    uuids,
)
from restante.store.bodies import encode
from restante.store.derived import refreshed, subject_of
from restante.store.ledger import Changes, Recorded

Arrays = dict[str, str | int | Column]
Write = tuple[str, Arrays]
_OPENED: Final = frozenset({ev.CaseOpened, ev.PointCaseOpened})
_SETTLED: Final = frozenset({ev.CaseSettled, ev.PointCaseSettled})
_Case = ev.CaseOpened | ev.PointCaseOpened | ev.CaseSettled | ev.PointCaseSettled
Key = TypeVar("Key", bound=str)
Row = TypeVar("Row", bound=msgspec.Struct)

# A payload of NOTIFY holds 7,999 bytes; an id and a comma take 37.
_POINTS_A_SIGNAL: Final = 200


Versions = Mapping[str, Mapping[Any, int]]
"""The versions of a batch's rows as they were loaded, by table and id: what a write must still find."""


def writes(changes: Changes, loaded: Versions, heads: Mapping[Lane, int]) -> Iterator[Write]:
    """Every statement the batch needs, in an order that is the same for all batches.

    ``heads`` are those of the locked lanes as they were found.
    """
    yield from _parcels(changes, loaded["parcels"])
    yield from _rows("rooms", changes.rooms, loaded["rooms"])
    yield from _rows("points", changes.points, loaded["points"])
    homes = {key: head.point for key, head in changes.sources.items()}
    yield from _rows("sources", changes.sources, loaded["sources"], points=homes)
    yield from _events(changes.events)
    yield from _heads(changes, heads)
    yield from _promises(changes)
    yield from _stays(changes)
    yield from _timers(changes)
    yield from _tasks(changes)
    yield from _receipts(changes)
    yield from _journal(changes)
    yield from _cases(changes.events)


def _parcels(changes: Changes, before: Mapping[str, int]) -> Iterator[Write]:
    fresh = [parcel for key, parcel in changes.parcels.items() if key not in before]
    known = [parcel for key, parcel in changes.parcels.items() if key in before]
    if fresh:
        yield (
            "add_parcels",
            {
                "lanes": lanes([parcel.id for parcel in fresh]),
                "ids": uuids([parcel.id for parcel in fresh]),
                "orgs": texts([parcel.org for parcel in fresh]),
                "codes": texts([parcel.code for parcel in fresh]),
                "versions": numbers([parcel.version for parcel in fresh]),
                "bodies": blobs(map(encode, fresh)),
            },
        )
    if known:
        yield (
            "change_parcels",
            {
                "lanes": lanes([parcel.id for parcel in known]),
                "ids": uuids([parcel.id for parcel in known]),
                "before": numbers([before[parcel.id] for parcel in known]),
                "versions": numbers([parcel.version for parcel in known]),
                "bodies": blobs(map(encode, known)),
                "count": len(known),
            },
        )


def _rows(
    table: str, rows: Mapping[Key, Row], before: Mapping[str, int], *, points: Mapping[Key, PointId] | None = None
) -> Iterator[Write]:
    """Rows that are replaced whole; their version counts the batches that changed them."""
    for verb, keys in (("add", rows.keys() - before.keys()), ("change", rows.keys() & before.keys())):
        if not keys:
            continue
        ids = sorted(keys)
        arrays: Arrays = {
            "lanes": lanes(ids),
            "ids": uuids(ids),
            "versions": numbers([before.get(key, 0) + 1 for key in ids]),
            "bodies": blobs([encode(rows[key]) for key in ids]),
        }
        if verb == "change":
            arrays |= {"before": numbers([before[key] for key in ids]), "count": len(ids)}
        elif points is not None:
            arrays["points"] = uuids([points[key] for key in ids])
        yield f"{verb}_{table}", arrays


def _events(events: list[Recorded]) -> Iterator[Write]:
    if not events:
        return
    yield (
        "add_events",
        {
            "lanes": numbers([row.lane for row in events]),
            "seqs": big_numbers([row.seq for row in events]),
            "recorded": instants([row.recorded_at for row in events]),
            "ats": instants([row.at for row in events]),
            "subjects": uuids([subject_of(row) for row in events]),
            "versions": numbers([row.version for row in events]),
            "orgs": texts_or_null([row.org for row in events]),
            "schemas": numbers([row.schema for row in events]),
            "actors": texts([row.actor for row in events]),
            "commands": texts([row.command for row in events]),
            "bodies": blobs([encode(row.event) for row in events]),
        },
    )


def heads_after(changes: Changes, heads: Mapping[Lane, int]) -> dict[Lane, int]:
    """The head of each lane in which a batch changes anything."""
    rows = (*changes.parcels, *changes.rooms, *changes.sources, *changes.points)
    touched = lanes_of(rows) if len(heads) > 1 else set(heads if rows else ())
    return {lane: heads[lane] for lane in sorted(touched)} | {row.lane: row.seq for row in changes.events}


def _heads(changes: Changes, heads: Mapping[Lane, int]) -> Iterator[Write]:
    if after := heads_after(changes, heads):
        yield (
            "move_heads",
            {
                "lanes": numbers(after),
                "before": big_numbers([heads[lane] for lane in after]),
                "heads": big_numbers(after.values()),
                "count": len(after),
            },
        )


def _promises(changes: Changes) -> Iterator[Write]:
    live = {key: row for key, row in changes.promises.items() if row is not None}
    ended = changes.promises.keys() - live.keys()
    if ended:
        yield (
            "end_promises",
            {
                "lanes": lanes([point for point, _ in ended]),
                "points": uuids([point for point, _ in ended]),
                "parcels": uuids([parcel for _, parcel in ended]),
            },
        )
    if live:
        yield (
            "put_promises",
            {
                "lanes": lanes([point for point, _ in live]),
                "points": uuids([point for point, _ in live]),
                "parcels": uuids([parcel for _, parcel in live]),
                "orgs": texts([row.promise.org for row in live.values()]),
                "bodies": blobs(map(encode, live.values())),
            },
        )


def _stays(changes: Changes) -> Iterator[Write]:
    live = {key: row for key, row in changes.stays.items() if row is not None}
    ended = changes.stays.keys() - live.keys()
    for name, keys in (("end_stays", ended), ("put_stays", live.keys())):
        if not keys:
            continue
        arrays: Arrays = {
            "lanes": lanes([key.source for key in keys]),
            "sources": uuids([key.source for key in keys]),
            "epochs": numbers([key.epoch for key in keys]),
            "seqs": big_numbers([key.seq for key in keys]),
        }
        if name == "put_stays":
            arrays |= {
                "parcels": uuids([row.parcel for row in live.values()]),
                "orgs": texts([row.org for row in live.values()]),
                "bodies": blobs(map(encode, live.values())),
            }
        yield name, arrays


def _timers(changes: Changes) -> Iterator[Write]:
    due = [(parcel, kind, at) for (parcel, kind), at in changes.timers.items() if at is not None]
    over = [key for key, at in changes.timers.items() if at is None]
    if over:
        yield (
            "clear_timers",
            {
                "lanes": lanes([parcel for parcel, _ in over]),
                "parcels": uuids([parcel for parcel, _ in over]),
                "kinds": plain([kind for _, kind in over]),
            },
        )
    if due:
        yield (
            "set_timers",
            {
                "lanes": lanes([parcel for parcel, _, _ in due]),
                "parcels": uuids([parcel for parcel, _, _ in due]),
                "kinds": plain([kind for _, kind, _ in due]),
                "orgs": texts([changes.parcels[parcel].org for parcel, _, _ in due]),
                "dues": instants([at for _, _, at in due]),
            },
        )


def _tasks(changes: Changes) -> Iterator[Write]:
    if not changes.tasks:
        return
    orgs: dict[tuple[Lane, int], OrgId | None] = {(row.lane, row.seq): row.org for row in changes.events}
    yield (
        "add_tasks",
        {
            "lanes": numbers([row.lane for row in changes.tasks]),
            "seqs": big_numbers([row.seq for row in changes.tasks]),
            "ordinals": numbers([row.ordinal for row in changes.tasks]),
            "orgs": texts_or_null(orgs.get((row.lane, row.seq)) for row in changes.tasks),
            "attempts": numbers([row.attempts for row in changes.tasks]),
            "bodies": blobs([encode(row.task) for row in changes.tasks]),
        },
    )
    points = refreshed(changes.tasks)
    for start in range(0, max(len(points), 1), _POINTS_A_SIGNAL):
        yield "signal", {"points": ",".join(points[start : start + _POINTS_A_SIGNAL])}


def _receipts(changes: Changes) -> Iterator[Write]:
    if changes.receipts:
        yield (
            "add_receipts",
            {
                "lanes": numbers([row.lane for row in changes.receipts]),
                "commands": texts([row.command for row in changes.receipts]),
                "fingerprints": blobs([row.fingerprint for row in changes.receipts]),
                "outcomes": blobs([row.outcome for row in changes.receipts]),
                "ats": instants([row.at for row in changes.receipts]),
            },
        )


def _journal(changes: Changes) -> Iterator[Write]:
    if changes.journal:
        yield (
            "add_entries",
            {
                "lanes": lanes([row.source for row in changes.journal]),
                "sources": uuids([row.source for row in changes.journal]),
                "epochs": numbers([row.epoch for row in changes.journal]),
                "seqs": big_numbers([row.seq for row in changes.journal]),
                "hashes": texts([row.hash for row in changes.journal]),
                "entries": blobs([row.entry for row in changes.journal]),
            },
        )


def _cases(events: list[Recorded]) -> Iterator[Write]:
    for name, kinds in (("open_cases", _OPENED), ("settle_cases", _SETTLED)):
        rows = [(row, cast(_Case, row.event)) for row in events if type(row.event) in kinds]
        if not rows:
            continue
        arrays: Arrays = {
            "lanes": numbers([row.lane for row, _ in rows]),
            "ids": uuids([event.case for _, event in rows]),
        }
        if name == "open_cases":
            arrays |= {
                "subjects": uuids([subject_of(row) for row, _ in rows]),
                "kinds": plain([event.what.value for _, event in rows]),
                "ats": instants([row.recorded_at for row, _ in rows]),
            }
        yield name, arrays
