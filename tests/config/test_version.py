"""A version of a configuration is its texts: it loads without its directory, and its hash names it."""

import shutil
from pathlib import Path

from runner.config.load import load
from runner.config.version import ConfigurationVersion

AGENTS = Path(__file__).parents[2] / "agents"


def version_of(directory: Path, environment: str | None = None) -> ConfigurationVersion:
    return ConfigurationVersion.of(load(directory, environment), directory, environment)


def test_a_version_loads_to_the_same_configuration_where_its_directory_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "agents"
    shutil.copytree(AGENTS, directory)
    loaded = load(directory)
    version = ConfigurationVersion.of(loaded, directory, None)
    shutil.rmtree(directory)
    again = ConfigurationVersion.decoded(version.encoded()).load()
    assert not [problem for problem in again.problems if problem not in loaded.problems]
    assert loaded.configuration is not None
    assert again.configuration is not None
    assert again.configuration.agents.keys() == loaded.configuration.agents.keys()
    for agent_id, agent in loaded.configuration.agents.items():
        restored = again.configuration.agents[agent_id]
        assert restored.place == agent.place
        assert [tool.name for tool in restored.tools] == [tool.name for tool in agent.tools]
        assert restored.instructions.source == agent.instructions.source


def test_the_hash_follows_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "agents"
    shutil.copytree(AGENTS, directory)
    version = version_of(directory)
    before = version.hash
    assert version.hash is before, "each call asks for it"
    scenario = directory / "front-desk.test.yaml"
    scenario.write_text(scenario.read_text() + "\n# more\n")
    (directory / "_prompts" / "unused.md").write_text("nobody reads this")
    assert version_of(directory).hash == before
    prompt = directory / "_prompts" / "order-line.md"
    prompt.write_text(prompt.read_text() + "\nBe brief.\n")
    assert version_of(directory).hash != before
    assert len(before) == 16
