"""What a load and the stories beside it came to: every answer, entry, event and mail is looked for."""

from collections.abc import Sequence

import msgspec

from restante.core import events as ev
from restante.core.ids import ParcelId
from restante.sim.kill.judge import Verdict, judge
from restante.sim.kill.load import Load, gaps
from restante.sim.kill.network import Network
from restante.sim.kill.patience import patiently
from restante.sim.kill.story import Story
from restante.store.check import check
from restante.store.postgres import PostgresLedger, open_ledger


class Reckoned(msgspec.Struct, frozen=True):
    """Commands acknowledged, attempts that nobody answered, events, mails, those sent once more, and the verdict."""

    acknowledged: int
    sent_again: int
    events: int
    mails: int
    mails_again: int
    verdict: Verdict


async def reckon(
    network: Network, load: Load, stories: list[Story], *, heads: dict[int, int], changed: Sequence[str]
) -> Reckoned:
    """Hold everybody's account to the log; the banks have stopped.

    ``heads`` is how far the lanes had come when the callers were told to stop: readers have read at least that.
    ``changed`` is what `Load.ask_again` has found.
    """
    verdicts = [await judge(story) for story in stories]
    mails, again = _mails(network, stories)
    lost, doubled, findings = await patiently(lambda: _logged(network.dsn, load))
    gone = [gap for feed in load.feeds for gap in gaps(feed, heads)]
    untold = [f"{parcel} was put in, and nobody was told" for parcel, count in mails.items() if not count]
    verdict = Verdict(
        lost=(*lost, *untold, *(one for found in verdicts for one in found.lost)),
        doubled=(*doubled, *changed, *(one for found in verdicts for one in found.doubled)),
        wrong=(*load.wrong, *load.refused, *findings, *gone, *(one for found in verdicts for one in found.wrong)),
        entries=sum(found.entries for found in verdicts),
        pulses=sum(found.pulses for found in verdicts),
    )
    return Reckoned(
        acknowledged=len(load.told),
        sent_again=load.sent_again,
        events=sum(heads.values()),
        mails=sum(mails.values()),
        mails_again=again,
        verdict=verdict,
    )


async def _logged(dsn: str, load: Load) -> tuple[list[str], list[str], list[str]]:
    """Of the load, what the log lacks and what it has twice; and in what the ledger does not agree with itself."""
    async with open_ledger(dsn, writers=1, readers=2) as ledger:
        lost, doubled = await _announced_once(ledger, load)
        return lost, doubled, [f"{one.what} {one.key} {one.detail}" for one in await check(ledger)]


async def _announced_once(ledger: PostgresLedger, load: Load) -> tuple[list[str], list[str]]:
    """Acknowledged requests that left no event, and those that left more than one."""
    kinds = {"/parcels": ev.ParcelAnnounced}
    lost, doubled = list[str](), list[str]()
    for key, told in load.told.items():
        kind = kinds.get(told.request.path, ev.ParcelCancelled)
        events = await ledger.history(ParcelId(told.answer["parcel"]))
        count = sum(isinstance(row.event, kind) for row in events)
        if count != 1:
            (doubled if count else lost).append(f"{key}: {count} times {kind.__name__}")
    parcels = [told.answer["parcel"] for told in load.told.values() if told.request.path == "/parcels"]
    if len(set(parcels)) != len(parcels):
        doubled.append("two requests were answered with one parcel")
    return lost, doubled


def _mails(network: Network, stories: list[Story]) -> tuple[dict[str, int], int]:
    """How many different mails each recipient got, and how many came again under the same Message-ID."""
    names = {
        parcel.email: [str(mail.mail()["Message-ID"]) for mail in network.sink.inbox(parcel.email)]
        for story in stories
        for parcel in story.parcels
        if ("in", parcel.id) in story.promised
    }
    again = sum(len(found) - len(set(found)) for found in names.values())
    return {email: len(set(found)) for email, found in names.items()}, again
