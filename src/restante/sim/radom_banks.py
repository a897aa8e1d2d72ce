"""Many emulated banks in one process, each with its own book, board, certificate and line: to save memory in a replay.

What is to run stands on the standard input as JSON: a list of ``edge.bank.SourceConfig``. One line of JSON on the
standard output says that all of them are ready.
"""

import asyncio
import json
import signal
from collections.abc import Sequence
from typing import Final

import msgspec

from restante.edge.bank import ConfigWrong, SourceConfig, run_source
from restante.edge.loopback import LoopbackClosed, find_address

LOOK_S: Final = 0.1


def read_configs(given: bytes) -> list[SourceConfig]:
    """The banks to run. Fault: ``ConfigWrong``."""
    try:
        return msgspec.json.decode(given, type=list[SourceConfig], dec_hook=lambda kind, value: kind(value))
    except msgspec.DecodeError as wrong:
        raise ConfigWrong(str(wrong)) from wrong


def write_configs(configs: Sequence[SourceConfig]) -> bytes:
    """What ``read_configs`` reads."""
    return msgspec.json.encode(configs, enc_hook=str)


async def run_banks(given: bytes) -> None:
    """Run all banks until SIGTERM, or until one of them fails, which ends all. Faults: those of ``run_source``."""
    configs, stop = read_configs(given), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    banks = [asyncio.create_task(run_source(config, stop=stop)) for config in configs]
    ready = asyncio.create_task(_tell_ready(configs))
    try:
        await asyncio.wait({*banks, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        ready.cancel()
        ended = await asyncio.gather(*banks, return_exceptions=True)
    for one in ended:
        if isinstance(one, Exception):
            raise one


async def _tell_ready(configs: Sequence[SourceConfig]) -> None:
    while not all(map(_is_open, configs)):  # noqa: ASYNC110 a file tells of each, as to everybody else
        await asyncio.sleep(LOOK_S)
    print(json.dumps({"ready": True, "banks": len(configs)}), flush=True)


def _is_open(config: SourceConfig) -> bool:
    try:
        find_address(config.state_directory)
    except LoopbackClosed:
        return False
    return True
