"""Linear and mixed-integer programs, handed to HiGHS: the one place that knows its untyped constructor."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Numbers = NDArray[np.float64]


def never() -> bool:
    """No deadline."""
    return False


class Program(NamedTuple):
    """Minimise ``costs · v`` where ``row_lower ≤ rows · v ≤ row_upper``, 0 ≤ v ≤ ``upper``, some of v whole."""

    costs: Numbers
    upper: Numbers
    whole: NDArray[np.bool_]
    rows: csr_matrix
    row_lower: Numbers
    row_upper: Numbers


class Answer(NamedTuple):
    """The best values found (none at all: ``values`` is empty), their cost, and a proven bound on every cost.

    ``reduced`` is what the cost would rise by for each unit of a variable, where none has to be whole; else empty.
    """

    values: Numbers
    cost: float
    bound: float
    reduced: Numbers


class Effort(NamedTuple):
    """How an answer is sought: when to stop, the gap that is small enough, a start, and limits on nodes and seconds."""

    stop: Callable[[], bool] = never
    absolute_gap: float = 1e-6
    relative_gap: float = 0.0
    start: Numbers | None = None
    seed: int = 1
    nodes: int = 2_000_000
    seconds: float = math.inf


def solve(program: Program, effort: Effort) -> Answer:
    """The program's optimum, or what was found and proven when ``effort`` ended; infeasible is a bound of +∞."""
    solver = _prepared(program, effort)
    solver.run()
    status, told = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return Answer(np.empty(0), math.inf, math.inf, np.empty(0))
    found = told.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    solution = solver.getSolution()
    values = np.asarray(solution.col_value) if found else np.empty(0)
    cost = float(told.objective_function_value) if found else math.inf
    if not program.whole.any():
        bound = cost if status == highspy.HighsModelStatus.kOptimal else -math.inf
        return Answer(values, cost, bound, np.asarray(solution.col_dual) if found else np.empty(0))
    return Answer(values, cost, float(told.mip_dual_bound), np.empty(0))


def _prepared(program: Program, effort: Effort) -> highspy.Highs:
    solver: highspy.Highs = cast(Any, highspy.Highs)()  # its constructor carries no types
    solver.silent()
    for name, value in {
        "mip_abs_gap": effort.absolute_gap,
        "mip_rel_gap": effort.relative_gap,
        "mip_max_nodes": effort.nodes,
        "random_seed": effort.seed,
        "threads": 1,
        "time_limit": effort.seconds,
    }.items():
        solver.setOptionValue(name, value)
    solver.passModel(_model(program))
    if effort.start is not None:
        solution = highspy.HighsSolution()
        solution.col_value = list(effort.start)
        solver.setSolution(solution)
    if effort.stop is not never:
        _listen(solver, effort.stop)
    return solver


def _listen(solver: highspy.Highs, stop: Callable[[], bool]) -> None:
    def interrupt(event: highspy.HighsCallbackEvent) -> None:
        if stop():
            event.interrupt()

    for moment in (solver.cbMipInterrupt, solver.cbSimplexInterrupt, solver.cbIpmInterrupt):
        moment.subscribe(interrupt)


def _model(program: Program) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.costs), len(program.row_lower)
    model.col_cost_ = program.costs
    model.col_lower_ = np.zeros(len(program.costs))
    model.col_upper_ = program.upper
    model.row_lower_, model.row_upper_ = program.row_lower, program.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = program.rows.indptr
    model.a_matrix_.index_ = program.rows.indices
    model.a_matrix_.value_ = program.rows.data
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    if program.whole.any():
        model.integrality_ = [kinds[int(each)] for each in program.whole]
    return model
