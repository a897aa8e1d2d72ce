"""VRPDO of Dumez, Lehuédé and Péton (2021) beside the best known values and the published averages.

The own search and PyVRP with prices on lockers each have all of the seconds. Run as ``python -m
benchmarks.plan_vrpdo``; they are processor seconds of one core, and kept runs are not repeated.
"""

from functools import partial

from benchmarks.routing_instances import vrpdo
from benchmarks.routing_runs import program

app = program(__doc__, partial(vrpdo, "dumez2021"), name="plan_vrpdo", customers=50, seconds=30.0)

if __name__ == "__main__":
    app()
