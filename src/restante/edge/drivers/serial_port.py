"""A raw serial port on the running event loop: bytes out, bytes in, 8N1, no flow control.

`os.open`, `termios` and `add_reader` are all that needs: pyserial's asyncio side is a second package, and a plain
descriptor behaves the same for a USB adapter and for the pseudo-terminal of an emulated board.
"""

import asyncio
import os
import termios
import tty
from collections.abc import Callable

_READ_AT_MOST = 4_096
_CFLAG, _ISPEED, _OSPEED = 2, 4, 5
_SPEEDS = {
    9_600: termios.B9600,
    19_200: termios.B19200,
    38_400: termios.B38400,
    57_600: termios.B57600,
    115_200: termios.B115200,
}


class SerialPort:
    """An open port; faults of the device are `OSError` on write and `on_lost` on read."""

    def __init__(self, path: str, *, baud: int, on_bytes: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        """Open `path`; raises `OSError` or `termios.error` when there is no such device."""
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            _make_raw(self._descriptor, baud)
        except (OSError, termios.error):
            os.close(self._descriptor)
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)

    def write(self, frame: bytes) -> None:
        """Send one short frame whole, or raise `OSError`."""
        if os.write(self._descriptor, frame) != len(frame):
            raise BlockingIOError("the serial port took only a part of the frame")

    def close(self) -> None:
        """Stop listening and let the device go; once only."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _READ_AT_MOST)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            self._on_bytes(chunk)
        else:
            self._on_lost()


def _make_raw(descriptor: int, baud: int) -> None:
    tty.setraw(descriptor, termios.TCSANOW)
    attributes = termios.tcgetattr(descriptor)
    attributes[_CFLAG] &= ~(termios.CSTOPB | termios.CRTSCTS | termios.PARENB)
    attributes[_CFLAG] |= termios.CLOCAL | termios.CREAD
    attributes[_ISPEED] = attributes[_OSPEED] = _SPEEDS[baud]
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    termios.tcflush(descriptor, termios.TCIOFLUSH)
