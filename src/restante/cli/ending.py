"""How a command ends: its exit code, and the one line that says what to do about a refusal or a fault."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape

from restante.core.refusals import Fault, Refusal

REFUSED: Final = 1
MISUSED: Final = 2
FAILED: Final = 3
FAILED_FOR_NOW: Final = 4
INTERRUPTED: Final = 130

_BLAME: Final = {"hub": "the hub's side", "bank": "this bank", "partner": "the other party"}


class Stop(Exception):
    """A command cannot go on because a rule says no, or has found what it was to look for."""

    def __init__(self, code: str, *, field: str = "", rule: str = "", detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.rule = rule
        self.detail = detail


def stop(refusal: Refusal) -> Stop:
    """A refusal as the end of a command."""
    return Stop(refusal.code, field=refusal.field, rule=refusal.rule, detail=refusal.detail)


def say(value: object) -> None:
    """Print a value for a machine to read: one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@contextmanager
def ended(errors: Console) -> Iterator[None]:
    """End the program with a line and a code where the command ends with a refusal, a fault or Ctrl-C."""
    try:
        yield
    except Stop as refused:
        errors.print(_refused(refused))
        sys.exit(REFUSED)
    except Fault as fault:
        errors.print(f"[bold]{type(fault).__name__}[/bold]: {escape(str(fault))} ({_BLAME[fault.blame]})")
        sys.exit(FAILED_FOR_NOW if fault.retryable else FAILED)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "restante":
            raise
        lacking = f"This command needs {missing.name}, which a bank does without: pip install 'restante[demo]'"
        errors.print(escape(lacking))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _refused(refused: Stop) -> str:
    about = f" ({escape(refused.field)})" if refused.field else ""
    detail = f" {escape(refused.detail)}" if refused.detail else ""
    return f"[bold]{refused.code}[/bold]{about}: {escape(refused.rule)}{detail}"
