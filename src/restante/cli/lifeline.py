"""A program that was started by another one ends with it, however the other one ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

LIFELINE: Final = "RESTANTE_LIFELINE"
"""Names the parent whose death ends this program; set by the demo for the programs that it starts."""

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def hold_lifeline(environ: Mapping[str, str] = os.environ) -> None:
    """Ask the kernel for a SIGTERM when the parent dies, or leave at once if it is dead already."""
    parent = environ.get(LIFELINE, "")
    if not parent.isdecimal() or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit(1)
