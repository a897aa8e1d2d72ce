"""Every small change that can be made to a module: what stood there, what stands there instead, and in which function.

Theory of operation. A module's tree is walked once, in the order of its text, and every node asks a table what could
stand in its place. The order is the same each time, so a mutant is the n-th change of a module, and it is made by
parsing the module again, walking to the n-th place, and writing into the tree. Its *name* holds no line number: it is
the function, the words before and after, and a number where the same change comes more than once in a function; so a
remark on a mutant stays true when lines move.

Not changed, since nothing a test could see follows from it or since it is not ours to keep: annotations, assertions
(they say what cannot be), docstrings and sentences (strings with a space), f-strings, decorators, and the options of
classes other than their tags.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, Final, TypeVar

import msgspec

from tools.mutants.parts import SOURCES

_WORDS: Final = 100
"""How many characters of the words before and after are kept in a name."""
_NEGATED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
_SHIFTED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_REPLACED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}  # fmt: skip
_OPPOSITES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SET_ASIDE: Final = {
    "annotation", "returns", "decorator_list", "keywords_of_class", "type_comment", "type_params", "format_spec",
}  # fmt: skip
_NAMING: Final = {"NewType", "TypeVar", "Literal", "Annotated", "Parameter", "getLogger", "get_logger", "cast"}
_UNORDERED: Final = {*_NAMING, "min", "max", "print"}
_REMOVED: Final = (ast.Raise, ast.AugAssign, ast.Delete)


_Node = TypeVar("_Node", bound=ast.AST)


class Mutant(msgspec.Struct, frozen=True):
    """One change of a module: its number there, its name, where it stands, and the functions it stands in."""

    path: str
    number: int
    name: str
    line: int
    last_line: int
    functions: tuple[tuple[str, int], ...]
    """Qualified name and first line as the compiler counts them, outermost first; none outside functions."""

    @property
    def module(self) -> str:
        """The name of its module."""
        return ".".join(Path(self.path).with_suffix("").parts)

    @property
    def key(self) -> str:
        """What names it among all mutants, whatever lines move."""
        return f"{self.path} {self.name}"


class Place(msgspec.Struct, frozen=True):
    """Where the walk is."""

    classes: str = ""
    functions: tuple[tuple[str, int], ...] = ()
    is_prose: bool = False
    said: str = ""
    """The statement, or the head of it."""

    def within(self, node: ast.AST) -> "Place":
        """The place inside a class or function."""
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        name = f"{self.classes}{node.name}"
        if isinstance(node, ast.ClassDef):
            return Place(f"{name}.", self.functions)
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        return Place(f"{name}.<locals>.", (*self.functions, (name, first)))


class Change(msgspec.Struct, frozen=True):
    """What can be done at one place of a tree, by ``make``."""

    node: ast.AST
    place: Place
    before: str
    after: str
    make: Callable[[], None]


def mutants_of(path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of their numbers."""
    found, seen = [], Counter[str]()
    for number, change in enumerate(changes_of(ast.parse(path.read_text()))):
        functions = change.place.functions
        where = functions[-1][0] if functions else change.place.classes.rstrip(".") or "(module)"
        name = f"{where}: {_short(change.before)} → {_short(change.after)}"
        if isinstance(change.node, ast.Constant) and change.place.said:
            name += f" in {_short(change.place.said)}"
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        line = getattr(change.node, "lineno", 1)
        last = getattr(change.node, "end_lineno", line)
        found.append(Mutant(str(path.relative_to(SOURCES)), number, name, line, last, functions))
    return found


def compiled(path: Path, number: int) -> CodeType:
    """The code of a file's module with its n-th change."""
    tree = ast.parse(path.read_text())
    for at, change in enumerate(changes_of(tree)):
        if at == number:
            change.make()
            break
    return compile(ast.fix_missing_locations(tree), str(path), "exec", dont_inherit=True)


def changes_of(tree: ast.Module) -> Iterator[Change]:
    """Every change that can be made to a tree."""
    yield from _in_block(tree, "body", Place())


def _in_block(parent: ast.AST, field: str, place: Place) -> Iterator[Change]:
    block = getattr(parent, field)
    for index, node in enumerate(block):
        if _is_left_alone(node):
            continue
        if isinstance(node, ast.match_case):
            yield from _in_case(block, index, place)
            continue
        if place.functions and _can_go(node):
            yield _put(node, place, after="removed", make=_setter(block, index, ast.Pass()))
        yield from _in_statement(node, place)


def _in_case(cases: list[ast.match_case], index: int, place: Place) -> Iterator[Change]:
    case = cases[index]
    if _never_comes(case):
        return
    if len(cases) > 1:
        words = f"case {ast.unparse(case.pattern)}" + (f" if {ast.unparse(case.guard)}" if case.guard else "")
        gone = ast.match_case(case.pattern, ast.Constant(False), case.body)
        yield Change(case.pattern, place, words, "removed", _setter(cases, index, gone))
    if case.guard:
        yield from _condition(case, "guard", place=place)
        yield from _in_expression(case, "guard", None, place=place)
    yield from _in_block(case, "body", place)


def _in_statement(node: ast.AST, place: Place) -> Iterator[Change]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from _in_definition(node, place)
        return
    if isinstance(node, ast.If | ast.While):
        yield from _condition(node, "test", place=place)
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _put(
            node,
            place,
            after="return None",
            make=lambda: setattr(node, "value", ast.Constant(None)),
            before=ast.unparse(node),
        )
    if isinstance(node, ast.AugAssign):
        yield from _operator(node, place)
    if isinstance(node, ast.Break | ast.Continue):
        return
    here = msgspec.structs.replace(place, is_prose=isinstance(node, ast.Raise), said=_said(node))
    for field, value in ast.iter_fields(node):
        if field in _SET_ASIDE:
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt | ast.match_case):
            yield from _in_block(node, field, place)
        elif isinstance(value, list):
            for index in range(len(value)):
                yield from _in_expression(node, field, index, place=here)
        elif isinstance(value, ast.AST):
            yield from _in_expression(node, field, None, place=here)


def _in_definition(node: ast.AST, place: Place) -> Iterator[Change]:
    if isinstance(node, ast.ClassDef):
        if any(isinstance(one, ast.Name) and one.id == "Protocol" for one in node.bases):
            return
        for index, option in enumerate(node.keywords):
            if option.arg == "tag":
                yield from _in_expression(node, "keywords", index, place=place)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for field in ("defaults", "kw_defaults"):
            for index in range(len(getattr(node.args, field))):
                yield from _in_expression(node.args, field, index, place=place)
    yield from _in_block(node, "body", place.within(node))


def _in_expression(parent: ast.AST, field: str, index: int | None, *, place: Place) -> Iterator[Change]:
    """What can stand in place of one expression, then what can change inside it."""
    holder = getattr(parent, field)
    node = holder if index is None else holder[index]
    if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr | ast.pattern):
        return

    def writing(new: ast.AST) -> Callable[[], None]:
        return _setter(holder, index, new) if index is not None else lambda: setattr(parent, field, new)

    for new in _instead(node, place):
        yield _put(node, place, after=ast.unparse(new), make=writing(new))
    yield from _inside(node, place)


def _inside(node: ast.AST, place: Place) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for at, sign in enumerate(node.ops):
            for table in (_SHIFTED, _NEGATED):
                if type(sign) in table:
                    yield _compared(node, at, table[type(sign)](), place=place)
    if isinstance(node, ast.BinOp):
        yield from _operator(node, place)
    if isinstance(node, ast.IfExp):
        yield from _condition(node, "test", place=place)
    if isinstance(node, ast.comprehension):
        for at in range(len(node.ifs)):
            yield from _condition(node, "ifs", place=place, index=at)
    if isinstance(node, ast.Dict | ast.Set):
        yield from _entries(node, place)
    if isinstance(node, ast.Call):
        yield from _call(node, place)
        if _called(node) in _NAMING:
            return
    for field, value in ast.iter_fields(node):
        if field in _SET_ASIDE or (field == "slice" and not place.functions):
            continue
        for index in range(len(value)) if isinstance(value, list) else (None,):
            yield from _in_expression(node, field, index, place=place)


def _instead(node: ast.AST, place: Place) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)) | ast.Constant(value=float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value and " " not in value and not place.is_prose:
            yield ast.Constant(f"{value}~")
        case ast.Constant(value=bytes(value)) if value:
            yield ast.Constant(value + b"~")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for at in range(len(values)):
                rest = values[:at] + values[at + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case _:
            return


def _condition(parent: ast.AST, field: str, *, place: Place, index: int | None = None) -> Iterator[Change]:
    """A condition that is asked the other way round; comparisons have that among their own changes."""
    holder = getattr(parent, field)
    node = holder if index is None else holder[index]
    if isinstance(node, ast.Constant | ast.UnaryOp) or (isinstance(node, ast.Compare) and len(node.ops) == 1):
        return
    new = ast.UnaryOp(ast.Not(), node)
    make = (lambda: setattr(parent, field, new)) if index is None else _setter(holder, index, new)
    yield _put(node, place, after=ast.unparse(new), make=make)


def _operator(node: ast.BinOp | ast.AugAssign, place: Place) -> Iterator[Change]:
    if type(node.op) not in _REPLACED or _is_of_types(node, place):
        return
    new = _REPLACED[type(node.op)]()
    changed = deepcopy(node)
    changed.op = new
    yield _put(node, place, after=ast.unparse(changed), make=lambda: setattr(node, "op", new))


def _compared(node: ast.Compare, at: int, sign: ast.cmpop, *, place: Place) -> Change:
    changed = deepcopy(node)
    changed.ops[at] = sign
    return _put(node, place, after=ast.unparse(changed), make=_setter(node.ops, at, sign))


def _entries(node: ast.Dict | ast.Set, place: Place) -> Iterator[Change]:
    """Each entry left out of a table that is written out."""
    columns: list[list[Any]] = [node.keys, node.values] if isinstance(node, ast.Dict) else [node.elts]
    if len(columns[0]) < 2:
        return
    for at, entry in enumerate(columns[0]):

        def leave_out(at: int = at) -> None:
            for column in columns:
                del column[at]

        words = ", ".join(ast.unparse(column[at]) for column in columns if column[at])
        yield Change(entry or node, place, f"entry {words}", "removed", leave_out)


def _call(node: ast.Call, place: Place) -> Iterator[Change]:
    ends = node.args[:2]
    starred = any(isinstance(one, ast.Starred) for one in ends)
    if len({ast.dump(one) for one in ends}) == 2 and not starred and _called(node) not in _UNORDERED:
        swapped = [*ends[::-1], *node.args[2:]]
        words = ast.unparse(ast.Call(node.func, swapped, node.keywords))
        yield _put(node, place, after=words, make=lambda: setattr(node, "args", swapped))
    if _called(node) == "replace":
        for at, keyword in enumerate(node.keywords):
            words = f"replace({keyword.arg}={ast.unparse(keyword.value)})"
            yield Change(keyword, place, words, "removed", partial(node.keywords.__delitem__, at))
    if isinstance(node.func, ast.Name) and node.func.id in _OPPOSITES:
        function, name = node.func, _OPPOSITES[node.func.id]
        yield _put(function, place, after=name, make=lambda: setattr(function, "id", name), before=ast.unparse(node))


def _put(node: ast.AST, place: Place, *, after: str, make: Callable[[], None], before: str | None = None) -> Change:
    return Change(node, place, before or ast.unparse(node), after, make)


def _setter(holder: list[_Node], index: int, new: _Node) -> Callable[[], None]:
    return lambda: holder.__setitem__(index, new)


def _can_go(node: ast.AST) -> bool:
    """Whether a function is still one without this statement."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
    if isinstance(node, ast.Assign):
        return all(isinstance(one, ast.Attribute | ast.Subscript) for one in node.targets)
    return isinstance(node, (*_REMOVED, ast.Break, ast.Continue))


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or _never(node.value)
    if isinstance(node, ast.Assign):
        return any(isinstance(one, ast.Name) and one.id.startswith("__") for one in node.targets)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.Pass | ast.Global | ast.Nonlocal)


def _never_comes(case: ast.match_case) -> bool:
    [first, *others] = case.body
    return not others and (isinstance(first, ast.Pass) or (isinstance(first, ast.Expr) and _never(first.value)))


def _never(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node) == "assert_never"


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_of_types(node: ast.BinOp | ast.AugAssign, place: Place) -> bool:
    """Whether a stroke stands between types."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitOr):
        return False
    names = [one for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute)]
    return not place.functions or all(_name(one)[:1].isupper() or _name(one) in _TYPES for one in names)


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


_TYPES: Final = {"ast", "msgspec", "int", "float", "str", "bytes", "list", "tuple", "dict", "bool", "ev", "fact", "cmd"}


def _said(node: ast.AST) -> str:
    for field in ("test", "iter", "subject"):
        if isinstance(part := getattr(node, field, None), ast.AST):
            return ast.unparse(part)
    return "" if hasattr(node, "body") else ast.unparse(node)


def _short(words: str) -> str:
    flat = " ".join(words.split())
    return flat if len(flat) <= _WORDS else f"{flat[: _WORDS - 1]}…"
