"""The final account: every parcel as the hub, the machines and the people tell it, compared; and what the day came to.

The hub is asked twice, by its API and in its ledger; the machines' books are read entry by entry and compared with what
the hub adopted, hash for hash.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from statistics import quantiles
from typing import Any, Final

import msgspec

from restante.core.facts import ParcelPutIn, ParcelTakenOut
from restante.core.ids import ParcelId, SourceId
from restante.core.parcel import stage_of
from restante.edge.bank import BOOK_FILE
from restante.edge.book import open_book
from restante.hub.fleet.reading import fact_of
from restante.hub.journeys.service import STAGE_NAMES
from restante.sim.demo.api import Api
from restante.sim.demo.ground import IN, OUT, Ground, Item, Spot
from restante.sim.demo.picture import Picture
from restante.store.check import check
from restante.store.postgres import PostgresLedger
from restante.wire.journal import Entry, write_entry

PAGE: Final = 200

Step = tuple[str, str, int, str]
"""A parcel went in or out at a machine: (source, in or out, door, by whose hands)."""

Trail = tuple[Step, ...]
"""What happened to a parcel at machines, machine by machine, in each one's order."""


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the day came to. ``disagreements`` is empty, or the day has failed.

    ``deposit_to_mail_ms`` has the median and the 95th percentile, from the entry in the bank's book to the mail
    server's 250, in real time, for machines that were on line.
    """

    parcels: int
    ended: dict[str, int]
    stages: dict[str, int]
    roles: dict[str, int]
    deposits: int
    withdrawals: int
    entries: int
    cases: dict[str, int]
    mails: int
    deposit_to_mail_ms: dict[str, float]
    put_in_while_cut: int
    taken_out_while_cut: int
    cut_off: list[str]
    stuck_doors: int
    wrong_codes: int
    lapsed: int
    refused_for_room: int
    seconds: float
    disagreements: list[str]


class Told(msgspec.Struct):
    """What one witness tells."""

    trails: dict[str, Trail] = {}
    stages: dict[str, str] = {}


class Verdict(msgspec.Struct):
    """What was compared and found so far."""

    wrong: list[str] = []
    entries: int = 0
    kinds: Counter[str] = msgspec.field(default_factory=Counter)
    put_in_ms: dict[str, int] = {}


async def ask_hub(api: Api, ground: Ground) -> Told:
    """The hub by its API: the stage of every parcel, and the events of its stays."""
    told = Told()
    async for shown in _pages(api, "/parcels"):
        told.stages[shown["id"]] = shown["stage"]
    for parcel in ground.items:
        steps = [step async for event in _pages(api, f"/parcels/{parcel}/events") if (step := _step(event["event"]))]
        told.trails[parcel] = _by_machine(steps)
    return told


async def _pages(api: Api, path: str) -> AsyncIterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = await api.get(path, limit=PAGE, cursor=cursor)
        for one in page["items"]:
            yield one
        cursor = page.get("cursor") or ""
        if not cursor:
            return


def _step(event: Mapping[str, Any]) -> Step | None:
    way = {"parcel-deposited": IN, "parcel-withdrawn": OUT}.get(event["kind"])
    if way is None:
        return None
    source = event["stay"][0] if isinstance(event["stay"], list) else str(event["stay"]).partition("/")[0]
    return source, way, int(event["door"]), str(event["by"])


def read_books(spots: Sequence[Spot], verdict: Verdict) -> dict[str, list[Entry]]:
    """Every entry of every machine's book; the machines' programs have stopped."""
    found: dict[str, list[Entry]] = {}
    for spot in spots:
        book = open_book(spot.folder / BOOK_FILE, source=spot.source)
        try:
            entries: list[Entry] = []
            while more := book.entries_from(len(entries) + 1):
                entries += more
            if entries and entries[-1].hash != book.head.hash:
                verdict.wrong.append(f"{spot.name}: the book's head is not its last entry")
        finally:
            book.close()
        found[spot.source] = entries
        verdict.entries += len(entries)
    return found


async def compare_journals(
    ledger: PostgresLedger, books: Mapping[str, Sequence[Entry]], *, spots: Sequence[Spot], verdict: Verdict
) -> None:
    """Hold every entry that the hub adopted to the machine's own, byte for byte and hash for hash."""
    for spot in spots:
        entries = books[spot.source]
        span = range(1, len(entries) + 2)
        rows = await ledger.journal(SourceId(spot.source), 1, span)
        if len(rows) != len(entries):
            verdict.wrong.append(f"{spot.name}: {len(entries)} entries in the book, {len(rows)} at the hub")
        for row, entry in zip(rows, entries, strict=False):
            if (row.seq, row.hash, bytes(row.entry)) != (entry.seq, entry.hash, write_entry(entry)):
                verdict.wrong.append(f"{spot.name}: entry {entry.seq} differs between book and hub")
        head = await ledger.source(SourceId(spot.source))
        if entries and (head is None or (head.seq, head.hash) != (entries[-1].seq, entries[-1].hash)):
            verdict.wrong.append(f"{spot.name}: the hub's head is not the book's")


def told_by_books(books: Mapping[str, Sequence[Entry]], verdict: Verdict) -> Told:
    """What the machines say happened to each parcel."""
    steps: dict[str, list[Step]] = {}
    for source, entries in books.items():
        for entry in entries:
            verdict.kinds[entry.kind] += 1
            match fact_of(entry):
                case ParcelPutIn(parcel=parcel, door=door, by=by):
                    steps.setdefault(parcel, []).append((source, IN, door, by.value))
                    verdict.put_in_ms.setdefault(parcel, entry.monotonic_ms)
                case ParcelTakenOut(parcel=parcel, door=door, by=by):
                    steps.setdefault(parcel, []).append((source, OUT, door, by.value))
                case _:
                    pass
    return Told({parcel: _by_machine(walked) for parcel, walked in steps.items()})


def told_by_people(ground: Ground) -> Told:
    """What the people did with each parcel."""
    told = Told()
    for item in ground.items.values():
        told.trails[item.id] = _by_machine([(deed.source, deed.way, deed.door, deed.by) for deed in item.deeds])
        told.stages[item.id] = item.ended
    return told


async def compare_parcels(
    ledger: PostgresLedger, ground: Ground, tellers: Mapping[str, Told], *, wrong: list[str]
) -> None:
    """Hold the accounts of all witnesses to each other, parcel by parcel."""
    rows = await ledger.parcels(ParcelId(parcel) for parcel in ground.items)
    for parcel, item in ground.items.items():
        trails = {name: told.trails.get(parcel, ()) for name, told in tellers.items()}
        if len(set(trails.values())) > 1:
            wrong.append(_disagreement(item, trails))
        stage = STAGE_NAMES[type(stage_of(rows[ParcelId(parcel)]))] if ParcelId(parcel) in rows else "unknown"
        stages = {"ledger": stage, "API": tellers["API"].stages.get(parcel, "unknown"), "people": item.ended}
        if len(set(stages.values())) > 1:
            wrong.append(_disagreement(item, stages))
    strangers = tellers["machines"].trails.keys() - ground.items.keys()
    wrong += [f"the machines tell of a parcel {parcel} that nobody has seen" for parcel in strangers]


def _disagreement(item: Item, told: Mapping[str, object]) -> str:
    return f"{item.code} ({item.role.value}): " + "; ".join(f"{who} say {what}" for who, what in told.items())


def _by_machine(steps: Iterable[Step]) -> Trail:
    return tuple(sorted(steps, key=lambda step: step[0]))


class Evidence(msgspec.Struct, frozen=True):
    """What an account is drawn up from, once the machines have stopped; ``hub`` is what the API told before.

    ``asked`` is how many parcels the day was to have, if it was bounded.
    """

    ground: Ground
    spots: Sequence[Spot]
    hub: Told
    picture: Picture
    mails: int
    refused_for_room: int
    seconds: float
    asked: int | None = None


def missing(asked: int | None, ground: Ground) -> Iterator[str]:
    """Parcels that the day was asked for and that nobody ever saw; a day that has none of them settles nothing."""
    if asked is not None and len(ground.items) != asked:
        yield f"{asked} parcels were asked for, {len(ground.items)} were announced"


async def draw_up(ledger: PostgresLedger, evidence: Evidence) -> Account:
    """Compare everything, and count what the day came to."""
    ground, spots = evidence.ground, evidence.spots
    verdict = Verdict(wrong=[*ground.breaches, *missing(evidence.asked, ground)])
    books = read_books(spots, verdict)
    await compare_journals(ledger, books, spots=spots, verdict=verdict)
    machines, people = told_by_books(books, verdict), told_by_people(ground)
    tellers = {"API": evidence.hub, "machines": machines, "people": people}
    await compare_parcels(ledger, ground, tellers, wrong=verdict.wrong)
    verdict.wrong += [f"ledger: {one.what} {one.key} {one.detail}" for one in await check(ledger)]
    return Account(
        parcels=len(ground.items),
        ended=dict(Counter(item.ended or "not ended" for item in ground.items.values())),
        stages=dict(Counter(evidence.hub.stages.values())),
        roles=dict(Counter(item.role.value for item in ground.items.values())),
        deposits=verdict.kinds["parcel-put-in"],
        withdrawals=verdict.kinds["parcel-taken-out"],
        entries=verdict.entries,
        cases=dict(evidence.picture.cases),
        mails=evidence.mails,
        deposit_to_mail_ms=_percentiles(_mail_times(ground, spots, verdict.put_in_ms)),
        put_in_while_cut=_while_cut(ground, spots, IN),
        taken_out_while_cut=_while_cut(ground, spots, OUT),
        cut_off=[spot.name for spot in spots if spot.cuts],
        stuck_doors=verdict.kinds["door-stuck"],
        wrong_codes=verdict.kinds["code-refused"],
        lapsed=evidence.picture.figures["overdue"],
        refused_for_room=evidence.refused_for_room,
        seconds=round(evidence.seconds, 1),
        disagreements=verdict.wrong,
    )


def _mail_times(ground: Ground, spots: Sequence[Spot], put_in_ms: Mapping[str, int]) -> list[float]:
    """From the entry in the machine's book to the mail server's 250, for parcels put in while there was a line."""
    by_source = {spot.source: spot for spot in spots}
    found = []
    for item in ground.items.values():
        deed = next((deed for deed in item.deeds if deed.way == IN and deed.by != "sender"), None)
        if deed is None or item.first_code_s is None or by_source[deed.source].was_cut(deed.at_s):
            continue
        found.append(item.first_code_s * 1000 - put_in_ms[item.id])
    return found


def _percentiles(times_ms: Sequence[float]) -> dict[str, float]:
    if len(times_ms) < 2:
        return {"count": len(times_ms)}
    cuts = quantiles(times_ms, n=100, method="inclusive")
    return {"count": len(times_ms), "p50": round(cuts[49]), "p95": round(cuts[94]), "max": round(max(times_ms))}


def _while_cut(ground: Ground, spots: Sequence[Spot], way: str) -> int:
    by_source = {spot.source: spot for spot in spots}
    deeds = (deed for item in ground.items.values() for deed in item.deeds)
    return sum(1 for deed in deeds if deed.way == way and by_source[deed.source].was_cut(deed.at_s))


def as_lines(account: Account) -> Iterator[str]:
    """The account for people to read."""
    times = account.deposit_to_mail_ms
    yield f"{account.parcels} parcels, {_counted(account.ended)}."
    yield f"Stages at the hub: {_counted(account.stages)}."
    yield f"{account.deposits} put in, {account.withdrawals} taken out, {account.entries} journal entries."
    if account.cut_off:
        yield (
            f"{', '.join(account.cut_off)} was cut off: {account.put_in_while_cut} put in and "
            f"{account.taken_out_while_cut} taken out there meanwhile."
        )
    yield (
        f"{account.stuck_doors} doors stuck, {account.wrong_codes} wrong codes, {account.lapsed} holds lapsed, "
        f"{account.refused_for_room} refused for want of room and sent elsewhere."
    )
    yield f"Cases: {_counted(account.cases) or 'none'}. Mails: {account.mails}."
    if "p50" in times:
        yield (
            f"Deposit to mail accepted, banks on line: p50 {times['p50']:.0f} ms, p95 {times['p95']:.0f} ms "
            f"({times['count']:.0f} mails, the slowest {times['max']:.0f} ms)."
        )
    yield f"The day took {account.seconds:.0f} s."
    for line in account.disagreements:
        yield f"  disagrees: {line}"
    verdict = f"{len(account.disagreements)} in disagreement." if account.disagreements else "0 in disagreement."
    yield f"Hub (API and ledger), machines (books, hash for hash) and people: {verdict}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))
