"""An answer leaves in one packet, though the server writes its head and its body one after the other."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from restante.hub.light import OneWriteProtocol


class Wire(asyncio.Transport):
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        assert not self.is_closed
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.is_closed

    def close(self) -> None:
        """Close it."""
        self.is_closed = True

    def resume_reading(self) -> None:
        """Nothing was held up."""


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An application that says hello."""
    del scope, receive
    head = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"hello"})


async def asked(wire: Wire, request: bytes) -> None:
    """Send a request to a server on this connection, and let it answer."""
    config = uvicorn.Config(hello, log_config=None, server_header=False, date_header=False)
    config.load()
    protocol = OneWriteProtocol(config, ServerState(), {})
    protocol.connection_made(wire)
    protocol.data_received(request)
    await asyncio.gather(*protocol.tasks)
    await asyncio.sleep(0)
    protocol.connection_lost(None)


async def test_head_and_body_are_one_packet() -> None:
    """Given a request, when it is answered, then all of the answer is sent at once."""
    wire = Wire()
    await asked(wire, b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
    assert wire.sent == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"]


async def test_a_connection_is_closed_after_its_last_answer() -> None:
    """Given a caller that asks once, when it is answered, then the answer leaves before the connection is closed."""
    wire = Wire()
    await asked(wire, b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert wire.sent == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"]
    assert wire.is_closed


async def test_what_a_caller_that_left_was_to_be_told_is_dropped() -> None:
    """Given a caller that goes away while it is answered, then nothing is sent to it."""
    wire = Wire()
    wire.is_closed = True
    await asked(wire, b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
    assert wire.sent == []
