"""Gehring-Homberger instances, distance alone: the own search and PyVRP, beside the best known values.

Run as ``python -m benchmarks.plan_homberger``; seconds are processor seconds of one core, kept runs are not repeated.
"""

from benchmarks.routing_instances import homberger
from benchmarks.routing_runs import program

app = program(__doc__, homberger, name="plan_homberger", customers=200, seconds=30.0)

if __name__ == "__main__":
    app()
