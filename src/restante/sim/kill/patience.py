"""How a proof waits for programs on a machine that may have other work: for long, and again after what may pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from restante.core.refusals import Fault

PATIENCE_SECONDS: Final = 600.0
"""How long anything may take before the proof takes it for broken: others may have the machine for minutes."""
AGAIN_SECONDS: Final = 0.5

_T = TypeVar("_T")


async def patiently(ask: Callable[[], Awaitable[_T]], *, seconds: float = PATIENCE_SECONDS) -> _T:
    """What is asked for, tried again while a fault says that this can help. Faults: any other, and the last one."""
    ends_s = time.monotonic() + seconds
    while True:
        try:
            return await ask()
        except Fault as fault:
            if not fault.retryable or time.monotonic() > ends_s:
                raise
        await asyncio.sleep(AGAIN_SECONDS)
