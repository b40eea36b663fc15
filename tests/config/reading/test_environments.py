"""An environment is laid over runner.yaml and over the variables of every agent; the rest stays as it was."""

from pathlib import Path

import pytest

from runner.call.templates.template import CompiledTemplate
from runner.config.load import load, load_everywhere
from runner.errors import UsageError
from runner.model.agent import Agent
from runner.model.route import Reject, ToAgent
from runner.model.settings import Configuration, SecretRef
from runner.model.tool import HttpBinding

AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: Be kind.
routes: [{to: "+18005551212"}]
"""
RUNNER = """\
provider: {base_url: https://api.example/v1}
server: {port: 8081, host: 127.0.0.2}
secrets: {TOKEN: {env: TOKEN}}
tools: {find: {description: Find it., http: {method: GET, url: "https://api.example/find", query: {a: b}}}}
defaults: {voice: marin}
environments:
  staging:
    vars: {clinic: Maple Dental (test), more: 1}
    provider: {api_key: {file: /run/key}}
    server: {port: 9090}
    secrets: {TOKEN: {file: /run/token}}
    tools: {find: {http: {url: "https://staging.example/find"}}}
    routing: {otherwise: {agent: desk}}
    defaults: {voice: cedar}
  empty: {}
"""


def written(folder: Path, runner: str = RUNNER, agent: str = AGENT) -> Path:
    (folder / "desk.yaml").write_text(agent)
    (folder / "runner.yaml").write_text(runner)
    return folder


def configured(folder: Path, environment: str | None, **files: str) -> Configuration:
    loaded = load(written(folder, **files), environment)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.configuration is not None
    return loaded.configuration


def sources(agent: Agent) -> dict[str, str]:
    """The variables that are templates, as they were written."""
    return {name: value.source for name, value in agent.vars.items() if isinstance(value, CompiledTemplate)}


def test_an_environment_is_laid_over_runner_yaml(tmp_path: Path) -> None:
    settings = configured(tmp_path, "staging").settings
    assert (settings.server.host, settings.server.port) == ("127.0.0.2", 9090)
    assert settings.provider.base_url == "https://api.example/v1"
    assert settings.provider.api_key == SecretRef(file="/run/key")
    assert settings.secrets == {"TOKEN": SecretRef(file="/run/token")}
    assert settings.routing.otherwise == ToAgent(agent="desk")


def test_shared_tools_and_defaults_are_those_of_the_environment(tmp_path: Path) -> None:
    agent = configured(tmp_path, "staging", agent=AGENT + "tools: [find]\n").agents["desk"]
    assert agent.voice == "cedar"
    (tool,) = agent.tools
    assert isinstance(tool.binding, HttpBinding)
    assert tool.binding.url.source == "https://staging.example/find"
    assert list(tool.binding.query) == ["a"]


@pytest.mark.parametrize("environment", [None, "empty"])
def test_without_one_and_in_an_empty_one_nothing_is_changed(tmp_path: Path, environment: str | None) -> None:
    configuration = configured(tmp_path, environment)
    assert configuration.settings.server.port == 8081
    assert configuration.settings.secrets == {"TOKEN": SecretRef(env="TOKEN")}
    assert configuration.settings.routing.otherwise == Reject(status=404)
    assert configuration.agents["desk"].voice == "marin"
    assert configuration.agents["desk"].vars == {}


def test_variables_of_an_environment_are_laid_over_those_of_every_agent(tmp_path: Path) -> None:
    agent = AGENT + "vars: {clinic: Maple Dental, street: Main}\n"
    configuration = configured(tmp_path, "staging", agent=agent)
    found = configuration.agents["desk"]
    assert found.vars.keys() == {"clinic", "street", "more"}
    assert sources(found) == {"clinic": "Maple Dental (test)", "street": "Main"}
    assert found.vars["more"] == 1


def test_an_agent_without_variables_gets_those_of_the_environment(tmp_path: Path) -> None:
    agent = AGENT.replace("Be kind.", "Be {{ vars.clinic }}.")
    configured(tmp_path, "staging", agent=agent)
    (problem,) = load(tmp_path).problems
    assert problem.message == '"vars.clinic" is always null; declare "clinic" under "vars"'


@pytest.mark.parametrize(
    ("name", "runner", "message"),
    [
        ("stagign", RUNNER, '"{}" declares no environment "stagign"; did you mean "staging"?'),
        ("production", RUNNER, '"{}" declares no environment "production"; there is "staging" or "empty"'),
        ("staging", "defaults: {}\n", '"{}" declares no environment "staging"'),
    ],
)
def test_an_environment_that_is_not_declared_is_wrong_usage(
    tmp_path: Path, name: str, runner: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, runner), name)
    assert str(caught.value) == message.format(tmp_path)


def test_a_runner_yaml_that_cannot_be_read_is_told_and_not_its_environments(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "environments: {"), "staging")
    assert {problem.place.file for problem in loaded.problems} == {f"{tmp_path}/runner.yaml"}
    assert load_everywhere(tmp_path).problems == loaded.problems


def test_what_only_environments_have_is_told_with_their_names(tmp_path: Path) -> None:
    odd = "{schedules: {night: {timezone: Mars, open: {mon: 09:00-17:00}}}}"
    runner = f"voice: x\nenvironments:\n  one: &odd {odd}\n  two: *odd\n  fine: {{}}\n"
    loaded = load_everywhere(written(tmp_path, runner))
    assert loaded.configuration is None
    assert [(problem.rule, problem.message.partition(";")[0]) for problem in loaded.problems] == [
        ("unknown-key", 'unknown key "voice"'),
        ("unknown-timezone", 'in the environments "one" and "two": unknown time zone "Mars"'),
    ]


def test_an_environment_is_checked_without_the_mistakes_of_another(tmp_path: Path) -> None:
    runner = "environments: {fine: {}, odd: {routing: {otherwise: {agent: nobody}}}}\n"
    assert load(written(tmp_path, runner), "fine").problems == ()
    assert load(tmp_path).problems == ()
    assert [problem.message for problem in load_everywhere(tmp_path).problems] == [
        'in the environment "odd": there is no agent "nobody"; there is "desk"'
    ]


def test_the_secrets_of_every_environment_are_known(tmp_path: Path) -> None:
    written(tmp_path)
    assert [str(secret.ref) for secret in load(tmp_path).secrets] == ["environment variable TOKEN"]
    assert [str(secret.ref) for secret in load(tmp_path, "staging").secrets] == [
        "file /run/key",
        "file /run/token",
    ]
    assert [str(secret.ref) for secret in load_everywhere(tmp_path).secrets] == [
        "environment variable TOKEN",
        "file /run/key",
        "file /run/token",
    ]
