"""The programs of the demo as processes of their own: started, watched until they are ready, and stopped with us.

A child asks the kernel for a SIGTERM when its parent dies (``cli.lifeline``), so that none is left behind even when the
demo is killed. What a child writes to its standard error goes to a log file of its name.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from restante.core.refusals import Fault

LIFELINE: Final = "RESTANTE_LIFELINE"
"""Names the parent whose death ends a program."""

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_LAST_WORDS: Final = 3


class ChildFailed(Fault):
    """A program of the demo ended or did not become ready."""


class Child:
    """One program."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ready(self) -> dict[str, Any]:
        """What the program says of itself once it is ready: one line of JSON. Fault: ``ChildFailed``."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await self._process.stdout.readline()
            told: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        except (TimeoutError, msgspec.DecodeError):
            raise ChildFailed(f"restante {self.name} is not ready: {self.last_words()}") from None
        return told

    async def stop(self) -> None:
        """End it, and see that it has ended."""
        if self.is_running:
            with suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
            return " / ".join(lines[-_LAST_WORDS:]) or f"nothing in {self.log}"
        return f"no log at {self.log}"


class Children:
    """All programs that one demo has started."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**environ, LIFELINE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        self._all: list[Child] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def start(self, name: str, arguments: Sequence[str], *, stdin: bytes = b"") -> Child:
        """Start ``restante`` with these arguments; what is secret goes by ``stdin``, which no process list shows."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "restante",
                *arguments,
                stdin=PIPE if stdin else DEVNULL,
                stdout=PIPE,
                stderr=errors,
                env=self._environ,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._all.append(child)
        if process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return child

    def ended(self) -> list[Child]:
        """Those that have ended, which none should before it is stopped."""
        return [child for child in self._all if not child.is_running]

    async def stop(self) -> None:
        """Stop all, the last started first: banks before the hub they talk to."""
        for group in (self._all[2:], self._all[1:2], self._all[:1]):
            await asyncio.gather(*(child.stop() for child in group))
        self._all.clear()
