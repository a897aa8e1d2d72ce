"""The account of mutants: what became of each, a part's score, and the reviewed list of those no test can notice."""

import tomllib
from collections.abc import Iterable, Mapping
from math import sqrt
from pathlib import Path
from typing import Final

import msgspec

from tools.mutants.changes import Mutant
from tools.mutants.trial import Trial

EQUIVALENT: Final = Path(__file__).parent / "equivalent.toml"
_CAUGHT: Final = {"killed", "endless", "unloaded"}


class Score(msgspec.Struct, frozen=True):
    """How a part, or a sample of it, came out."""

    part: str
    mutants: int
    """How many there are in the whole part."""
    tried: int
    caught: int
    equivalent: int
    survivors: tuple[str, ...]
    """Their names, each with the line it stands in today."""
    no_longer_equivalent: tuple[str, ...]
    """Mutants on the list that a test kills after all."""
    seconds: float
    """Of trying, waits for a processor left out."""

    @property
    def ratio(self) -> float:
        """Caught of those that could be."""
        able = self.tried - self.equivalent
        return self.caught / able if able else 0.0

    @property
    def within(self) -> tuple[float, float]:
        """What the score of the whole part is with 95 % confidence; the score itself where the whole was tried.

        Wilson's interval, narrowed by the correction for samples from a finite whole.
        """
        able = self.tried - self.equivalent
        if not able or self.tried >= self.mutants:
            return self.ratio, self.ratio
        z = 1.96 * sqrt((self.mutants - self.tried) / max(1, self.mutants - 1))
        middle = (self.ratio + z * z / (2 * able)) / (1 + z * z / able)
        half = z / (1 + z * z / able) * sqrt(self.ratio * (1 - self.ratio) / able + z * z / (4 * able * able))
        return middle - half, middle + half

    def told(self) -> str:
        """The score in words and numbers."""
        low, high = self.within
        sample = "" if self.tried >= self.mutants else f" (95 %: {low:.1%} to {high:.1%})"
        return (
            f"{self.part}: {self.ratio:.1%}{sample} of mutants caught; {self.tried:,} tried of {self.mutants:,}, "
            f"{self.caught:,} caught, {self.equivalent} equivalent, {len(self.survivors)} survived; "
            f"{self.seconds / max(1, self.tried):.2f} s each"
        )


def score(part: str, mutants: list[Mutant], *, trials: Mapping[str, Trial], equivalent: Mapping[str, str]) -> Score:
    """Count what was tried of a part."""
    tried = [(mutant, trials[mutant.key]) for mutant in mutants if mutant.key in trials]
    caught = [mutant for mutant, trial in tried if trial.verdict in _CAUGHT]
    rest = [mutant for mutant, trial in tried if trial.verdict not in _CAUGHT]
    return Score(
        part=part,
        mutants=len(mutants),
        tried=len(tried),
        caught=sum(mutant.key not in equivalent for mutant in caught),
        equivalent=sum(mutant.key in equivalent for mutant, _ in tried),
        survivors=tuple(f"{mutant.key}  [line {mutant.line}]" for mutant in rest if mutant.key not in equivalent),
        no_longer_equivalent=tuple(mutant.key for mutant in caught if mutant.key in equivalent),
        seconds=sum(trial.seconds for _, trial in tried),
    )


def read_trials(path: Path) -> dict[str, Trial]:
    """What was tried, by the name of the mutant; a later line takes the place of an earlier, a torn one is left out."""
    trials, decoder = {}, msgspec.json.Decoder(Trial)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            trial = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        trials[trial.key] = trial
    return trials


def caught_only(trials: Mapping[str, Trial]) -> dict[str, Trial]:
    """Those that were caught."""
    return {key: trial for key, trial in trials.items() if trial.verdict in _CAUGHT}


def read_equivalent(path: Path = EQUIVALENT) -> dict[str, str]:
    """The reviewed list: a mutant's name and why no test can notice it."""
    reasons = tomllib.loads(path.read_text())
    return {f"{module} {name}": why for module, listed in reasons.items() for name, why in listed.items()}


def unknown(equivalent: Iterable[str], mutants: Iterable[Mutant]) -> list[str]:
    """Names on the list that no mutant has any more."""
    return sorted(set(equivalent) - {mutant.key for mutant in mutants})
