"""Which van goes where: tours over homes, lockers and counters, and a judge that shares nothing with the solvers."""
