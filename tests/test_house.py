"""Keep the floors of the house: who may import whom, which library lives where, how large things grow.

The rules read the source beside the tests with `ast`; only the last one runs the package. A rule is a function from
a house to its offences, so each can also be shown an offender that we make up.
"""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[1]

# {room: the rooms it may import from}; what everybody may import is in errors.py.
INNER = {"definition", "machine", "observe", "proof", "draw", "wire", "trio"}
ROOMS = {
    "errors": set(),
    "definition": set(),
    "machine": {"definition"},
    "observe": {"definition", "machine"},
    "proof": {"definition", "machine"},
    "draw": {"definition", "machine"},
    "wire": {"definition", "machine"},
    "trio": {"definition", "machine", "observe", "wire"},
    "registry": INNER | {"door"},
    "systems": INNER | {"registry"},
    "testing": INNER | {"door"},
    "cli": INNER | {"door", "registry", "systems", "testing"},
    "failover": {"trio"},  # lifecycle/failover.py: names that users see
    "door": INNER | {"registry", "systems", "testing"},  # lifecycle/__init__.py: the names that users see
}
ASYNC_ROOMS = {"trio", "registry", "systems", "testing"}

# {library: the only files that may import it}; a `*` matches slashes too.
_TRIO = ("lifecycle/trio/*", "lifecycle/testing/*", "lifecycle/systems/*", "lifecycle/registry/*")
_TERMINAL = ("lifecycle/cli/*", "lifecycle/trio/console.py", "lifecycle/testing/demo*.py")
LIBRARIES = {
    "yaml": ("lifecycle/definition/read/*",),
    "cattrs": ("lifecycle/definition/read/*",),
    "statemachine": ("lifecycle/machine/chart.py",),
    "trio": _TRIO,
    "trio_websocket": _TRIO,
    "websockets": ("lifecycle/trio/transports/websockets*.py", "lifecycle/wire/frames.py"),
    "opentelemetry": ("lifecycle/observe/telemetry.py", "lifecycle/observe/way.py", "lifecycle/observe/meters.py"),
    "cryptography": ("lifecycle/systems/openclaw/device.py",),
    "engineio": ("lifecycle/wire/socketio.py",),
    "httpx2": ("lifecycle/systems/http.py", "lifecycle/systems/convai/*", "lifecycle/systems/hiagent/*"),
    "socketio": ("lifecycle/wire/socketio.py",),
    "coredis": ("lifecycle/registry/redis/*", "lifecycle/systems/openhands/redis_event_store.py"),
    "hypercorn": ("lifecycle/registry/admin/*",),
    "prometheus_client": ("lifecycle/registry/admin/*",),
    "starlette": ("lifecycle/registry/admin/*",),
    "packaging": ("lifecycle/cli/requirement.py",),
    "click": _TERMINAL,
    "rich": _TERMINAL,
}
HEAVY = {
    "statemachine",
    "cattrs",
    "trio_websocket",
    "websockets",
    "yaml",
    "click",
    "rich",
    "opentelemetry",
    "cryptography",
    "coredis",
    "engineio",
    "httpx2",
    "hypercorn",
    "packaging",
    "prometheus_client",
    "socketio",
    "starlette",
}

MODULE_LINES = 400
FUNCTION_LINES = 60
DOCSTRING_LINES = 12

ASYNC_SYNTAX = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


@attrs.frozen
class Import:
    """One name that a module imports: `from a.b import c` is `a.b.c`."""

    name: str
    line: int
    typing: bool  # under `if TYPE_CHECKING:`
    lazy: bool  # inside a function


@attrs.frozen
class Module:
    """One file of the house."""

    path: str  # from the root, with slashes: lifecycle/machine/chart.py
    name: str  # as others import it: lifecycle.machine.chart
    room: str
    source: str
    tree: ast.Module
    imports: tuple[Import, ...]


House = Mapping[str, Module]


def _room(name: str) -> str:
    """Say in which room a dotted name of ours stands."""
    if name.count(".") == 0:
        return "door"
    room = name.split(".")[1]
    return "cli" if room == "__main__" else room


def house(sources: Mapping[str, str]) -> dict[str, Module]:
    """Read a house: from {path: source} to {dotted name: module}."""
    modules = {}
    for path, source in sorted(sources.items()):
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        tree = ast.parse(source, path)
        modules[name] = Module(path, name, _room(name), source, tree, tuple(_imports(tree, path)))
    return modules


def _imports(tree: ast.Module, path: str) -> Iterator[Import]:
    package = path.split("/")[:-1]

    def walk(node: ast.AST, *, typing: bool, lazy: bool) -> Iterator[Import]:
        for name in _imported(node, package):
            yield Import(name, node.lineno, typing, lazy)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        guarded = node.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) else []
        for child in ast.iter_child_nodes(node):
            yield from walk(child, typing=typing or child in guarded, lazy=lazy)

    return walk(tree, typing=False, lazy=False)


def _imported(node: ast.AST, package: list[str]) -> list[str]:
    """List the dotted names that one node imports."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            base = package[: len(package) - node.level + 1] if node.level else []
            return [".".join([*base, *([node.module] if node.module else []), alias.name]) for alias in node.names]
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            return [name]
    return []


def _top(name: str) -> str:
    return name.partition(".")[0]


def wrong_directions(modules: House) -> list[str]:
    """Find imports that do not go from an outer room to an inner one."""
    offences = [f"{m.path}: there is no room '{m.room}'" for m in modules.values() if m.room not in ROOMS]
    for module in modules.values():
        for item in module.imports:
            if _top(item.name) != "lifecycle":
                continue
            # `from lifecycle import trio` takes a room, `from lifecycle import open` a name of the door
            target = _room(item.name) if _room(item.name) in ROOMS else "door"
            inner = ROOMS.get(module.room, set()) | {module.room}
            excused = item.typing and f"{item.name}.".startswith("lifecycle.definition.problem.")
            if target not in inner and not (excused if module.room == "errors" else target == "errors"):
                offences.append(f"{module.path}:{item.line} {module.room} imports {item.name} of {target}")
    return offences


def strayed_libraries(modules: House) -> list[str]:
    """Find imports of a library outside its room."""
    return [
        f"{module.path}:{item.line} imports {_top(item.name)}"
        for module in modules.values()
        for item in module.imports
        if not any(fnmatchcase(module.path, pattern) for pattern in LIBRARIES.get(_top(item.name), ("*",)))
    ]


def import_cycles(modules: House) -> list[str]:
    """Find modules that import each other while they are loaded."""
    graph = {}
    for module in modules.values():
        names = [item.name for item in module.imports if not item.typing and not item.lazy]
        # the longest prefix that is a module: of `lifecycle.a.b.Thing`, `lifecycle.a.b`
        targets = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module.name] = sorted(targets & modules.keys())
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def long_modules(modules: House) -> list[str]:
    """Find modules with too many lines."""
    sizes = {module.path: len(module.source.splitlines()) for module in modules.values()}
    return [f"{path} has {size} lines" for path, size in sizes.items() if size > MODULE_LINES]


def long_functions(modules: House) -> list[str]:
    """Find functions with too many lines, docstring and signature counted."""
    return [
        f"{module.path}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]


def bad_docstrings(modules: House) -> list[str]:
    """Find modules without a docstring, or with too long a one."""
    sizes = {module.path: len((ast.get_docstring(module.tree) or "").splitlines()) for module in modules.values()}
    return [
        f"{path}: the module's docstring has {size} lines"
        for path, size in sizes.items()
        if not 1 <= size <= DOCSTRING_LINES
    ]


def strayed_async(modules: House) -> list[str]:
    """Find async code outside the rooms that wait."""
    return [
        f"{module.path}:{getattr(node, 'lineno', 0)} {type(node).__name__}"
        for module in modules.values()
        if module.room not in ASYNC_ROOMS
        for node in ast.walk(module.tree)
        if isinstance(node, ASYNC_SYNTAX) or (isinstance(node, ast.comprehension) and node.is_async)
    ]


def strayed_clocks(modules: House) -> list[str]:
    """Find clocks and dice outside the rooms that may have them."""
    return [
        f"{module.path}:{item.line} imports {item.name}"
        for module in modules.values()
        if module.room not in ASYNC_ROOMS
        for item in module.imports
        if _top(item.name) in {"time", "random"}
    ]


def loaded_by(statement: str) -> set[str]:
    """Run one statement in a fresh Python, and list the heavy libraries that are loaded then."""
    program = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-P", "-c", program], check=True, capture_output=True, text=True)
    return HEAVY & set(result.stdout.split())


@pytest.fixture(scope="module")
def ours() -> dict[str, Module]:
    """Our own house, as it stands beside the tests."""
    paths = sorted((ROOT / "lifecycle").rglob("*.py"))
    return house({path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths})


def test_there_is_a_house(ours: House) -> None:
    """The other tests have something to read."""
    assert "definition" in {module.room for module in ours.values()}


def test_imports_go_one_way(ours: House) -> None:
    """A room imports only from the rooms to its left."""
    assert wrong_directions(ours) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("lifecycle/definition/page.py", "from lifecycle.machine.table import Table"),
        ("lifecycle/definition/page.py", "def late():\n    from lifecycle import machine"),
        ("lifecycle/machine/table.py", "from ..trio import driver"),
        ("lifecycle/machine/table.py", "import lifecycle.wire.codecs"),
        ("lifecycle/machine/table.py", "import importlib\nimportlib.import_module('lifecycle.proof.lint')"),
        ("lifecycle/proof/lint.py", "if TYPE_CHECKING:\n    from lifecycle.draw.mermaid import Drawing"),
        ("lifecycle/draw/mermaid.py", "from lifecycle.proof.lint import lint"),
        ("lifecycle/wire/codecs.py", "from lifecycle.draw.mermaid import draw"),
        ("lifecycle/trio/driver.py", "from lifecycle.proof import lint"),
        ("lifecycle/trio/driver.py", "from lifecycle import open"),
        ("lifecycle/systems/some.py", "from lifecycle.testing import faults"),
        ("lifecycle/testing/faults.py", "from lifecycle.cli.check import main"),
        ("lifecycle/errors.py", "from lifecycle.definition.problem import Problem"),
        ("lifecycle/errors.py", "if TYPE_CHECKING:\n    from lifecycle.definition.page import Page"),
        ("lifecycle/cellar/wine.py", "'''A room that is not in the plan.'''"),
    ],
)
def test_an_import_against_the_way_is_seen(path: str, source: str) -> None:
    """An import to the right is caught: relative, lazy, dynamic or for types only."""
    assert len(wrong_directions(house({path: source}))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("lifecycle/errors.py", "if TYPE_CHECKING:\n    from lifecycle.definition.problem import Problem"),
        ("lifecycle/definition/read/page.py", "from lifecycle.errors import PageError\nfrom .. import units"),
        ("lifecycle/machine/table.py", "import trio.lowlevel\nfrom lifecycle import definition"),
        ("lifecycle/trio/driver.py", "import trio\nfrom lifecycle.wire import codecs"),
        ("lifecycle/__main__.py", "from lifecycle.cli import main"),
        ("lifecycle/testing/demo.py", "import lifecycle"),
    ],
)
def test_an_import_along_the_way_is_let_through(path: str, source: str) -> None:
    """An import to the left is no offence, nor is one of somebody else's package."""
    assert wrong_directions(house({path: source})) == []


def test_a_library_has_one_room(ours: House) -> None:
    """Each library is imported in its own room only."""
    assert strayed_libraries(ours) == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_strayed_library_is_seen(library: str) -> None:
    """A library outside its room is caught, however it is imported; at home it is not, nor our room of that name."""
    home = LIBRARIES[library][0].replace("*", "some.py")
    for source in (f"import {library}.part", f"from {library} import part", f"def f():\n    __import__('{library}')"):
        assert len(strayed_libraries(house({"lifecycle/definition/page.py": source}))) == 1
        assert strayed_libraries(house({home: source})) == []
    assert strayed_libraries(house({"lifecycle/cli/command.py": f"from lifecycle.{library} import driver"})) == []


def test_no_import_cycles(ours: House) -> None:
    """No modules import each other at the top."""
    assert import_cycles(ours) == []


def test_an_import_cycle_is_seen() -> None:
    """A cycle of three modules is caught and told in its order."""
    sources = {
        "lifecycle/a.py": "from lifecycle.b import thing",
        "lifecycle/b.py": "from lifecycle import c",
        "lifecycle/c.py": "import lifecycle.a",
    }
    (cycle,) = import_cycles(house(sources))
    assert cycle.replace("lifecycle.", "").split(" imports ") in (list("abca"), list("bcab"), list("cabc"))


def test_a_cycle_that_is_not_loaded_is_let_through() -> None:
    """An import for types or inside a function closes no cycle."""
    sources = {
        "lifecycle/a.py": "from lifecycle.b import thing",
        "lifecycle/b.py": "if TYPE_CHECKING:\n    from lifecycle import a\ndef f():\n    import lifecycle.a",
    }
    assert import_cycles(house(sources)) == []


def test_modules_are_short(ours: House) -> None:
    """No module is longer than the limit."""
    assert long_modules(ours) == []


def test_a_long_module_is_seen() -> None:
    """One line too many is caught, and the limit itself is not."""
    assert long_modules(house({"lifecycle/a.py": "a = 1\n" * MODULE_LINES})) == []
    assert len(long_modules(house({"lifecycle/a.py": "a = 1\n" * (MODULE_LINES + 1)}))) == 1


def test_functions_are_short(ours: House) -> None:
    """No function is longer than the limit."""
    assert long_functions(ours) == []


@pytest.mark.parametrize("opening", ["def f():\n", "async def f():\n", "class A:\n  def f(self):\n"])
def test_a_long_function_is_seen(opening: str) -> None:
    """One line too many is caught in functions and methods, and the limit itself is not."""
    body = "    a = 1\n" * (FUNCTION_LINES - 1)
    assert long_functions(house({"lifecycle/a.py": opening + body})) == []
    assert len(long_functions(house({"lifecycle/a.py": opening + body + "    a = 1\n"}))) == 1


def test_modules_say_what_they_are(ours: House) -> None:
    """Every module opens with a docstring that is not longer than the limit."""
    assert bad_docstrings(ours) == []


@pytest.mark.parametrize("source", ["", "a = 1", repr("Words.\n" * (DOCSTRING_LINES + 1))])
def test_a_bad_docstring_is_seen(source: str) -> None:
    """A module that says nothing is caught, and one that says too much."""
    assert len(bad_docstrings(house({"lifecycle/a.py": source}))) == 1


def test_only_some_rooms_wait(ours: House) -> None:
    """Async code stands only in the rooms that know trio."""
    assert strayed_async(ours) == []


@pytest.mark.parametrize("source", ["async def f(): ...", "await f()", "[a async for a in b]"])
def test_strayed_async_is_seen(source: str) -> None:
    """Async code in a pure room is caught, and in the room of trio it is not."""
    assert len(strayed_async(house({"lifecycle/machine/a.py": source}))) == 1
    assert strayed_async(house({"lifecycle/trio/a.py": source})) == []


def test_only_some_rooms_have_clocks(ours: House) -> None:
    """Time and chance are imported only in the rooms that know trio."""
    assert strayed_clocks(ours) == []


@pytest.mark.parametrize("source", ["import time", "from time import monotonic", "def f():\n    import random"])
def test_a_strayed_clock_is_seen(source: str) -> None:
    """A clock or a die in a pure room is caught, and in the room of trio it is not."""
    assert len(strayed_clocks(house({"lifecycle/machine/a.py": source}))) == 1
    assert strayed_clocks(house({"lifecycle/trio/a.py": source})) == []


@pytest.mark.skipif(not (ROOT / "lifecycle/__init__.py").exists(), reason="lifecycle/__init__.py is not written yet")
def test_the_door_is_light() -> None:
    """Importing the package loads none of the heavy libraries."""
    assert loaded_by("import lifecycle") == set()


def test_a_heavy_import_is_seen() -> None:
    """A library that is loaded is caught, also when another one brings it."""
    assert loaded_by("import yaml") == {"yaml"}
    assert "trio_websocket" in loaded_by("import trio_websocket._impl")
