"""Chance in stories: one generator for each part of a world, so that what one part draws changes nothing elsewhere."""

from random import Random


def chance_of(seed: int, part: str) -> Random:
    """The chance of one part of a world: one more fault elsewhere does not change what it draws."""
    return Random(f"{seed}/{part}")  # noqa: S311 - stories are told again, secrets are not
