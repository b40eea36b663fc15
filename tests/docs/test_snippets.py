"""Every YAML snippet is one that a reader may copy: `validate` finds nothing, and scenarios pass."""

import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.config.checking.schema_files import schema
from runner.config.load import load
from runner.store.opening import open_store
from tests.docs.pages import Block, all_pages, read

BLOCKS = [block for page in all_pages() for block in page.blocks("yaml")]
AGENT_KEYS, RUNNER_KEYS = (frozenset(schema(kind)["properties"]) for kind in ("agent", "runner"))


def kind(block: Block) -> str:
    """What a snippet is part of: an agent's file, runner.yaml, scenarios, or somebody else's file."""
    keys = keys_of(block)
    if block.text.startswith("- "):
        return "scenarios"
    if "agent" in keys or (keys <= AGENT_KEYS and not re.search(r"^tools:\n  \w", block.text, re.M)):
        return "agent"
    return "runner" if keys <= RUNNER_KEYS else "other"


def keys_of(block: Block) -> set[str]:
    """The keys of a mapping. Other readers of YAML refuse some of our texts: `{say: Ready?, times: 2}`."""
    return set(re.findall(r"^([\w-]+):", block.text, re.M))


def of_kind(wanted: str) -> list[Block]:
    """The snippets of one kind."""
    return [block for block in BLOCKS if kind(block) == wanted]


SETTINGS = next(block for block in of_kind("runner") if block.page == "docs/language.md")
"""The runner.yaml beside which the agents stand."""
OTHERS = ("front-desk", "overflow", "recepcion")
"""Agents that others name."""
ORDERS = """\
openapi: 3.1.0
info: {title: Orders, version: "1"}
servers: [{url: "https://api.maple.example"}]
paths:
  /orders/{number}:
    get:
      operationId: getOrder
      description: Look up an order.
      parameters: [{name: number, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: The order.}}
"""


def test_there_are_snippets_of_every_kind_and_others_are_tested_elsewhere() -> None:
    assert len(of_kind("agent")) >= 6
    assert len(of_kind("runner")) >= 3
    assert len(of_kind("scenarios")) >= 1
    # Held by tests/test_pipelines.py.
    assert [str(block) for block in of_kind("other") if block.page != "README.md"] == []


def beside(folder: Path, *names: str) -> None:
    """What the agents of the pages refer to, and agents of these names."""
    files = {
        "runner.yaml": SETTINGS.text,
        "_prompts/front-desk.md": "You are the receptionist.\n",
        "_openapi/orders.yaml": ORDERS,
        **{f"{name}.yaml": f"agent: {name}\n{REST}" for name in names},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


REST = "model: gpt-realtime-2.1\ninstructions: Help the caller.\n"


@pytest.mark.parametrize("block", of_kind("agent"), ids=str)
def test_validate_has_nothing_to_say_about_an_agent(block: Block, tmp_path: Path) -> None:
    beside(tmp_path, *(name for name in OTHERS if not re.search(rf"^agent: {name}\b", block.text, re.M)))
    written = block.text if "agent" in keys_of(block) else f"{block.text}agent: example\n{REST}"
    (tmp_path / "it.yaml").write_text(written, encoding="utf-8")
    loaded = load(tmp_path)
    told = [str(problem) for problem in loaded.problems if problem.place.file.endswith("/it.yaml")]
    # A part of an agent's file has no route.
    assert [text for text in told if "[unreached-agent]" not in text] == []
    assert loaded.configuration is not None


@pytest.mark.parametrize("block", of_kind("runner"), ids=str)
def test_validate_finds_no_error_in_settings(block: Block, tmp_path: Path) -> None:
    beside(tmp_path, *OTHERS)
    (tmp_path / "runner.yaml").write_text(block.text, encoding="utf-8")
    loaded = load(tmp_path)
    assert loaded.configuration is not None, [str(problem) for problem in loaded.problems]


@pytest.mark.parametrize("block", of_kind("scenarios"), ids=str)
def test_scenarios_pass(block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside(tmp_path, "recepcion")
    agent = next(one for one in of_kind("agent") if one.text.startswith("agent: front-desk"))
    (tmp_path / "front-desk.yaml").write_text(agent.text, encoding="utf-8")
    (tmp_path / "front-desk.test.yaml").write_text(block.text, encoding="utf-8")
    code = main(["test", str(tmp_path)])
    assert capsys.readouterr().out == ""
    assert code == 0


def test_the_first_agent_of_the_readme_needs_no_runner_yaml(tmp_path: Path) -> None:
    first = next(
        block for block in read("README.md").blocks("yaml") if re.search("^agent: ", block.text, re.M)
    )
    (tmp_path / "hello.yaml").write_text(first.text, encoding="utf-8")
    loaded = load(tmp_path)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    assert list(loaded.configuration.agents) == ["hello"]


def test_no_code_is_in_a_language_that_no_test_reads() -> None:
    languages = {found for page in all_pages() for found in re.findall(r"^ *```(\w+)$", page.text, re.M)}
    assert languages <= {"console", "html", "python", "sh", "sql", "yaml"}


SQL = [block for page in all_pages() for block in page.blocks("sql")]


@pytest.mark.parametrize("block", SQL, ids=str)
async def test_sql_does_to_a_store_what_the_page_says(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await (await open_store(f"sqlite:{path}")).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO jobs (id, call_id, kind, state, created_at, work)"
            " VALUES ('msg_1', 'rtc_1', 'delivery', 'parked', 1, '{}')"
        )
        connection.execute(block.text)
        assert connection.execute("SELECT state, due_at FROM jobs").fetchall() == [("open", 0.0)]


def test_the_modules_that_the_pages_run_are_there() -> None:
    named = {found for page in all_pages() for found in re.findall(r"python -m ([\w.]+)", page.text)}
    assert [name for name in named if find_spec(name) is None] == []


PYTHON = [block for page in all_pages() for block in page.blocks("python")]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
