"""Who gets through the listener, tried with real handshakes over loopback."""

import asyncio
import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from restante.core.refusals import Refusal
from restante.edge.identity import hub_context
from restante.hub.fleet import enrol as hub_enrol
from restante.hub.fleet.authority import Issued, Peer, new_authority
from restante.hub.fleet.keyfiles import KeyExposed, open_listener_file
from restante.hub.fleet.tls import keep_shown
from restante.wire.enrol import SUBPROTOCOL, SourceName
from tests.hub.fleet.lines import NAME, NETWORK, NOW, SESSION, Hub, Key, key_pem, new_key, serial
from tests.hub.fleet.sites import until

DAY = timedelta(days=1)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with its own state directory."""
    return Hub(tmp_path / "hub")


def bank_context(hub: Hub, key: Key | None = None, issued: Issued | None = None) -> ssl.SSLContext:
    """A bank's context that trusts this hub and shows a certificate, if given one."""
    context = hub_context(hub.authority.pem)
    if key and issued:
        path = hub.directory / f"{issued.peer.serial}.pem"
        path.write_text(key_pem(key) + issued.pem)
        context.load_cert_chain(path)
    return context


async def dial(hub: Hub, context: ssl.SSLContext, url: str = "") -> str:
    """Open a session and say what the hub answered; what goes wrong on the line is raised."""
    async with connect(url or hub.url, ssl=context, subprotocols=[SESSION], proxy=None) as connection:
        return str(await connection.recv())


async def test_a_bank_is_known_by_its_certificate(hub: Hub) -> None:
    """Given a certified bank, when it dials, then the hub reads its name from the line and the two speak TLS 1.3."""
    key = new_key()
    issued = hub.certify(key)
    async with hub.listening():
        assert await dial(hub, bank_context(hub, key, issued)) == NAME.uri
    assert hub.seen == [issued.peer]
    assert hub.handshakes == ["TLSv1.3"]


async def test_an_ed25519_bank_is_known_too(hub: Hub) -> None:
    """Given a bank with an Ed25519 key, when it dials, then the handshake and the name hold as well."""
    key = ed25519.Ed25519PrivateKey.generate()
    async with hub.listening():
        assert await dial(hub, bank_context(hub, key, hub.certify(key))) == NAME.uri


async def test_tls_1_2_is_let_in_and_1_1_is_not(hub: Hub) -> None:
    """When a bank speaks TLS 1.2 at most, then it gets in; when 1.1 at most, then it does not."""
    key = new_key()
    context = bank_context(hub, key, hub.certify(key))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with hub.listening():
        context.set_ciphers("ALL:@SECLEVEL=0")
        assert await dial(hub, context) == NAME.uri
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionResetError)):  # an alert or a reset, whichever arrives first
            await dial(hub, context)
    assert hub.handshakes == ["TLSv1.2"]


async def test_without_a_certificate_there_is_no_session(hub: Hub) -> None:
    """When a machine without a certificate opens a session, then it is refused by name."""
    async with hub.listening():
        assert await dial(hub, bank_context(hub)) == "certificate-missing"
    assert hub.seen == [Refusal("certificate-missing")]


async def test_a_strangers_certificate_ends_the_handshake(hub: Hub, tmp_path: Path) -> None:
    """Given a certificate from another authority of the same name, then TLS itself refuses it."""
    stranger, key = Hub(tmp_path / "stranger"), new_key()
    context = bank_context(hub, key, stranger.certify(key))
    async with hub.listening():
        with pytest.raises((OSError, WebSocketException)):
            await dial(hub, context)
    assert hub.seen == []


@pytest.mark.parametrize("began", [-40 * DAY, 40 * DAY], ids=["over", "not yet"])
async def test_a_certificate_out_of_its_time_ends_the_handshake(hub: Hub, began: timedelta) -> None:
    """Given a certificate that has ended or has not begun, then TLS itself refuses it."""
    key = new_key()
    context = bank_context(hub, key, hub.certify(key, now=NOW + began))
    async with hub.listening():
        with pytest.raises((OSError, WebSocketException)):
            await dial(hub, context)
    assert hub.seen == []


async def test_a_revoked_certificate_gets_no_session(hub: Hub) -> None:
    """Given a bank that gets in, when its certificate is revoked, then the next session is refused."""
    key = new_key()
    issued = hub.certify(key)
    context = bank_context(hub, key, issued)
    async with hub.listening():
        assert await dial(hub, context) == NAME.uri
        hub.records.revoked.add(issued.peer.serial)
        assert await dial(hub, context) == "certificate-revoked"


async def test_resuming_a_session_does_not_carry_an_old_certificate(hub: Hub) -> None:
    """When the certificate ended after the handshake was done, then the session's start sees that by itself."""
    key = new_key()
    context = bank_context(hub, key, hub.certify(key))
    async with hub.listening():
        hub.clock = NOW + 31 * DAY
        assert await dial(hub, context) == "certificate-expired"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_listener_gives_no_session_tickets(hub: Hub, version: ssl.TLSVersion) -> None:
    """When a client asks to resume, then it has no ticket to do so."""
    key = new_key()
    context = bank_context(hub, key, hub.certify(key))
    context.minimum_version = context.maximum_version = version
    async with hub.listening():
        assert await asyncio.to_thread(_has_ticket, context, hub.port) is False


def _has_ticket(context: ssl.SSLContext, port: int) -> bool:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        line.recv(100)
        return line.session is not None and line.session.has_ticket


async def test_another_banks_certificate_does_not_speak_for_this_one(hub: Hub) -> None:
    """Given bank 2's certificate, when its holder says to be bank 1, then the hub sees the difference."""
    key = new_key()
    issued = hub.certify(key, SourceName(NETWORK, "bank-2"))
    async with hub.listening():
        await dial(hub, bank_context(hub, key, issued))
    (peer,) = hub.seen
    assert isinstance(peer, Peer)
    assert peer.name.source == "bank-2"


async def test_a_certificate_without_its_key_is_worth_nothing(hub: Hub) -> None:
    """When somebody holds a bank's certificate but not its key, then they cannot even load it."""
    with pytest.raises(ssl.SSLError):
        bank_context(hub, new_key(), hub.certify(new_key()))


async def test_a_bank_refuses_a_hub_of_another_authority(hub: Hub, tmp_path: Path) -> None:
    """Given a bank of one network, when another network's hub answers, then the bank hangs up before it says a word."""
    other = Hub(tmp_path / "other")
    async with other.listening():
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial(other, bank_context(hub))
    assert other.seen == []


async def test_a_bank_refuses_a_hub_of_another_name(tmp_path: Path) -> None:
    """Given a listener certified for another host, then the bank hangs up, whatever the authority."""
    hub = Hub(tmp_path / "hub", names=("hub.example",))
    async with hub.listening():
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            await dial(hub, bank_context(hub))


async def test_a_bank_refuses_another_banks_machine_as_hub(hub: Hub) -> None:
    """Given a bank's certificate on a listener, then another bank does not take it for the hub."""
    key = new_key()
    issued = hub.certify(key)
    path = open_listener_file(hub.directory, hub.authority, hub.names, now=NOW, serial=serial())
    path.write_text(key_pem(key) + issued.pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
            await dial(hub, bank_context(hub), f"wss://127.0.0.1:{port}")


async def test_the_listeners_new_certificate_takes_effect_while_it_runs(hub: Hub) -> None:
    """Given a running listener, when a newer certificate is loaded, then the next handshake shows it."""
    context = hub.context()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        first = await _shown(hub, port)
        path = open_listener_file(hub.directory, hub.authority, ("127.0.0.1",), now=NOW, serial=serial())
        context.load_cert_chain(path)
        assert await _shown(hub, port) != first


async def test_a_hub_that_runs_for_long_renews_what_it_shows(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    """Given a listener whose certificate is due, when its keys can be read again, then handshakes show a new one."""
    hub.listener_made_at = NOW - 70 * DAY
    context, tries = hub.context(), 0

    def open_file() -> Path:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise KeyExposed
        return open_listener_file(hub.directory, hub.authority, ("127.0.0.1",), now=NOW, serial=serial())

    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        first = await _shown(hub, port)
        keeping = asyncio.create_task(keep_shown(context, open_file, every_seconds=0.0))
        await until(lambda: tries > 2)
        keeping.cancel()
        assert await _shown(hub, port) != first
    assert [record.message for record in caplog.records] == ["certificate-not-renewed"]


async def _shown(hub: Hub, port: int) -> bytes | None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=bank_context(hub), server_hostname="127.0.0.1")
    shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


async def test_both_roots_are_trusted_while_the_root_changes(hub: Hub, tmp_path: Path) -> None:
    """Given a listener that trusts the old and the new root, then sources of either get in."""
    new, old_key, next_key = Hub(tmp_path / "new"), new_key(), new_key()
    hub.authorities = (hub.authority.certificate, new.authority.certificate)
    async with hub.listening():
        assert await dial(hub, bank_context(hub, old_key, hub.certify(old_key))) == NAME.uri
        assert await dial(hub, bank_context(hub, next_key, new.certify(next_key))) == NAME.uri


async def test_garbage_on_the_port_leaves_the_listener_up(hub: Hub) -> None:
    """When something speaks no TLS at all, then it is cut off and the next bank is served."""
    key = new_key()
    context = bank_context(hub, key, hub.certify(key))
    async with hub.listening():
        for garbage in (b"\x00" * 600, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x01" * 600):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            writer.write(garbage)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
        assert await dial(hub, context) == NAME.uri


@pytest.mark.parametrize("patience_seconds", [10.0, 0.0], ids=["hangs up", "says nothing"])
async def test_who_comes_to_enrol_and_does_not_ask_is_let_go(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, patience_seconds: float
) -> None:
    """When a machine comes to enrol and hangs up or says nothing, then the hub lets it go and serves the next."""
    monkeypatch.setattr(hub_enrol, "PATIENCE_SECONDS", patience_seconds)
    async with hub.listening():
        async with connect(hub.url, ssl=bank_context(hub), subprotocols=[Subprotocol(SUBPROTOCOL)]) as connection:
            if not patience_seconds:
                await asyncio.wait_for(connection.wait_closed(), 5)
        assert await dial(hub, bank_context(hub)) == "certificate-missing"
    assert hub.records.issued == []


def test_an_authority_of_the_same_name_has_another_fingerprint() -> None:
    """Given two roots of one name, then their fingerprints differ, so an invitation tells them apart."""
    first, second = (new_authority(NETWORK, new_key(), now=NOW, serial=serial()) for _ in range(2))
    assert first.certificate.subject == second.certificate.subject
    assert first.sha256 != second.sha256
