"""Handing one notice to the channels of one person, in order, until one takes it or none is left."""

from collections.abc import Mapping
from typing import Final

import structlog

from restante.core.commands import RecordNotice
from restante.core.events import NoticeKind
from restante.core.refusals import Refusal
from restante.core.time import Instant
from restante.hub.notices.address import Address
from restante.hub.notices.choose import NextStep, OpenCase, Told, Tried, TryChannel, choose
from restante.hub.notices.kinds import Recipient
from restante.hub.notices.mail import compose
from restante.hub.notices.outcome import Bounced, HandedOver, Outcome, Unreachable
from restante.hub.worker.ports import Manners, NotNow, Ports
from restante.hub.worker.telling import (
    MAIL_BLOCKED,
    NO_CHANNEL,
    Facts,
    Message,
    as_attempt,
    as_tried,
    given,
    not_given,
    write_notice,
)
from restante.store.vault import ContactDetails

_CAME_TO: Final = {HandedOver: "handed-over", Bounced: "bounced", Unreachable: "unreachable"}
_log = structlog.get_logger(__name__)


class Handing:
    """One notice on its way. ``channels`` are the person's, in order of preference."""

    def __init__(self, ports: Ports, manners: Manners, *, message: Message, facts: Facts) -> None:
        self._ports = ports
        self._manners = manners
        self._message = message
        self._facts = facts

    async def run(self, person: ContactDetails | None, channels: Mapping[str, Address]) -> Instant | None:
        """Try until the notice was taken or nothing is left to try (None), or until it is time to wait (till when)."""
        attempts, errand = self._ports.attempts, self._message.errand
        history = [as_tried(attempt) for attempt in await attempts.made(errand)]
        while True:
            now = self._ports.now()
            step = await self._next(channels, history, now)
            if step is None:
                break
            at = max(step.at, self._ports.tally.next_allowed(str(channels[step.channel]), now))
            if at > now:
                return at
            assert person is not None, "there are no channels to nobody"
            outcome = await self._send(person, step.channel, channels[step.channel])
            self._ports.work.notices[step.channel.partition("-")[0], _CAME_TO[type(outcome)]] += 1
            if isinstance(outcome, HandedOver):
                await self._record(given(self._message, step.channel, outcome.at))
                await self._record_put_off(history, step.channel, now)
                break
            tried = Tried(step.channel, outcome)
            _log.info("notice-not-taken", errand=errand.name, channel=step.channel, outcome=type(outcome).__name__)
            await attempts.add(errand, len(history), as_attempt(tried))
            history.append(tried)
        if history:
            await attempts.clear(errand)
        return None

    async def _next(self, channels: Mapping[str, Address], history: list[Tried], now: Instant) -> TryChannel | None:
        """The attempt to make, with what the earlier ones came to on record; None when nothing is left to try."""
        step = self._choose(channels, history, now)
        match step:
            case TryChannel(channel):
                if history and history[-1].channel != channel and not self._ends_with_a_word:
                    await self._record(not_given(self._message, history[-1].channel, now, last=False))
                return step
            case OpenCase("mail-blocked", retry):
                await self._record(not_given(self._message, MAIL_BLOCKED, now, last=True))
                return retry
            case OpenCase():
                channel = history[-1].channel if history else NO_CHANNEL
                await self._record(not_given(self._message, channel, now, last=True))
                await self._record_put_off(history, channel, now)
                return None
            case Told():
                raise AssertionError("only failed attempts are kept")

    @property
    def _ends_with_a_word(self) -> bool:
        """Whether the first word on record ends the errand: a reminder's timer goes with it."""
        return self._message.kind is NoticeKind.REMINDER

    async def _record_put_off(self, history: list[Tried], said: str, now: Instant) -> None:
        """Put on record at the end what could not be said of other channels before it."""
        if self._ends_with_a_word:
            for channel in dict.fromkeys(tried.channel for tried in history if tried.channel != said):
                await self._record(not_given(self._message, channel, now, last=False))

    def _choose(self, channels: Mapping[str, Address], history: list[Tried], now: Instant) -> NextStep:
        chance, patience = self._ports.chance(), self._manners.patience
        return choose(tuple(channels), history, now=now, chance=chance, patience=patience)

    async def _send(self, person: ContactDetails, channel: str, to: Address) -> Outcome:
        message, manners, now = self._message, self._manners, self._ports.now()
        recipient = Recipient(person.name, to, person.language or manners.languages[0])
        mail = compose(
            write_notice(message, self._facts, now),
            recipient,
            head=manners.head,
            notice_id=f"{message.parcel}.{message.errand.name}.{channel}",
            now=now,
            link=manners.link(self._facts.parcel.code),
        )
        # Counted beforehand, since others write to the same mailbox meanwhile.
        self._ports.tally.note(str(to), now)
        outcome = await self._ports.channel.send(mail, to)
        if not isinstance(outcome, HandedOver):
            self._ports.tally.take_back(str(to), now)
        return outcome

    async def _record(self, command: RecordNotice) -> None:
        outcome = await self._ports.engine.submit(command)
        if isinstance(outcome, Refusal) and outcome.code == "busy":
            raise NotNow
