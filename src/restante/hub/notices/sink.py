"""A mail server for one machine: keeps every mail it is given, so that the people of a demo can read theirs.

Mails live in memory and as numbered ``.eml`` files in a directory that only this user may read; the oldest make room
for new ones. A few domains behave badly on purpose: ``bounce.…`` refuses its recipients for good, ``slow.…`` and
``later.…`` for now.
"""

import asyncio
import logging
import os
from collections import defaultdict, deque
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Self
from weakref import WeakSet

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MAIL_BYTES = 1_000_000
_ENVELOPE_HEADER = b"X-Envelope-To: "
_REFUSALS = {
    "bounce": "550 5.1.1 No such mailbox",
    "slow": "451 4.2.1 Mailbox busy, try again later",
    "later": "451 4.2.1 Mailbox busy, try again later",
}


class Received(msgspec.Struct, frozen=True):
    """One mail as it was taken: its number, counted from 1, the address it came for in lower case, and its bytes."""

    number: int
    recipient: str
    body: bytes

    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.body, policy=SMTP_POLICY)
        assert isinstance(parsed, EmailMessage)
        return parsed


class Sink:
    """The mail server and what it holds. Make one with ``open_sink``."""

    def __init__(self, directory: Path, *, keep: int) -> None:
        self._directory = directory
        self._keep = keep
        self._mails: deque[Received] = deque()
        self._boxes: defaultdict[str, list[Received]] = defaultdict(list)
        self._waiting: defaultdict[str, list[asyncio.Future[None]]] = defaultdict(list)
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()
        self._writing = asyncio.Lock()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for mail in _stored(directory):
            self._keep_mail(mail)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The port it listens on, on loopback."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def inbox(self, address: str) -> tuple[Received, ...]:
        """The mails for an address, oldest first."""
        return tuple(self._boxes.get(address.lower(), ()))

    def latest(self, count: int) -> tuple[Received, ...]:
        """The last mails for anybody, newest first."""
        return tuple(self._mails)[: -count - 1 : -1]

    async def next_mail(self, address: str, *, after: int = 0) -> Received:
        """The first mail for an address whose number is above ``after``, waiting for it; the caller sets a deadline."""
        box = address.lower()
        while True:
            found = next((mail for mail in self._boxes.get(box, ()) if mail.number > after), None)
            if found is not None:
                return found
            arrival = asyncio.get_running_loop().create_future()
            self._waiting[box].append(arrival)
            await arrival

    async def listen(self, port: int) -> None:
        """Take mail from now on, on this port of loopback; 0 picks a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", port)

    async def close(self) -> None:
        """Take no more mail and end the conversations under way. What was taken stays on disk."""
        if self._server is None:
            return
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Drop every conversation and go on listening, as a mail server does that has waited long enough."""
        for session in tuple(self._sessions):
            if session.transport is not None:
                session.transport.close()

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer RCPT: one recipient a mail, and the domains that misbehave on purpose."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        refusal = _REFUSALS.get(address.rpartition("@")[2].lower().partition(".")[0])
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Answer DATA: write the mail down, then say so."""
        body = envelope.original_content
        assert body is not None
        async with self._writing:  # numbers rise in the order in which mails are kept
            number = self._mails[-1].number + 1 if self._mails else 1
            mail = Received(number, envelope.rcpt_tos[0].lower(), body)
            await asyncio.to_thread(_store, self._directory, mail)
            self._keep_mail(mail)
        return f"250 2.0.0 Kept as {number}"

    def _session(self) -> SMTP:
        session = SMTP(self, data_size_limit=LARGEST_MAIL_BYTES, hostname="localhost", ident="Restante sink")
        self._sessions.add(session)
        return session

    def _keep_mail(self, mail: Received) -> None:
        self._mails.append(mail)
        self._boxes[mail.recipient].append(mail)
        if len(self._mails) > self._keep:
            self._forget(self._mails.popleft())
        for arrival in self._waiting.pop(mail.recipient, ()):
            if not arrival.done():
                arrival.set_result(None)

    def _forget(self, mail: Received) -> None:
        box = self._boxes[mail.recipient]
        box.remove(mail)
        if not box:
            del self._boxes[mail.recipient]
        _path(self._directory, mail.number).unlink(missing_ok=True)


async def open_sink(directory: Path, *, port: int = 0, keep: int = 10_000) -> Sink:
    """Open the sink over ``directory``, made if need be, with the mails of last time, and listen on loopback."""
    # aiosmtpd writes every command it hears, addresses and all, to this logger; personal data stay out of logs.
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    sink = Sink(directory, keep=keep)
    await sink.listen(port)
    return sink


def _path(directory: Path, number: int) -> Path:
    return directory / f"{number:08}.eml"


def _store(directory: Path, mail: Received) -> None:
    """Write a mail so that a reader finds all of it or nothing."""
    path = _path(directory, mail.number)
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_ENVELOPE_HEADER + mail.recipient.encode() + b"\r\n" + mail.body)
    draft.rename(path)


def _stored(directory: Path) -> Iterator[Received]:
    for path in sorted(directory.glob("*.eml")):
        first, _, body = path.read_bytes().partition(b"\r\n")
        yield Received(int(path.stem), first.removeprefix(_ENVELOPE_HEADER).decode(), body)
