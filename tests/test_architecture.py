"""The table of who may import whom, and the rules a machine can check. DESIGN.md gives the reasons."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import plaudit

SRC = Path(plaudit.__file__).parent
TESTS = Path(__file__).parent
ROOMS = sorted(path.parent.name for path in SRC.glob("*/__init__.py"))
SOURCES = sorted(SRC.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("*.py"))

EVALUATION = "rollout rewards models text batches algorithms statistics rules client checkpoints runs schemas"
MAY_IMPORT = {
    room: set(others.split())
    for room, others in {
        "schemas": "",
        "algorithms": "",
        "statistics": "",
        "batches": "schemas",
        "formats": "schemas",
        "store": "schemas",
        "rules": "schemas",
        "client": "schemas",
        "runs": "schemas",
        "quality": "store runs statistics rules schemas",
        "checkpoints": "runs schemas",
        "text": "schemas batches",
        "models": "text batches algorithms checkpoints runs schemas",
        "rollout": "text models batches algorithms client schemas",
        "rewards": "text models batches algorithms checkpoints rules client schemas",
        "environments": "schemas text models rollout rewards batches algorithms",
        "evaluation": EVALUATION,
        "trainers": f"environments evaluation {EVALUATION}",
        "registry": "store statistics schemas",
        "serving": "rollout models text checkpoints client schemas",
        "server": "store quality registry formats statistics rules runs schemas",
        "loop": "store quality formats registry trainers evaluation rewards rollout models text checkpoints statistics "
        "rules runs schemas",
    }.items()
}
# These three wire rooms together: demo is a story told with all of them, testing plays people and worlds for them.
MAY_IMPORT["testing"] = set(MAY_IMPORT)
MAY_IMPORT["demo"] = set(MAY_IMPORT)
MAY_IMPORT["cli"] = set(MAY_IMPORT)

WITHOUT_TORCH = {
    *("schemas", "store", "formats", "statistics", "rules"),
    *("client", "quality", "registry", "runs", "server"),
}
PICKLES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
NO_NAMES = {"utils", "util", "common", "helpers", "base", "misc", "manager", "managers"}
TORCH_DRAWS = {f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "multinomial", "normal")}
MAX_LINES, MAX_FUNCTION_LINES = 400, 60


def room_of(path: Path) -> str:
    """The first folder under the package; empty for a file beside the rooms."""
    parts = path.relative_to(SRC).parts
    return parts[0] if len(parts) > 1 else ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, inside functions and type-checking blocks too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports name their room in full"
            assert node.module is not None
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def called(node: ast.Call) -> str:
    """The dotted name that is called; empty where it is not a plain one, as in `a(b).c()`."""
    name = ast.unparse(node.func)
    return name if name.replace(".", "").isidentifier() else ""


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))


def test_every_room_stands_in_the_table() -> None:
    assert set(ROOMS) <= set(MAY_IMPORT)


def test_the_tables_arrows_point_down_only() -> None:
    """No room imports, by whatever way, one that imports it."""
    placed: set[str] = set()
    while len(placed) < len(MAY_IMPORT):
        free = {room for room, others in MAY_IMPORT.items() if room not in placed and others - {room} <= placed}
        assert free, f"these import each other: {sorted(set(MAY_IMPORT) - placed)}"
        placed |= free


@each_source
def test_rooms_import_only_what_the_table_allows(path: Path) -> None:
    room = room_of(path)
    allowed = MAY_IMPORT.get(room, set()) | {room, "", "__version__"}
    if path.relative_to(SRC).as_posix() == "serving/proxy.py":
        allowed = {"client", "schemas"}
    wrong = [
        f"line {line}: {name}"
        for line, name in imported(tree_of(path))
        if name.split(".")[0] == "plaudit" and f"{name}.".split(".")[1] not in allowed
    ]
    assert not wrong, f"{room or 'the package itself'} may import {sorted(allowed)}"


@each_source
def test_algorithms_stand_on_torch_alone(path: Path) -> None:
    if room_of(path) == "algorithms":
        allowed = {"torch", "jaxtyping", "plaudit"} | sys.stdlib_module_names
        assert {name.split(".")[0] for _, name in imported(tree_of(path))} <= allowed


@pytest.mark.parametrize("room", [room for room in ROOMS if room in WITHOUT_TORCH])
def test_a_room_for_servers_imports_without_torch(room: str) -> None:
    """Every module of it, in a process of its own."""
    names = [
        ".".join(["plaudit", *path.relative_to(SRC).with_suffix("").parts]).removesuffix(".__init__")
        for path in SOURCES
        if room_of(path) == room
    ]
    code = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "print(*({'torch', 'transformers', 'jaxtyping'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC.parent), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("path", SOURCES + TEST_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    for node in functions(ast.parse(text)):
        assert node.end_lineno is not None
        assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, f"{node.name}, line {node.lineno}"


def test_modules_are_named_for_what_they_hold() -> None:
    assert not [path for path in SOURCES if {part.lower() for part in path.with_suffix("").parts[-2:]} & NO_NAMES]


@each_source
def test_attributes_are_named_not_looked_up(path: Path) -> None:
    """hasattr and getattr hide from the type checker and the reader what an object is."""
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if called(call) in {"hasattr", "getattr", "setattr", "delattr"}]


@each_source
def test_no_signature_says_any(path: Path) -> None:
    for node in functions(tree_of(path)):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        annotations = [argument.annotation for argument in arguments if argument] + [node.returns]
        names = {
            part.id if isinstance(part, ast.Name) else part.attr
            for annotation in annotations
            if annotation
            for part in ast.walk(annotation)
            if isinstance(part, ast.Name | ast.Attribute)
        }
        assert "Any" not in names, f"{node.name}, line {node.lineno}"


@each_source
def test_nothing_is_pickled(path: Path) -> None:
    tree = tree_of(path)
    assert not {name.split(".")[0] for _, name in imported(tree)} & PICKLES
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if called(call) in {"torch.save", "torch.load"}]


@each_source
def test_random_numbers_come_from_a_generator_of_their_own(path: Path) -> None:
    """torch draws with `generator=`, numpy from `default_rng`; a global seed is set inside a fork of its state only."""
    tree = tree_of(path)
    forked = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.With) and any("fork_rng" in ast.unparse(item) for item in block.items)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in forked:
            continue
        name = called(node)
        place = f"{name}, line {node.lineno}"
        assert name not in TORCH_DRAWS or any(keyword.arg == "generator" for keyword in node.keywords), place
        assert name not in {"torch.manual_seed", "torch.seed"}, place
        owner, _, draw = name.rpartition(".")
        assert owner not in {"np.random", "numpy.random"} or draw in {"default_rng", "Generator"}, place
        assert owner != "random" or draw == "Random", place


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_first_page_asks_its_question_and_shows_ten_names_at_most(room: str) -> None:
    tree = tree_of(SRC / room / "__init__.py")
    docstring = ast.get_docstring(tree) or ""
    assert "?" in docstring
    names = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    assert all(len(shown) <= 10 for shown in names)
