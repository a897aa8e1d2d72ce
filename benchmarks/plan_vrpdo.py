"""VRPDO of Dumez, Lehuédé and Péton (2021) beside the best known values and the published averages.

Run as ``python -m benchmarks.plan_vrpdo``; seconds are processor seconds of one core, and kept runs are not repeated.
"""

from pathlib import Path

from cyclopts import App

from benchmarks.routing_instances import vrpdo
from benchmarks.routing_runs import report, runs

app = App(help=__doc__)


@app.default
def main(
    *,
    customers: int = 50,
    seeds: int = 3,
    seconds: float = 30.0,
    only: str = "",
    kept: Path = Path(".state/plan_vrpdo.jsonl"),
    json: bool = False,
) -> None:
    """Measure and print.

    :param customers: how many requests an instance has
    :param seeds: runs of each instance
    :param seconds: processor seconds of each run
    :param only: instances whose name begins so
    :param kept: where finished runs are kept
    :param json: print JSON in place of a table
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    instances = [one for one in vrpdo("dumez2021", customers) if one.name.startswith(only)]
    report(instances, runs(instances, kept, seeds=seeds, seconds=seconds), as_json=json)


if __name__ == "__main__":
    app()
