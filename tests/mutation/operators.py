"""The mutants of a module: every small change that a test should notice.

Our own mutator on the standard library's ``ast``, because no maintained one fits. mutmut 3.8 leaves alone decorated
functions and everything outside functions (here that is nearly all: compiled functions, tables of bit fields), moves
numbers up only, and drops neither a statement nor an operand. cosmic-ray 8.7 drops neither of them either, keeps its
session in a database, and starts a program per mutant, which takes ten times as long as a fork.

Not mutated: annotations, decorators, imports, docstrings, ``__all__``, and prose (see :data:`PROSE`).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

__all__ = ["Mutant", "mutants_of"]

TABLES = "(tables and constants)"

# What becomes of an operator. Not | -> ^, which is the same wherever bits are put together.
OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Mod: (ast.FloorDiv,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr, ast.BitXor),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitAnd, ast.BitOr),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Break: (ast.Continue,),
    ast.Continue: (ast.Break,),
}
NAMES = {"min": "max", "max": "min"}

# Texts for readers, by the place they stand in: a test of them could only repeat them.
PROSE: dict[str, tuple[int | str, ...]] = {
    "BitField": (2, 4, "meaning", "source"),
    "Register": (3, 4, 5, "reset", "meaning", "source"),
}
DROPPED = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.For, ast.While, ast.Raise, ast.Return)
SKIPPED_FIELDS = {"decorator_list", "annotation", "returns"}


@dataclass(frozen=True)
class Place:
    """Where a node hangs in its tree: ``parent.field``, or ``parent.field[index]``."""

    parent: ast.AST
    field: str
    index: int | None

    def get(self) -> ast.AST:
        """The node that hangs there."""
        value = getattr(self.parent, self.field)
        node: ast.AST = value if self.index is None else value[self.index]
        return node

    def put(self, node: ast.AST) -> None:
        """Hang another node there."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True)
class Site:
    """A node that may change; ``scope``: the function or table it is in; ``shown``: the line that is shown for it."""

    place: Place
    scope: tuple[str, ...]
    shown: Place
    top: ast.stmt
    in_function: bool


@dataclass(frozen=True)
class Mutant:
    """One change. ``name`` is unique and does not depend on line numbers: ``module.scope: before -> after``."""

    module: str
    scope: str
    change: str
    function: str  # the row of the report that it belongs to
    place: Place
    replacement: ast.AST

    @property
    def name(self) -> str:
        return f"{self.module}.{self.scope}: {self.change}"

    def apply(self) -> None:
        """Make the change in the tree that the mutant was found in."""
        self.place.put(self.replacement)


def mutants_of(module: str, tree: ast.Module) -> list[Mutant]:
    """Every mutant of a module in the order of its source, without those that compile to what is already there."""
    found = []
    known: dict[int, set[object]] = {}  # what a statement of the module and its mutants compile to
    names: dict[str, int] = {}
    for site in _sites(tree):
        replacements = list(_replacements(site))
        if not replacements:
            continue
        if id(site.top) not in known:
            known[id(site.top)] = {_fingerprint(site.top)}
        compiled = known[id(site.top)]
        original = site.place.get()
        before = _line(site.shown.get())
        for replacement in replacements:
            ast.fix_missing_locations(ast.copy_location(replacement, original))
            site.place.put(replacement)
            fingerprint = _fingerprint(site.top)
            new = fingerprint not in compiled
            after = _line(site.shown.get()) if new else before
            site.place.put(original)
            if not new:
                continue
            compiled.add(fingerprint)
            scope = ".".join(site.scope)
            change = f"{before} -> {after}"
            names[scope + change] = names.get(scope + change, 0) + 1
            if names[scope + change] > 1:
                change += f" ({names[scope + change]})"
            found.append(Mutant(module, scope, change, scope if site.in_function else TABLES, site.place, replacement))
    return found


def _sites(tree: ast.Module) -> Iterator[Site]:
    for index, statement in enumerate(tree.body):
        if not (isinstance(statement, ast.Import | ast.ImportFrom) or _is_docstring(statement) or _is_all(statement)):
            place = Place(tree, "body", index)
            yield from _inside(Site(place, _scope((), statement), place, statement, False))


def _inside(site: Site) -> Iterator[Site]:
    """The site itself and all below it."""
    node = site.place.get()
    yield site
    in_function = site.in_function or isinstance(node, ast.FunctionDef)
    for place in _children(node):
        child = place.get()
        if _is_docstring(child) or _is_prose(node, place) or (not in_function and _is_text(node, child)):
            continue
        # A statement is shown by its first line; so is one row of a table, which alone would fill a page.
        own_line = isinstance(child, ast.stmt) or (not in_function and _is_row(node, child))
        shown = place if own_line else site.shown
        yield from _inside(Site(place, _scope(site.scope, child), shown, site.top, in_function))


def _children(node: ast.AST) -> Iterator[Place]:
    for field, value in ast.iter_fields(node):
        if field in SKIPPED_FIELDS:
            continue
        if isinstance(value, list):
            yield from (Place(node, field, index) for index, child in enumerate(value) if isinstance(child, ast.AST))
        elif isinstance(value, ast.AST):
            yield Place(node, field, None)


def _scope(outer: tuple[str, ...], node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return (*outer, node.name)
    if not outer and isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return (ast.unparse(target),)
    return outer


def _is_row(parent: ast.AST, node: ast.AST) -> bool:
    """One element of a table of the module: a call in a tuple, or anything in a list or a dictionary."""
    if isinstance(parent, ast.Tuple):
        return isinstance(node, ast.Call)
    return isinstance(parent, ast.List | ast.Dict | ast.DictComp) or isinstance(node, ast.keyword)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_all(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _is_prose(parent: ast.AST, place: Place) -> bool:
    if isinstance(parent, ast.Dict | ast.DictComp):
        return place.field in ("values", "value") and isinstance(place.get(), ast.Constant | ast.JoinedStr)
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and place.field in ("args", "keywords"):
        argument = place.get()
        key = argument.arg if isinstance(argument, ast.keyword) else place.index
        return key in PROSE.get(parent.func.id, ())
    return False


def _is_text(parent: ast.AST, node: ast.AST) -> bool:
    """A text with a name of its own, which the tables of the module quote."""
    return isinstance(parent, ast.Assign) and isinstance(node, ast.Constant) and isinstance(node.value, str)


def _replacements(site: Site) -> Iterator[ast.AST]:
    """What the node of a site may become."""
    node, place = site.place.get(), site.place
    for operator in OPERATORS.get(type(node), ()):
        yield operator()
    if place.field == "test" and isinstance(place.parent, ast.If | ast.IfExp | ast.While):
        assert isinstance(node, ast.expr)
        yield ast.UnaryOp(ast.Not(), node)
        if not isinstance(place.parent, ast.While):
            yield from (ast.Constant(False), ast.Constant(True))
    if site.in_function and isinstance(node, DROPPED):
        yield ast.Pass()
    match node:
        case ast.Constant(value=value):
            for other in _other_values(value):
                # Of a table with one element, [-1] is [0]; that another index is noticed, [1] shows.
                if not (isinstance(place.parent, ast.Subscript) and other == -1):
                    yield ast.Constant(other)
        case ast.BinOp():
            yield from (node.left, node.right)
        case ast.BoolOp(values=values):
            for index in range(len(values)):
                rest = values[:index] + values[index + 1 :]
                yield ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
            yield node.operand
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Tuple | ast.Constant):
            yield ast.Return(ast.Constant(0))
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name], node.ctx)


def _other_values(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return value + 1, value - 1, 0
    if isinstance(value, str):
        return ("XX" + value,)
    return ()


def _line(node: ast.AST) -> str:
    """The first line of a statement, or an expression."""
    return ast.unparse(node).split("\n", 1)[0]


def _fingerprint(statement: ast.stmt) -> object:
    """What a statement compiles to, whatever the positions in the source."""
    return _code_key(compile(ast.Module([statement], []), "", "exec"))


def _code_key(code: CodeType) -> object:
    constants = tuple(
        _code_key(value) if isinstance(value, CodeType) else (type(value), repr(value)) for value in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, constants
