"""Time and memory of judging a list of a million points as the command line does it, dirty in known ways.

The list is generated from a seed into a temporary folder. The command runs as a process of its own, whose peak of
memory is the operating system's figure. The run fails if another number of rows is rejected than was planted, or if the
peak is above the stop.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.carriers.lists.dirty import ENGLISH, GERMAN, Row, dirty_rows, lines

MOST_MB = 512.0
ONE_IN = 100


class Measured(msgspec.Struct, frozen=True):
    """One run: seconds by the clock and of processor, peak of resident memory, and what was told."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    told: dict[str, int]


def write_list(path: Path, count: int, *, header: tuple[str, ...], delimiter: str) -> Counter[str]:
    """Write a list; answers how many rows break which rule."""
    planted: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for row, rule in dirty_rows(1, count, ONE_IN):
            planted.update([rule] if rule else [])
            yield row

    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines(rows(), header, delimiter))
    return planted


def measure(path: Path) -> Measured:
    """Run the dry run on a list."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RESTANTE_")}
    command = [sys.executable, "-m", "restante", "import", "points", str(path), "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, cwd=path.parent) as running:
        assert running.stdout is not None
        answer = json.loads(running.stdout.read())
        _, _, used = os.wait4(running.pid, 0)
        running.returncode = 0
    wall_s = time.perf_counter() - began
    told = {rule: one["rows"] for rule, one in answer["rules"].items() if one["rejects"]}
    return Measured(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, told | {"rows": answer["rows"]})


def bring_in(count: int) -> None:
    """Bring a clean list in through the API of a hub of its own, embedded PostgreSQL and fsync as in production."""
    with tempfile.TemporaryDirectory(prefix="restante-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the server of the database runs under an account of its own
        path = Path(folder) / "points.csv"
        rows = (row for row, _ in dirty_rows(1, count, count + 1))
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines(rows, ENGLISH, ","))
        own = {"RESTANTE_STATE": f"{folder}/state", "RESTANTE_HTTP_PORT": "0", "RESTANTE_BANK_PORT": "0"}
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RESTANTE_")} | own
        restante = [sys.executable, "-m", "restante"]
        with subprocess.Popen([*restante, "hub", "--json"], env=environ, stdout=subprocess.PIPE, cwd=folder) as hub:
            assert hub.stdout is not None
            environ["RESTANTE_API"] = json.loads(hub.stdout.readline())["api"]
            for doing in ("bring in", "again"):
                began = time.perf_counter()
                command = [*restante, "import", "points", str(path), "--yes", "--json"]
                answer = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, cwd=folder)
                wall_s = time.perf_counter() - began
                outcomes = json.loads(answer.stdout)["outcomes"]
                print(f"{doing:>9}: {outcomes} in {wall_s:.1f} s, {count / wall_s:,.0f} rows a second", flush=True)
            hub.terminate()


def main() -> int:
    """Print a line for each length; 1 if something is not as planted, or above the stop."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    asked.add_argument("--german", action="store_true", help="semicolons and German columns")
    asked.add_argument("--bring", type=int, default=0, help="bring so many points into a hub instead")
    given = asked.parse_args()
    if given.bring:
        bring_in(given.bring)
        return 0
    header, delimiter = (GERMAN, ";") if given.german else (ENGLISH, ",")
    failed = False
    print("     rows       MB   wall s    cpu s  rows/s  peak MB   planted  rejected")
    for count in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "points.csv"
            planted = write_list(path, count, header=header, delimiter=delimiter)
            one = measure(path)
            size_mb = path.stat().st_size / 1e6
        rows, found = one.told.pop("rows"), sum(one.told.values())
        failed |= rows != count or one.told != dict(planted) or one.peak_mb > MOST_MB
        rate = f"{count / one.wall_s:7,.0f}"
        print(
            f"{count:9,} {size_mb:8.1f} {one.wall_s:8.1f} {one.cpu_s:8.1f} {rate} {one.peak_mb:8.1f}"
            f" {planted.total():9,} {found:9,}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
