"""The slow part of trying a code, apart from the step: what is to be computed, and the step takes what came of it.

At its usual cost scrypt takes some 60 ms of a desk's processor, far too long for an event loop that watches doors. The
program therefore computes it in a thread before it tells the agent of the code; the agent uses the outcome if it was
computed for exactly what it would ask at that moment, and computes it itself if not. So a decision is still one step on
one state, and a simulator need not know of any of this.
"""

import msgspec

from restante.core.access import Free, Lockout, may_try, parse_code
from restante.core.ids import SourceId
from restante.edge.state import State
from restante.wire import seal
from restante.wire.manifest import Settings, code_verifier


class Question(msgspec.Struct, frozen=True):
    """A code, and everything that its verifier is made of besides; all of it secret."""

    code: str
    source_key: str
    source: SourceId
    log_epoch: int
    settings: Settings

    def __repr__(self) -> str:
        return "Question(…)"


class Attempt(msgspec.Struct, frozen=True):
    """A question and the verifier that answers it."""

    question: Question
    verifier: str

    def __repr__(self) -> str:
        return "Attempt(…)"


def question_of(state: State, text: str, channel: str) -> Question | None:
    """What typing this here and now asks; None when nothing is to be computed: no code, no list, or a lockout."""
    code, lockout = parse_code(text), state.lockouts.get(channel, Lockout())
    if code is None or not isinstance(may_try(lockout, state.waking.seconds), Free):
        return None
    return asked(state, code)


def asked(state: State, code: str) -> Question | None:
    """What a code asks of the list in force; None where none is."""
    if state.manifest is None or state.installed is None:
        return None
    manifest = state.manifest.manifest
    return Question(code, state.installed.source_key, manifest.source, manifest.log_epoch, manifest.settings)


def compute(question: Question) -> Attempt:
    """One scrypt."""
    source_key = seal.from_text(question.source_key)
    assert source_key, "no session opens with a key that cannot be read"
    verifier = code_verifier(
        question.code,
        source_key=source_key,
        source=question.source,
        log_epoch=question.log_epoch,
        settings=question.settings,
    )
    return Attempt(question, verifier)
