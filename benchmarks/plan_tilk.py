"""VRPDO of Tilk, Olkis and Irnich (2021) beside the proven optima.

Run as ``python -m benchmarks.plan_tilk``; seconds are processor seconds of one core, and kept runs are not repeated.
"""

from functools import partial

from benchmarks.routing_instances import vrpdo
from benchmarks.routing_runs import program

app = program(__doc__, partial(vrpdo, "tilk2021"), name="plan_tilk", customers=25, seconds=10.0, engines=("search",))

if __name__ == "__main__":
    app()
