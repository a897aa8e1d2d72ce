"""A small sample of the upgrade proof: banks that were not upgraded yet, at a hub that was."""

from pathlib import Path

import pytest

from restante.sim.upgrade.pairs import play_pair
from restante.sim.upgrade.versions import NOW, HistoryMissing, before

pytestmark = [pytest.mark.enable_socket, pytest.mark.postgres, pytest.mark.slow(seconds=25)]


async def test_banks_of_the_version_before_lose_nothing_at_this_hub(database: str, tmp_path: Path) -> None:
    """Given banks of the version before, when they work with this hub, cut off and not, then nothing is lost."""
    try:
        old = before(tmp_path / "before")
    except HistoryMissing as missing:
        pytest.skip(str(missing))
    played = await play_pair(tmp_path, hub=NOW, bank=old, dsn=database)
    assert played.is_clean, played
    assert played.figures["entries"] > 20
    assert played.figures["commands"] > 20
