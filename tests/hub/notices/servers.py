"""Mail servers for tests: one that follows a script, and one with encryption in front of the sink."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from restante.hub.notices.sink import Sink

POLITE = {
    "hello": "220 ready",
    "EHLO": "250 scripted",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "text": "250 kept",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}
SILENCE = "silence"
HANG_UP = "hang up"


class Scripted:
    """A server that answers each command by a table, and counts its connections and what it hears."""

    def __init__(self, script: Mapping[str, str]) -> None:
        self.script = {**POLITE, **script}
        self.heard: list[str] = []
        self.connections = 0
        self._news: asyncio.Queue[str] = asyncio.Queue()

    async def until(self, news: str) -> None:
        """Wait for the next connection (``hello``) or command of this name that nobody waited for yet."""
        while await self._news.get() != news:
            pass

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one client until one of them leaves."""
        self.connections += 1
        try:
            going_on = await self._answer("hello", writer)
            while going_on and (line := (await reader.readline()).decode().strip()):
                verb = line[:4].upper()
                self.heard.append(verb)
                going_on = await self._answer(verb, writer) and verb != "QUIT"
                if going_on and verb == "DATA" and self.script["DATA"].startswith("354"):
                    await reader.readuntil(b"\r\n.\r\n")
                    going_on = await self._answer("text", writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as some tests want
        finally:
            writer.close()

    async def _answer(self, key: str, writer: asyncio.StreamWriter) -> bool:
        self._news.put_nowait(key)
        reply = self.script[key]
        if reply == HANG_UP:
            return False
        if reply != SILENCE:
            writer.write(f"{reply}\r\n".encode())
            await writer.drain()
        return True


@asynccontextmanager
async def scripted(**script: str) -> AsyncIterator[tuple[Scripted, int]]:
    """A scripted server and its port."""
    manners = Scripted(script)
    server = await asyncio.start_server(manners.converse, "127.0.0.1", 0)
    async with server:
        yield manners, server.sockets[0].getsockname()[1]


@asynccontextmanager
async def encrypted(sink: Sink, certificate: Path, *, password: bytes | None = None) -> AsyncIterator[int]:
    """A server that takes mail for ``sink`` after STARTTLS only, and after this password if there is one; its port."""

    def session() -> SMTP:
        return SMTP(
            sink,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=password is not None,
            authenticator=lambda *login: AuthResult(success=login[-1].password == password, handled=False),
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def make_certificate(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path
