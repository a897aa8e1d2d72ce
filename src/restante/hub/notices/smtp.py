"""Hands mails to a mail server by SMTP (RFC 5321), over a few connections that stay open for the next mail.

Every command has a deadline. What the server answers is told apart by who must act: an answer to RCPT or DATA is about
the recipient or the mail (``Bounced``); an answer to anything before that is about us, and silence about the server
(``Unreachable``).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

import aiosmtplib
import msgspec

from restante.hub.notices.address import Address
from restante.hub.notices.mail import Mail
from restante.hub.notices.outcome import Bounced, HandedOver, MailRefusesUs, MailUnreachable, Outcome, Unreachable

SERVICE_CLOSING = 421
_ABOUT_MAIL = (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError)
_ABOUT_US = (
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPConnectResponseError,
)


class SmtpSettings(msgspec.Struct, frozen=True):
    """Where mail goes and how.

    ``tls``: ``implicit`` from the first byte (port 465), STARTTLS ``required``, STARTTLS if ``offered``, or ``never``.
    A certificate is always checked, against ``ca_file`` if given. A password needs ``implicit`` or ``required``,
    because anybody on the wire can take back an offer.
    """

    host: str
    port: int
    sender: Address
    tls: Literal["implicit", "required", "offered", "never"] = "offered"
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    hello_name: str = "localhost"
    deadline_seconds: float = 20.0
    connections: int = 4
    idle_seconds: float = 60.0
    mails_per_connection: int = 100

    def __post_init__(self) -> None:
        if self.username is not None and self.tls in ("offered", "never"):
            raise ValueError("a password is sent only with tls = 'implicit' or 'required'")


class Post:
    """A mail server as the hub sees it. ``clock`` gives the instant of an outcome."""

    def __init__(self, settings: SmtpSettings, *, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        # Last in, first out: a single mail now and then keeps to one connection, a burst opens more.
        self._free: asyncio.LifoQueue[_Line] = asyncio.LifoQueue()
        for _ in range(settings.connections):
            self._free.put_nowait(_Line(settings))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, mail: Mail, to: Address) -> Outcome:
        """Hand ``mail`` over for one recipient, whatever its headers say. Never raises for what a server does."""
        line = await self._free.get()
        try:
            await line.deliver(mail.whole, str(to))
            return HandedOver(self._clock(), mail.message_id)
        except (aiosmtplib.SMTPException, OSError) as error:
            return await self._judge(error, line)
        except BaseException:
            line.hang_up()
            raise
        finally:
            self._free.put_nowait(line)

    async def close(self) -> None:
        """Take leave of the server on every connection; mails under way are finished first."""
        for line in [await self._free.get() for _ in range(self._settings.connections)]:
            await line.quit()
            self._free.put_nowait(line)

    async def _judge(self, error: aiosmtplib.SMTPException | OSError, line: "_Line") -> Outcome:
        if isinstance(error, _ABOUT_MAIL) and error.code != SERVICE_CLOSING:
            await line.forget_mail()
            return Bounced(self._clock(), error.code, permanent=error.code >= 500)
        line.hang_up()
        fault = MailRefusesUs() if _refuses_us(error) else MailUnreachable()
        if not isinstance(error, _ABOUT_MAIL):  # what is said of a recipient tends to repeat the address
            fault.__cause__ = error
        return Unreachable(self._clock(), fault)


def _refuses_us(error: aiosmtplib.SMTPException | OSError) -> bool:
    """True when the server refuses us for good, or lacks STARTTLS or AUTH where we ask for it.

    The client raises the bare ``SMTPException`` for a missing extension and for nothing else that we do.
    """
    return type(error) is aiosmtplib.SMTPException or (isinstance(error, _ABOUT_US) and error.code >= 500)


class _Line:
    """One connection, opened when it is needed and opened again when it has grown old."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._mails = 0
        self._used_at = 0.0

    async def deliver(self, body: bytes, to: str) -> None:
        """Send one mail, or raise what the server or the network said."""
        reused = self._is_fresh()
        try:
            client = await self._begin(reused=reused)
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPSenderRefused):
            # A server may close a connection that has idled, with 421 or without a word. Nothing was sent yet.
            if not reused:
                raise
            client = await self._begin(reused=False)
        await client.rcpt(to)
        await client.data(body)
        self._mails += 1
        self._used_at = asyncio.get_running_loop().time()

    async def forget_mail(self) -> None:
        """End a refused mail so that the connection is fit for the next one."""
        try:
            if self._client is not None:
                await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self.hang_up()

    async def quit(self) -> None:
        """Take leave politely if the connection is still there."""
        try:
            if self._client is not None and self._client.is_connected:
                await self._client.quit()
        except (aiosmtplib.SMTPException, OSError):
            pass  # the server was gone before we were
        self.hang_up()

    def hang_up(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._client.close()
        self._client = None

    async def _begin(self, *, reused: bool) -> aiosmtplib.SMTP:
        if not reused:
            await self.quit()
            await self._connect()
        assert self._client is not None
        await self._client.mail(str(self._settings.sender))
        return self._client

    def _is_fresh(self) -> bool:
        if self._client is None or not self._client.is_connected or self._mails >= self._settings.mails_per_connection:
            return False
        return asyncio.get_running_loop().time() - self._used_at < self._settings.idle_seconds

    async def _connect(self) -> None:
        ours = self._settings
        client = aiosmtplib.SMTP(
            hostname=ours.host,
            port=ours.port,
            username=ours.username,
            password=ours.password,
            local_hostname=ours.hello_name,
            timeout=ours.deadline_seconds,
            use_tls=ours.tls == "implicit",
            start_tls={"implicit": False, "required": True, "offered": None, "never": False}[ours.tls],
            cert_bundle=ours.ca_file,
        )
        await client.connect()
        self._client, self._mails = client, 0
        self._used_at = asyncio.get_running_loop().time()
