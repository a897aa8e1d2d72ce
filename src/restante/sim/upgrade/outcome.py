"""What one story of an upgrade came to."""

import msgspec

from restante.sim.kill.judge import Verdict


class Played(msgspec.Struct, frozen=True):
    """One story: its figures by name, what was seen on the way, the verdict, and what broke it off."""

    story: str
    figures: dict[str, float] = {}
    notes: tuple[str, ...] = ()
    verdict: Verdict = Verdict()
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and nothing broke it off."""
        return not (self.verdict.lost or self.verdict.doubled or self.verdict.wrong or self.fault)
