"""What became of every order, and whether hub, banks and people tell the same of every parcel."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from restante.sim.demo.account import (
    Told,
    Verdict,
    ask_hub,
    compare_journals,
    compare_parcels,
    read_books,
    told_by_books,
    told_by_people,
)
from restante.sim.polish import Instance
from restante.sim.radom_day import Day, Way
from restante.sim.radom_network import Network
from restante.sim.radom_plan import tour_metres
from restante.store.check import check
from restante.store.postgres import PostgresLedger

COLLECTED: Final = "collected"
MOVED_COLLECTED: Final = "moved to the next best, collected"
TAKEN_BACK: Final = "dropped off, taken back"
MOVED_TAKEN_BACK: Final = "moved to the next best, dropped off, taken back"
REFUSED: Final = "refused, no room anywhere"
UNACCOUNTED: Final = "not accounted for"
OUTCOMES: Final = (COLLECTED, MOVED_COLLECTED, TAKEN_BACK, MOVED_TAKEN_BACK, REFUSED, UNACCOUNTED)


class Account(msgspec.Struct, frozen=True):
    """The account of a day. ``disagreements`` is empty and nothing is unaccounted for, or the day has failed.

    ``moved_metres`` are road metres from the locker asked for to the next best, one way; ``first_offered`` counts the
    moves whose next best by road was also the first point that the API named.
    """

    orders: int
    outcomes: dict[str, int]
    by_size: dict[str, dict[str, int]]
    refusals: dict[str, int]
    asked_elsewhere: int
    first_offered: int
    moved_metres: dict[str, int]
    stages: dict[str, int]
    deposits: int
    withdrawals: int
    entries: int
    stuck_doors: int
    wrong_codes: int
    too_early: int
    cases: int
    mails: int
    deposit_to_mail_ms: dict[str, int]
    tour_metres: int
    phases_s: dict[str, float]
    failures: list[str]
    disagreements: list[str]

    @property
    def is_settled(self) -> bool:
        """Whether every order is accounted for and all witnesses agree."""
        return not self.disagreements and not self.outcomes.get(UNACCOUNTED)


def outcome_of(way: Way) -> str:
    """What became of an order, as the people of the day saw it."""
    match way.item.ended:
        case "collected":
            return MOVED_COLLECTED if way.is_moved else COLLECTED
        case "released":
            return MOVED_TAKEN_BACK if way.is_moved else TAKEN_BACK
        case "cancelled" if way.locker is None:
            return REFUSED
        case _:
            return UNACCOUNTED


async def ask(network: Network, day: Day) -> Told:
    """What the hub's API tells, asked while the hub still runs."""
    return await ask_hub(network.carrier, day.ground)


class Evidence(msgspec.Struct, frozen=True):
    """What an account is drawn up from once the banks have stopped; ``hub`` is what the API told before."""

    instance: Instance
    day: Day
    network: Network
    hub: Told
    mails: int
    phases_s: Mapping[str, float]


async def draw_up(ledger: PostgresLedger, evidence: Evidence) -> Account:
    """Compare hub, books and people, and count what became of every order."""
    day, spots = evidence.day, list(evidence.network.spots.values())
    verdict = Verdict(wrong=list(day.ground.breaches))
    books = read_books(spots, verdict)
    await compare_journals(ledger, books, spots=spots, verdict=verdict)
    banks, people = told_by_books(books, verdict), told_by_people(day.ground)
    await compare_parcels(
        ledger, day.ground, {"API": evidence.hub, "machines": banks, "people": people}, wrong=verdict.wrong
    )
    verdict.wrong += [f"ledger: {one.what} {one.key} {one.detail}" for one in await check(ledger)]
    verdict.wrong += _unheard(evidence, day.ways)
    rows = await ledger.parcels(day.ground.items)  # type: ignore[arg-type]  # ids are parcels' ids here
    return _counted(evidence, verdict, cases=sum(len(parcel.cases) for parcel in rows.values()))


def _unheard(evidence: Evidence, ways: Sequence[Way]) -> Iterator[str]:
    """The instance's orders against the announcements: one for each, and the hub knows of no other."""
    if len(ways) != len(evidence.instance.orders):
        yield f"{len(evidence.instance.orders)} orders, but {len(ways)} were announced"
    for parcel in evidence.hub.stages.keys() - evidence.day.ground.items.keys():
        yield f"the hub tells of a parcel {parcel} that is no order"


def _counted(evidence: Evidence, verdict: Verdict, *, cases: int) -> Account:
    day, instance, ways = evidence.day, evidence.instance, evidence.day.ways
    moved = [way for way in ways if way.is_moved]
    away = [instance.metres[way.errand.order.locker][way.locker or 0] for way in moved]
    times = [
        way.mailed_s * 1000 - verdict.put_in_ms[way.item.id]
        for way in ways
        if way.errand.order.is_delivery and way.mailed_s and way.item.id in verdict.put_in_ms
    ]
    by_size: dict[str, Counter[str]] = {}
    for way in ways:
        by_size.setdefault(outcome_of(way), Counter())[way.errand.order.size] += 1
    return Account(
        orders=len(instance.orders),
        outcomes=dict(Counter(map(outcome_of, ways))),
        by_size={outcome: dict(counts) for outcome, counts in by_size.items()},
        refusals=dict(Counter(way.refused for way in ways if way.refused)),
        asked_elsewhere=sum(way.tries for way in ways),
        first_offered=sum(way.is_first_offered for way in moved),
        moved_metres=_spread(away),
        stages=dict(Counter(evidence.hub.stages.values())),
        deposits=verdict.kinds["parcel-put-in"],
        withdrawals=verdict.kinds["parcel-taken-out"],
        entries=verdict.entries,
        stuck_doors=verdict.kinds["door-stuck"],
        wrong_codes=verdict.kinds["code-refused"],
        too_early=day.too_early,
        cases=cases,
        mails=evidence.mails,
        deposit_to_mail_ms=_spread(times),
        tour_metres=sum(tour_metres(instance, tour) for tour in day.tours),
        phases_s={name: round(seconds, 1) for name, seconds in evidence.phases_s.items()},
        failures=[f"{way.errand.reference}: {way.failed}" for way in ways if way.failed],
        disagreements=verdict.wrong,
    )


def _spread(values: Sequence[float]) -> dict[str, int]:
    """How many, the median, the value that 95 of 100 do not exceed, and the most."""
    found = sorted(values)
    if not found:
        return {"count": 0}
    p50, p95 = found[len(found) // 2], found[int(0.95 * (len(found) - 1))]
    return {"count": len(found), "p50": round(p50), "p95": round(p95), "max": round(found[-1])}


def as_plain(account: Account) -> dict[str, Any]:
    """The account for machines, with its verdict."""
    plain: dict[str, Any] = msgspec.to_builtins(account)
    return plain | {"settled": account.is_settled, "parcels_in_disagreement": len(account.disagreements)}


def as_table(account: Account) -> RenderableType:
    """The account for people."""
    table = Table(title="What became of every order", title_justify="left")
    table.add_column("outcome")
    for heading in ("A", "B", "C", "orders"):
        table.add_column(heading, justify="right")
    for outcome in OUTCOMES:
        if count := account.outcomes.get(outcome, 0):
            sizes = account.by_size[outcome]
            table.add_row(outcome, *(str(sizes.get(size, 0)) for size in "ABC"), str(count))
    table.add_section()
    table.add_row("orders of the instance", "", "", "", str(account.orders), style="bold")
    return Group(table, *(Text(line) for line in as_lines(account)))


def as_lines(account: Account) -> Iterator[str]:
    """The figures below the table."""
    refused = ", ".join(f"{count} {code}" for code, count in sorted(account.refusals.items())) or "none"
    yield f"Refused where they asked: {refused}; other points asked: {account.asked_elsewhere}."
    if "p50" in account.moved_metres:
        away = account.moved_metres
        yield (
            f"Moved to the next best by road: {away['count']}, {away['p50']} m away in the middle, {away['max']} m at "
            f"most; for {account.first_offered} of them the API named the same point first."
        )
    yield (
        f"{account.deposits} put in, {account.withdrawals} taken out, {account.entries} journal entries; "
        f"{account.stuck_doors} doors stuck, {account.wrong_codes} wrong codes, {account.too_early} came too early, "
        f"{account.cases} cases."
    )
    times = account.deposit_to_mail_ms
    if "p50" in times:
        yield f"Deposit to mail accepted: p50 {times['p50']} ms, p95 {times['p95']} ms; {account.mails} mails in all."
    yield f"Couriers' tours: {account.tour_metres / 1000:.1f} km."
    yield "Seconds: " + ", ".join(f"{name} {seconds:g}" for name, seconds in account.phases_s.items()) + "."
    yield from (f"  failed: {line}" for line in account.failures)
    yield from (f"  disagrees: {line}" for line in account.disagreements)
    wrong = len(account.disagreements)
    yield f"Instance, hub (API and ledger), books (hash for hash) and people: {wrong} in disagreement."
