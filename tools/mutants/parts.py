"""The parts of the product that are changed, and the tests that may notice it."""

from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "src"


class Part(msgspec.Struct, frozen=True):
    """Modules to change, as patterns below ``src/restante``, and where their tests are, in the order of nearness."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def paths(self) -> list[Path]:
        """The files of its modules."""
        found = (path for pattern in self.modules for path in (SOURCES / "restante").glob(pattern))
        return sorted(path for path in found if path.name != "__init__.py")


# Tests that start the programs as processes of their own are left out: those run the code as it is on the disk.
PARTS: Final[dict[str, Part]] = {
    "core": Part(("core/*.py",), ("tests/core", "tests/wire", "tests/hub/engine")),
    "wire": Part(("wire/*.py",), ("tests/wire", "tests/edge/test_sync.py", "tests/edge/test_identity.py")),
    "engine": Part(
        ("hub/engine.py",), ("tests/hub/engine", "tests/contracts/test_ledger.py", "tests/store/test_stored.py")
    ),
    "edge": Part(
        ("edge/**/*.py",),
        (
            "tests/edge",
            "tests/contracts/test_attempts.py",
            "tests/contracts/test_lock_board.py",
            "tests/contracts/test_session.py",
        ),
    ),
}
LEFT_OUT: Final = ("tests/edge/test_program.py",)
