"""An environment is laid over runner.yaml and over the variables of every agent; the rest stays as it was."""

import json
from pathlib import Path

import pytest

from runner.call.templates.template import CompiledTemplate
from runner.config.load import load, load_everywhere
from runner.errors import UsageError
from runner.model.agent import Agent
from runner.model.route import Reject, ToAgent
from runner.model.settings import Configuration, SecretRef
from runner.model.tool import ClientCredentials, HttpBinding

AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: Be kind.
routes: [{to: "+18005551212"}]
vars: {clinic: Maple Dental, more: 0}
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
    assert sources(configuration.agents["desk"]) == {"clinic": "Maple Dental"}


def test_variables_of_an_environment_are_laid_over_those_of_every_agent(tmp_path: Path) -> None:
    agent = AGENT.replace("more: 0", "more: 0, street: Main")
    configuration = configured(tmp_path, "staging", agent=agent)
    found = configuration.agents["desk"]
    assert found.vars.keys() == {"clinic", "more", "street"}
    assert sources(found) == {"clinic": "Maple Dental (test)", "street": "Main"}
    assert found.vars["more"] == 1


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
    odd = "{schedules: {night: {timezone: Mars}}}"
    night = "schedules: {night: {timezone: UTC, open: {mon: 09:00-17:00}}}"
    runner = f"voice: x\n{night}\nenvironments:\n  one: &odd {odd}\n  two: *odd\n  fine: {{}}\n"
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


ASKING = (
    AGENT
    + """\
tools:
  - find
  - {name: book, description: Book it., http: {url: "https://API.example:8443/book/{{ call.id }}?x=/#y"}}
lookup: {http: {method: GET, url: "https://crm.example"}}
on_end:
  - http:
      url: https://other.example/calls
      auth:
        oauth2:
          token_url: https://api.example/token
          client_id: me
          client_secret: "{{ secrets.TOKEN }}"
"""
)


def test_the_hosts_of_an_environment_stand_for_those_that_requests_go_to(tmp_path: Path) -> None:
    hosts = "{api.example: https://stage.example:444, CRM.example: http://127.0.0.1:9000/}"
    egress = "egress: {private_networks: allow}\n"
    runner = f"{egress}{RUNNER}  moved: {{hosts: {hosts}}}\n"
    agent = configured(tmp_path, "moved", runner=runner, agent=ASKING.replace("#y", "")).agents["desk"]
    bindings = [tool.binding for tool in agent.tools if isinstance(tool.binding, HttpBinding)]
    assert [binding.url.source for binding in bindings] == [
        "https://stage.example:444/find",
        "https://stage.example:444/book/{{ call.id }}?x=/",
    ]
    assert agent.lookup is not None
    assert agent.lookup.http.url.source == "http://127.0.0.1:9000"
    (delivery,) = agent.on_end
    assert delivery.url.source == "https://other.example/calls"
    assert isinstance(delivery.auth, ClientCredentials)
    assert delivery.auth.token_url == "https://stage.example:444/token"


@pytest.mark.parametrize("name", ["crm.internal", "CRM.internal", "crm.internal."])
def test_of_a_replaced_host_nobody_says_that_it_is_private(tmp_path: Path, name: str) -> None:
    agent = f"{AGENT}tools: [find]\nlookup: {{http: {{method: GET, url: https://crm.internal}}}}\n"
    runner = f"{RUNNER}  moved: {{hosts: {{{name}: https://stage.example}}}}\n"
    assert load(written(tmp_path, runner, agent), "moved").problems == ()


def test_the_servers_of_a_document_are_replaced_as_well(tmp_path: Path) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Orders", "version": "1"},
        "servers": [{"url": "https://api.example/v2"}],
        "paths": {"/orders": {"get": {"operationId": "orders", "responses": {}}}},
    }
    (tmp_path / "_orders.json").write_text(json.dumps(document))
    runner = RUNNER + "  moved: {hosts: {api.example: https://stage.example}}\n"
    agent = AGENT + "tools: [{openapi: {document: _orders.json, operations: [orders]}}, find]\n"
    tool = configured(tmp_path, "moved", runner=runner, agent=agent).agents["desk"].tools[0]
    assert isinstance(tool.binding, HttpBinding)
    assert tool.binding.url.source == "https://stage.example/v2/orders"


def names_told(folder: Path, environment: str, agent: str = AGENT) -> list[str]:
    runner = RUNNER.replace("  empty: {}", f"  empty: {environment}")
    return [problem.message for problem in load_everywhere(written(folder, runner, agent)).problems]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            "{vars: {clinc: X}}",
            'there is no variable "clinc" for the environment to change; did you mean "clinic"?',
        ),
        (
            "{vars: {x9: X}}",
            'there is no variable "x9" for the environment to change; declare it under "vars" of an agent',
        ),
        (
            "{tools: {fnd: {http: {url: https://s.example}}}}",
            'there is no tool "fnd" for the environment to change; did you mean "find"?',
        ),
        (
            "{secrets: {TOKN: {env: TOKEN}}}",
            'there is no secret "TOKN" for the environment to change; did you mean "TOKEN"?',
        ),
        (
            "{schedules: {night: {timezone: UTC}}}",
            'there is no schedule "night" for the environment to change; declare it under "schedules" of '
            "runner.yaml",
        ),
        (
            "{hosts: {api.exampl: https://s.example}}",
            'in the environment "empty": no request goes to the host "api.exampl"; '
            'did you mean "api.example"?',
        ),
        (
            "{hosts: {api.example: s.example}}",
            'in the environment "empty": "s.example" cannot replace a host; write scheme, '
            "host and port, such as https://staging.maple.example:8443",
        ),
        (
            "{hosts: {api.example: 443}}",
            'in the environment "empty": "443" cannot replace a host; write scheme, '
            "host and port, such as https://staging.maple.example:8443",
        ),
        ("{vars: [clinic]}", '"vars" is a list; write a mapping, such as {clinic: Maple Dental (test)}'),
        (
            "{varz: {clinic: X}}",
            'unknown key "varz"; did you mean "vars"?',
        ),
    ],
)
def test_what_an_environment_names_and_nothing_else_has_is_told_once(
    tmp_path: Path, environment: str, message: str
) -> None:
    assert names_told(tmp_path, environment, agent=AGENT + "tools: [find]\n") == [message]


def test_a_tool_that_is_an_agents_own_cannot_be_changed_by_an_environment(tmp_path: Path) -> None:
    agent = AGENT + "tools: [find, {name: own, description: Hello., static: hi}]\n"
    assert names_told(tmp_path, "{tools: {own: {static: ho}}}", agent) == [
        'the tool "own" is an agent\'s own; move it to "tools" of runner.yaml, where an environment can '
        "change it"
    ]


def test_the_keys_of_a_variable_that_is_a_mapping_are_known_too(tmp_path: Path) -> None:
    agent = AGENT.replace("more: 0", "more: 0, desk: {city: Bonn, at: {street: Main}}") + "tools: [find]\n"
    agent += 'on_end: [{http: {url: "https://a.example"}, sign: "{{ secrets.TOKEN }}"}]\n'
    assert names_told(tmp_path, "{vars: {desk: {city: Koeln, at: {street: Side}}}}", agent) == []
    assert names_told(tmp_path, "{vars: {desk: {city: Koeln, at: {stret: Side}}}}", agent) == [
        'there is no variable "stret" for the environment to change; did you mean "street"?'
    ]


def test_what_replies_set_defaults_declare_and_the_environment_itself_uses_exists(tmp_path: Path) -> None:
    signed = '{http: {url: "https://a.example", sign: "{{ secrets.TOKEN }}"}'
    agent = (
        f'{AGENT}tools: [find, {{name: x, description: X., {signed[1:]}, result: {{set: {{last: "@"}}}}}}]\n'
    )
    environment = (
        "{defaults: {vars: {a: 1}}, vars: {a: 2, last: 3}, secrets: {NEW: {env: TOKEN}}, "
        'tools: {find: {http: {auth: {bearer: "{{ secrets.NEW }}"}}}}}'
    )
    assert names_told(tmp_path, environment, agent) == []


def test_a_key_that_an_environment_cannot_have_is_told_in_it_too(tmp_path: Path) -> None:
    written(
        tmp_path, "environments: {staging: {varz: {clinic: Maple}, server: {prt: 1}}, other: {tols: {}}}\n"
    )
    assert [problem.message for problem in load(tmp_path, "staging").problems] == [
        'unknown key "varz"; did you mean "vars"?',
        'unknown key "prt"; did you mean "port"?',
    ]
