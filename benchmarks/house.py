"""The size and the shape of the code: lines per room, imports, signatures and docstrings.

Exits with 1 where a number is over its limit; the limit of code lines is a goal, and only reported.
Nothing of the packages is imported.
"""

from __future__ import annotations

import argparse
import ast
import collections
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("odm", "ray_jobs", "tuning")
ROOMS = (
    "core",
    "physics",
    "archive",
    "images",
    "datasets",
    "models",
    "catalog",
    "findings",
    "scoring",
    "simulate",
    "training",
    "reprocess",
    "report",
    "commands",
)
"""Rooms of `odm`, the lowest first: a room imports from itself and from lower ones only."""

MAX_CODE_LINES = 27_000
MAX_ROOM_LINES = 4_500
MAX_PARAMETERS = 8
MAX_LONG_SIGNATURES = 5
PREPOSITIONS = re.compile(
    r"(?:Of|That of|Those of|Whose|By|With|Without|From|To|In|Into|On|Onto|At|For|Under|Over|"
    r"Between|Beside|Besides|Beyond|Within|As|Up to|Down to|After|Before|Since|Until|Above|Below|"
    r"Through|Against|Among|Along|Around|About|Upon|Near|Per|Via|Inside|Outside|Behind|Across|"
    r"During|Except)\b"
)
BAGS = {"kwargs", "options", "how", "settings", "running"}


def main() -> int:
    """Print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name every function and docstring")
    arguments = parser.parse_args()
    modules, trees = read_modules()
    code = {name: _code_lines(path) for name, path in modules.items()}
    rooms: collections.Counter[str] = collections.Counter()
    room_code: collections.Counter[str] = collections.Counter()
    for name, path in modules.items():
        rooms[_room(name)] += len(path.read_text().splitlines())
        room_code[_room(name)] += code[name]
    print(f"{'room':<12} {'lines':>7} {'code':>7}")
    for room in sorted(rooms, key=_floor):
        print(f"{room:<12} {rooms[room]:>7} {room_code[room]:>7}")
    print(f"{'all':<12} {sum(rooms.values()):>7} {sum(code.values()):>7}")

    loops = [" -> ".join(names) for names in circles(modules, trees)]
    upward = upward_imports(modules, trees)
    functions = [(name, item) for name, tree in trees.items() for item in _functions(tree)]
    below = [(name, item) for name, item in functions if _room(name) != "commands"]
    long = [_place(*item) for item in below if _parameters(item[1]) > MAX_PARAMETERS]
    bags = [_place(*item) for item in below if _bag(item[1])]
    docstrings = [
        f"{modules[name].relative_to(ROOT)}:{line} {text.splitlines()[0]}"
        for name, tree in trees.items()
        for line, text in _docstrings(tree)
        if PREPOSITIONS.match(text)
    ]
    counts = [
        ("code lines", sum(code.values()), MAX_CODE_LINES, []),
        ("lines of the largest room", max(rooms.values()), MAX_ROOM_LINES, []),
        ("circles of imports", len(loops), 0, loops),
        ("upward imports", len(upward), 0, upward),
        (f"functions with more than {MAX_PARAMETERS} parameters, outside commands", len(long),
         MAX_LONG_SIGNATURES, long),
        ("bags of **keywords outside commands", len(bags), None, bags),
        ("docstrings that begin with a preposition", len(docstrings), 0, docstrings),
    ]  # fmt: skip
    print()
    passed = True
    for what, number, limit, places in counts:
        within = limit is None or number <= limit
        passed = passed and (within or what == "code lines")  # a goal, and no rule
        goal = "" if limit is None else f"at most {limit}"
        print(f"{what:<58} {number:>6}  {goal}{'' if within else '  OVER'}")
        if places and (arguments.list or not within):
            for place in places if arguments.list else places[:20]:
                print(f"    {place}")
    return 0 if passed else 1


def read_modules() -> tuple[dict[str, Path], dict[str, ast.Module]]:
    """All modules of the packages by name: where each lies, and its syntax tree."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    modules = {_name(path): path for path in paths}
    return modules, {name: ast.parse(path.read_text()) for name, path in modules.items()}


def upward_imports(modules: dict[str, Path], trees: dict[str, ast.Module]) -> list[str]:
    """Imports of a room or package above, as ``importer -> imported``."""
    return [
        f"{name} -> {other}"
        for name, others in _graph(modules, trees).items()
        for other in sorted(others)
        if _floor(_room(other)) > _floor(_room(name))
    ]


def circles(modules: dict[str, Path], trees: dict[str, ast.Module]) -> list[list[str]]:
    """Groups of modules that import each other in a loop."""
    return [sorted(names) for names in _components(_graph(modules, trees)) if len(names) > 1]


def packages_imported(tree: ast.Module) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    return {name.partition(".")[0] for node in ast.walk(tree) for name in _named(node)}


def _graph(modules: dict[str, Path], trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    return {name: set(_imports(tree, name, modules)) for name, tree in trees.items()}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str:
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return room if package == "odm" and room in ROOMS else package


def _floor(room: str) -> int:
    """The position of a room; `odm` itself (its public names, the command) is above its rooms."""
    order = (*ROOMS, "odm", "ray_jobs", "tuning")
    return order.index(room)


def _code_lines(path: Path) -> int:
    """The number of lines that hold code: no blank ones, no comments, no docstrings."""
    text = path.read_text()
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if _is_string(node):
            skipped |= set(range(node.lineno, node.end_lineno + 1))
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank and token.type != tokenize.ENDMARKER:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - skipped)


def _imports(tree: ast.Module, name: str, modules: dict[str, Path]) -> Iterator[str]:
    """Modules of the packages that a module imports anywhere in it, type checking included."""
    for node in ast.walk(tree):
        for item in _named(node):
            known = item if item in modules else item.rpartition(".")[0]
            # `from odm import __version__` reads a constant of the package's face, no room of it.
            if known in modules and known not in (name, *PACKAGES):
                yield known


def _named(node: ast.AST) -> list[str]:
    """Dotted names that an import statement names: modules, or names in them."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _components(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of a graph (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            components.append(stack[at:])
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return components


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: Function) -> int:
    arguments = function.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _bag(function: Function) -> bool:
    """Whether a function takes any keywords: `**facts` of a log line are data, not parameters."""
    bag = function.args.kwarg
    return bag is not None and bag.arg in BAGS


def _place(module: str, function: Function) -> str:
    return f"{module}:{function.lineno} {function.name}, {_parameters(function)} parameters"


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings of modules, classes and functions, and strings below an attribute."""
    for node in ast.walk(tree):
        body: Any = getattr(node, "body", None)
        for item in body if isinstance(body, list) else ():
            if _is_string(item):
                yield item.lineno, item.value.value.strip()


def _is_string(node: Any) -> bool:
    """Whether a statement is a string and nothing else: a docstring, or the text below a name."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


if __name__ == "__main__":
    raise SystemExit(main())
