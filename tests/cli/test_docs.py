"""docs/commands.md says what the commands say, and every command line in the project's pages is one that parses."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from plaudit.cli.fields import flat_settings
from plaudit.cli.inputs import saved_settings
from plaudit.cli.main import COMMANDS, GROUPS, command_class, named_command
from plaudit.cli.settings import parsed
from plaudit.cli.user_code import FunctionInterlocutor, reward_function
from plaudit.schemas.conversation import assistant, user

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "commands.md"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "recipes").glob("*/README.md")),
    *sorted((ROOT / "benchmarks").glob("*/README.md")),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
_SHELLS = {"", "sh", "bash", "console", "shell", "text"}
_TOML = re.compile(r"^`([\w.-]+\.toml)`:\n\n```toml\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def command_lines(text: str) -> list[str]:
    """The lines of a page's code blocks that call `plaudit`, continued ones joined, a prompt sign left out."""
    blocks = [block for language, block in _BLOCK.findall(text) if language in _SHELLS]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    bare = (line.strip().removeprefix("$ ") for line in lines)
    return [line for line in bare if line.startswith("plaudit ")]


LINES = [(page, line) for page in PAGES if page.exists() for line in command_lines(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_commands(generator: ModuleType) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert generator.updated(page) == page, "run: python docs/generate.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_setting_is_documented(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"<!-- settings of {name} -->")[1].split("<!-- end -->")[0]
    for setting in flat_settings(command_class(name)):
        assert f"| `{setting.name}` |" in section
        assert " ".join(setting.doc.split())[:40] in section


def test_a_table_by_hand(generator: ModuleType) -> None:
    rows = generator.table("data show").splitlines()
    assert rows[:2] == ["| setting | values | default | what it does |", "|---|---|---|---|"]
    assert (
        rows[2]
        == "| `file` | path | required | The file, or the folder of a snapshot or of a data set that `datasets` saved. |"
    )
    assert rows[3] == "| `num` | whole number | 3 | How many records to print. |"
    assert rows[4].startswith("| `shape` | native, trl, ")
    assert "| none |" in rows[4]


def test_environment_settings_are_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "plaudit").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", sources)) - {"XDG_CACHE_HOME"}
    assert {"PLAUDIT_DEBUG", "PLAUDIT_CACHE", "OPENAI_API_KEY"} <= read
    assert {name for name in read if f"`{name}" not in page} == set()


def test_the_reward_function_of_the_docs_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"^`rewards.py`:\n\n```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "rewards.py").write_text(block)
    brief = reward_function(f"{tmp_path / 'rewards.py'}:brief")
    assert brief(["p", "p"], ["one two", ""], harbour=[1, 2]) == [-0.2, 0.0]


def test_the_interlocutor_of_the_docs_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"^`person.py`:\n\n```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "person.py").write_text(block)
    person = FunctionInterlocutor(f"{tmp_path / 'person.py'}:impatient")
    long, short = ((user("why?"), assistant(answer)) for answer in ("word " * 40, "so"))
    assert person.replies([long, short]) == ["Shorter, please.", None]


def test_lines_are_found() -> None:
    text = "```sh\n$ plaudit chat \\\n  --model m\nother\n```\nplaudit no\n```python\nplaudit no\n```\n```\nplaudit yes\n```\n"
    assert command_lines(text) == ["plaudit chat    --model m", "plaudit yes"]
    assert {line.split()[1] for page, line in LINES if page == PAGE} >= {name.split()[0] for name in COMMANDS} - {
        "data"
    }


@pytest.mark.parametrize(("page", "line"), LINES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_every_command_line_parses(page: Path, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in _TOML.findall(page.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)[1:]
    # A file of the project is meant from its root; a run that is resumed is made up.
    words = [str(ROOT / word) if "/" in word and (ROOT / word).is_file() else word for word in words]
    monkeypatch.setattr(f"{saved_settings.__module__.replace('inputs', 'settings')}.saved_settings", _some_run)
    if words in (["--help"], ["--version"], *([group, "--help"] for group in GROUPS)):
        return
    name, settings = named_command(words)
    command = parsed(command_class(name), settings, name=name, reads_toml=words[0] not in GROUPS)
    assert isinstance(command, command_class(name))


def _some_run(run: Path, command: str) -> dict[str, str]:
    return {"data": "data.jsonl"}
