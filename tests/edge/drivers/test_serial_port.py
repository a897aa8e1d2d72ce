"""A serial port is raw, quiet and ours: 8N1, no flow control, the speed asked for, and told of when it is lost."""

import asyncio
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from restante.edge.drivers.serial_port import SerialPort

CFLAG, ISPEED, OSPEED = 2, 4, 5


@pytest.fixture
def line() -> Iterator[tuple[int, int, str]]:
    """The far end of a pseudo-terminal, the near end, and the name of that."""
    far, near = pty.openpty()
    yield far, near, os.ttyname(near)
    for descriptor in (far, near):
        try:
            os.close(descriptor)
        except OSError:
            continue


def opened(path: str, *, baud: int = 9_600) -> tuple[SerialPort, asyncio.Queue[bytes], asyncio.Event]:
    """A port, what came in by it, and whether it was lost."""
    came, lost = asyncio.Queue[bytes](), asyncio.Event()
    return SerialPort(path, baud=baud, on_bytes=came.put_nowait, on_lost=lost.set), came, lost


@pytest.mark.parametrize(
    ("baud", "speed"),
    [
        (9_600, termios.B9600),
        (19_200, termios.B19200),
        (38_400, termios.B38400),
        (57_600, termios.B57600),
        (115_200, termios.B115200),
    ],
)
async def test_a_port_is_set_whatever_it_was_before(line: tuple[int, int, str], baud: int, speed: int) -> None:
    """Given a line left with two stop bits, flow control and another speed, when opened, then it is 8N1 and raw."""
    _, near, path = line
    before = termios.tcgetattr(near)
    before[CFLAG] |= termios.CSTOPB | termios.CRTSCTS
    before[CFLAG] &= ~termios.CLOCAL
    before[ISPEED] = before[OSPEED] = termios.B1200
    termios.tcsetattr(near, termios.TCSANOW, before)
    port, _, _ = opened(path, baud=baud)
    after = termios.tcgetattr(near)
    assert after[CFLAG] & (termios.CSTOPB | termios.CRTSCTS | termios.PARENB) == 0
    assert after[CFLAG] & termios.CSIZE == termios.CS8
    assert after[CFLAG] & termios.CLOCAL
    assert after[CFLAG] & termios.CREAD
    assert after[OSPEED] == speed
    assert not after[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
    port.close()


async def test_bytes_go_both_ways(line: tuple[int, int, str]) -> None:
    """Given an open port, when either end says something, then the other has those bytes, changed in nothing."""
    far, _, path = line
    port, came, _ = opened(path)
    os.write(far, b"\x00\n\r\x03\xff")
    assert await asyncio.wait_for(came.get(), 10) == b"\x00\n\r\x03\xff"
    port.write(b"\x00\n\x11\xff")
    assert os.read(far, 99) == b"\x00\n\x11\xff"
    port.close()


async def test_what_lay_in_the_line_before_is_thrown_away(line: tuple[int, int, str]) -> None:
    """Given bytes of somebody before us, when the port is opened, then they are never heard."""
    far, _, path = line
    os.write(far, b"stale\n")
    port, came, _ = opened(path)
    os.write(far, b"new")
    assert await asyncio.wait_for(came.get(), 10) == b"new"
    port.close()


async def test_a_lost_line_is_told(line: tuple[int, int, str]) -> None:
    """Given an open port, when the far end goes, then that is told, and nothing came."""
    far, near, path = line
    port, came, lost = opened(path)
    os.close(near)
    os.close(far)
    await asyncio.wait_for(lost.wait(), 10)
    assert came.empty()
    port.close()


async def test_a_line_that_takes_no_more_is_a_fault(line: tuple[int, int, str]) -> None:
    """Given a far end that reads nothing, when more is written than fits, then a fault and not a part in silence."""
    _, _, path = line
    port, _, _ = opened(path)
    with pytest.raises(BlockingIOError):
        _write_without_end(port)
    port.close()


def _write_without_end(port: SerialPort) -> None:
    for _ in range(1_000):
        port.write(bytes(4_000))


async def test_what_is_no_terminal_is_left_alone(tmp_path: Path) -> None:
    """Given a plain file, or nothing, when opened as a port, then a fault, and no descriptor is left behind."""
    path = tmp_path / "line"
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        opened(str(path))
    path.touch()
    with pytest.raises((OSError, termios.error)):
        opened(str(path))
    assert len(os.listdir("/proc/self/fd")) == before
