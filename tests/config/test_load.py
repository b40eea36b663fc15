"""A directory becomes a configuration: values, merging, what is read and what is not."""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.api.realtime.prices import PRICES
from runner.call.templates.template import CompiledTemplate
from runner.config.load import load
from runner.config.loaded import Loaded
from runner.config.problem import Severity
from runner.errors import CannotRunError
from runner.model.agent import Agent, ModelOpens, Say, Tell, Wait
from runner.model.price import Price
from runner.model.route import ExactNumber, Reject, RoutingSettings, ToAgent
from runner.model.settings import Admin, AdminToken, Configuration, May, Provider, SecretRef, Settings
from runner.model.template import Templated
from runner.model.tool import HttpBinding
from tests.config.broken_documents import broken_agents

AGENT = "agent: desk\nmodel: gpt-realtime-2.1\ninstructions: You answer.\n"
AGENTS = Path(__file__).parents[2] / "agents"


def written(folder: Path, **files: str) -> Path:
    """A directory with these files; `__` in a name stands for a folder, and `_yaml` for the ending."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def agent(folder: Path, text: str, runner: str = "") -> Agent:
    """The one agent of a directory without problems."""
    files = {"desk_yaml": text, **({"runner_yaml": runner} if runner else {})}
    loaded = load(written(folder, **files))
    assert [str(problem) for problem in loaded.problems] == []
    return made_of(loaded).agents["desk"]


def made_of(loaded: Loaded) -> Configuration:
    """The configuration, which has to be there."""
    assert loaded.configuration is not None
    return loaded.configuration


def sources(values: Mapping[str, Templated]) -> dict[str, str]:
    """The values that are templates, as they were written."""
    return {name: value.source for name, value in values.items() if isinstance(value, CompiledTemplate)}


def messages(loaded: Loaded) -> list[str]:
    return [f"{Path(problem.place.file).name}: {problem.message}" for problem in loaded.problems]


def test_the_smallest_agent_has_the_defaults_of_the_language(tmp_path: Path) -> None:
    found = agent(tmp_path, AGENT)
    assert found == Agent(
        id="desk", model="gpt-realtime-2.1", instructions=found.instructions, place=found.place
    )
    assert found.instructions.source == "You answer."
    assert str(found.place) == f"{tmp_path}/desk.yaml:1:1"


def test_the_admin_api_is_declared_with_its_tokens(tmp_path: Path) -> None:
    runner = """\
server:
  admin:
    port: 9000
    tokens: {lead: {env: LEAD}, pager: {file: /run/pager, may: watch}}
    address: http://10.0.0.7:9000/
    hosts: [Console.Maple.example]
    transfer_to: ["tel:+14155550123"]
"""
    loaded = load(written(tmp_path, desk_yaml=AGENT, runner_yaml=runner))
    assert made_of(loaded).settings.server.admin == Admin(
        port=9000,
        tokens={
            "lead": AdminToken(ref=SecretRef(env="LEAD")),
            "pager": AdminToken(ref=SecretRef(file="/run/pager"), may=May.WATCH),
        },
        address="http://10.0.0.7:9000",
        hosts=("console.maple.example",),
        transfer_to=("tel:+14155550123",),
    )
    assert [str(needed.ref) for needed in loaded.secrets] == ["environment variable LEAD", "file /run/pager"]


def test_without_runner_yaml_the_settings_are_the_defaults(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, desk_yaml=AGENT))
    assert made_of(loaded).settings == Settings(
        provider=Provider(prices=PRICES), routing=RoutingSettings(project_prefix="proj_")
    )
    assert made_of(loaded).directory == str(tmp_path)


def test_every_setting_of_runner_yaml_arrives(tmp_path: Path) -> None:
    runner = """
provider:
  api_key: {file: /run/secrets/key}
  webhook_secrets: [{env: NEW}, {env: OLD}]
  base_url: https://eu.api.example/v1/
  key_header: api-key
  prices:
    deployment: {like: gpt-realtime-2.1}
    gpt-realtime-2: {text: {input: 1, output: 2}, audio: {input: 3, cached_input: 0.3, output: 4}}
    by-time: {per_minute: 0.08}
server: {host: 0.0.0.0, port: 0, drain_timeout: 0s, max_call_age: 1.5m}
store: sqlite:/var/calls.db
routing: {default_country: DE, called_number: [X-Dialled], otherwise: {agent: desk}}
secrets: {TOKEN: {env: TOKEN}}
egress: {allow: ["*.maple.example"], private_networks: allow}
"""
    found = made_of(load(written(tmp_path, desk_yaml=AGENT, runner_yaml=runner))).settings
    assert found.provider.api_key == SecretRef(file="/run/secrets/key")
    assert found.provider.webhook_secrets == (SecretRef(env="NEW"), SecretRef(env="OLD"))
    assert (found.provider.base_url, found.provider.key_header) == ("https://eu.api.example/v1", "api-key")
    prices = found.provider.prices
    assert prices.of("deployment") == prices.of("gpt-realtime-2.1") == PRICES.of("gpt-realtime-2.1")
    assert prices.of("gpt-realtime-2") == Price(
        text_in=1, text_cached=1, text_out=2, audio_in=3, audio_cached=0.3, audio_out=4
    )
    assert prices.of("by-time") == Price(per_minute=0.08)
    server = found.server
    assert (server.host, server.port, server.drain_timeout_s, server.max_call_age_s) == ("0.0.0.0", 0, 0, 90)
    assert found.store == "sqlite:/var/calls.db"
    assert found.routing.default_country == "DE"
    assert found.routing.called_number == ("X-Dialled",)
    assert found.routing.otherwise == ToAgent(agent="desk")
    assert found.secrets == {"TOKEN": SecretRef(env="TOKEN")}
    assert found.egress.allow == ("*.maple.example",)
    assert found.egress.private_networks is True


def test_digits_reach_the_model_as_they_were_written(tmp_path: Path) -> None:
    found = agent(
        tmp_path,
        AGENT + "vars: {phone: +14155550123, code: 0123, day: 2026-11-27, at: 12:30, yes: no}\n"
        "routes: [{to: +18005551212}]\n"
        "session: {prompt: {id: 007, version: 2}}\n",
    )
    assert sources(found.vars) == {
        "phone": "+14155550123",
        "code": "0123",
        "day": "2026-11-27",
        "at": "12:30",
        "yes": "no",
    }
    assert found.routes[0].conditions.called == ExactNumber("+18005551212")
    assert found.session == {"prompt": {"id": "007", "version": "2"}}


@pytest.mark.parametrize(
    ("text", "greeting"),
    [
        ("", ModelOpens),
        ("greeting: Hello.", Say),
        ("greeting: 5", Say),
        ("greeting: {tell: Greet.}", Tell),
        ("greeting: {wait: true}", Wait),
    ],
)
def test_a_greeting_is_said_told_or_awaited(tmp_path: Path, text: str, greeting: type) -> None:
    assert isinstance(agent(tmp_path, AGENT + text).greeting, greeting)


def test_instructions_come_from_a_file_beside_the_agent(tmp_path: Path) -> None:
    written(tmp_path, sub__desk_yaml=AGENT.replace("You answer.", "{file: ../_prompts/desk.md}"))
    written(tmp_path, **{"_prompts__desk.md": "\ufeffYou answer.\r\nPolitely.\n"})
    found = load(tmp_path)
    assert made_of(found).agents["desk"].instructions.source == "You answer.\nPolitely.\n"
    assert str(tmp_path / "_prompts/desk.md") in found.sources


def test_defaults_lie_under_every_agent_mappings_merge_and_all_else_is_replaced(tmp_path: Path) -> None:
    runner = """
defaults:
  voice: marin
  vars: {clinic: Maple, city: Albany}
  limits: {max_duration: 10m}
  session: {reasoning: {effort: low}, audio: {output: {speed: 1.1}}, include: []}
"""
    text = AGENT + "vars: {city: Troy}\nsession: {audio: {input: {transcription: {language: en}}}}\n"
    found = agent(tmp_path, text, runner)
    assert found.voice == "marin"
    assert sources(found.vars) == {"clinic": "Maple", "city": "Troy"}
    assert found.limits.max_duration_s == 600
    assert found.session == {
        "reasoning": {"effort": "low"},
        "audio": {"output": {"speed": 1.1}, "input": {"transcription": {"language": "en"}}},
        "include": [],
    }


def test_a_list_in_an_agent_replaces_the_list_of_the_defaults(tmp_path: Path) -> None:
    runner = "defaults: {tools: [{name: a, static: 1}]}\n"
    assert [tool.name for tool in agent(tmp_path, AGENT, runner).tools] == ["a"]
    assert agent(tmp_path, AGENT + "tools: []\n", runner).tools == ()


def test_what_is_wrong_in_defaults_is_told_once_where_it_stands(tmp_path: Path) -> None:
    two = {"a_yaml": AGENT, "b_yaml": AGENT.replace("desk", "other")}
    loaded = load(written(tmp_path, **two, runner_yaml="defaults:\n  greeting: '{{ vars.x }}'\n"))
    assert [str(problem.place).removeprefix(f"{tmp_path}/") for problem in loaded.problems] == [
        "runner.yaml:2:17"
    ]


def test_a_key_of_the_defaults_keeps_its_place_beside_keys_of_the_agent(tmp_path: Path) -> None:
    text = AGENT + "session: {reasoning: {effort: low}}\n"
    loaded = load(
        written(tmp_path, desk_yaml=text, runner_yaml="defaults: {session: {reasoning: {efort: x}}}\n")
    )
    assert [str(problem.place).removeprefix(f"{tmp_path}/") for problem in loaded.problems] == [
        "runner.yaml:1:34"
    ]


def test_a_shared_tool_is_built_for_the_agent_that_names_it(tmp_path: Path) -> None:
    runner = "tools: {find: {http: {url: 'https://a.example/{{ vars.id }}'}}}\n"
    (tool,) = agent(tmp_path, AGENT + "vars: {id: 5}\ntools: [find]\n", runner).tools
    assert tool.name == "find"
    assert isinstance(tool.binding, HttpBinding)


def test_a_shared_tool_that_nobody_names_asks_for_no_variables(tmp_path: Path) -> None:
    agent(tmp_path, AGENT, "tools: {find: {http: {url: 'https://a.example/{{ vars.id }}'}}}\n")


def test_the_secrets_that_are_named_are_listed_with_their_places(tmp_path: Path) -> None:
    runner = "provider: {webhook_secrets: [{env: A}]}\nsecrets: {TOKEN: {file: b}}\n"
    secrets = load(written(tmp_path, desk_yaml=AGENT, runner_yaml=runner)).secrets
    assert [(secret.ref, str(secret.place)) for secret in secrets] == [
        (SecretRef(env="A"), f"{tmp_path}/runner.yaml:1:30"),
        (SecretRef(file="b"), f"{tmp_path}/runner.yaml:2:18"),
    ]


def test_the_environment_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, desk_yaml=AGENT, runner_yaml="secrets: {TOKEN: {env: TOKEN}}\n")
    monkeypatch.delenv("TOKEN", raising=False)
    without = load(tmp_path)
    monkeypatch.setenv("TOKEN", "word")
    assert load(tmp_path) == without
    assert without.problems == ()


def test_files_and_folders_are_read_by_their_names(tmp_path: Path) -> None:
    loaded = load(
        written(
            tmp_path,
            **{
                "a_yaml": AGENT.replace("desk", "a"),
                "b.yml": AGENT.replace("desk", "b"),
                "sub__deep__c_yaml": AGENT.replace("desk", "c"),
                "_hidden_yaml": "[",
                ".hidden_yaml": "[",
                "_drafts__d_yaml": "[",
                ".git__e_yaml": "[",
                "notes.txt": "[",
                "a_yaml.orig": "[",
            },
        )
    )
    assert loaded.problems == ()
    assert list(made_of(loaded).agents) == ["a", "b", "c"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Neither as configuration nor for what names it: holes take no room on the disk, but in memory."""
    written(tmp_path, desk_yaml=AGENT.replace("You answer.", "{file: _p.md}"))
    for name in ("_p.md", "z.yaml"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 34)
    assert messages(load(tmp_path)) == [
        'desk.yaml: "_p.md" is larger than 32 MiB',
        "z.yaml: this file is larger than 32 MiB",
    ]


def test_a_folder_behind_a_link_is_read_under_the_links_name(tmp_path: Path) -> None:
    written(tmp_path, _shared__desk_yaml=AGENT)
    (tmp_path / "linked").symlink_to("_shared")
    assert [Path(name).parts[-2:] for name in load(tmp_path).sources] == [("linked", "desk.yaml")]


def test_a_directory_that_is_mounted_as_links_to_a_folder_of_its_own_is_read(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap."""
    written(tmp_path, **{"real__..2026__desk_yaml": AGENT})
    (tmp_path / "real" / "..data").symlink_to("..2026")
    (tmp_path / "real" / "desk.yaml").symlink_to("..data/desk.yaml")
    (tmp_path / "agents").symlink_to("real")
    assert [*made_of(load(tmp_path / "agents")).agents] == ["desk"]


@pytest.mark.parametrize(
    ("link", "target", "named"),
    [
        ("agents", "{}/elsewhere", "agents"),
        ("agents", "../elsewhere", "./agents"),
        ("a", "..", "a/elsewhere"),
    ],
)
def test_a_directory_that_leads_out_of_the_working_directory_by_a_link_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, target: str, named: str
) -> None:
    """In a pipeline a pull request could lead it to any folder of the machine."""
    written(tmp_path, elsewhere__desk_yaml=AGENT, here__note_md="")
    monkeypatch.chdir(tmp_path / "here")
    Path(link).symlink_to(target.format(tmp_path))
    for unsaved in ({}, {f"{Path(named)}/desk.yaml": AGENT.encode()}):
        with pytest.raises(CannotRunError) as refused:
            load(Path(named), None, unsaved)
        assert str(refused.value) == (
            f'"{Path(named)}" leads out of the working directory; name what it leads to,'
            f' "{(tmp_path / "elsewhere").resolve()}"'
        )
    for elsewhere in (tmp_path / "elsewhere", Path("../elsewhere"), tmp_path / "here" / named):
        assert [*made_of(load(elsewhere)).agents] == ["desk"]


@pytest.mark.parametrize("named", ["agents", "releases/current", "."])
def test_a_directory_that_is_a_link_within_the_working_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    written(tmp_path, releases__42__desk_yaml=AGENT)
    (tmp_path / "agents").symlink_to("releases/current")
    (tmp_path / "releases" / "current").symlink_to(tmp_path / "releases" / "42")
    monkeypatch.chdir(tmp_path if named != "." else tmp_path / "agents")
    assert [*made_of(load(Path(named))).agents] == ["desk"]


def test_a_link_that_may_not_be_followed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /proc/1/cwd, whose target only root may know."""

    def readlink(path: str) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    (tmp_path / "agents").symlink_to("real")
    name = f"{tmp_path}/agents/desk.yaml"
    with monkeypatch.context() as patch:
        patch.setattr(os, "readlink", readlink)
        loaded = load(tmp_path / "agents", None, {name: b"agent: Desk"}, only_unsaved=True)
    assert {problem.place.file for problem in loaded.problems} == {name}


def test_a_directory_that_is_not_there_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    for name, hint in (
        ("none", ""),
        ("call", '; did you mean "calls"?'),
        ("agents", f'; "phone-agents init {tmp_path}" writes one with a working agent'),
        ("none/none", ""),
    ):
        with pytest.raises(CannotRunError) as error:
            load(tmp_path / name)
        assert str(error.value) == f'there is no directory "{tmp_path}/{name}"{hint}'


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    written(tmp_path, desk_yaml=AGENT)
    with pytest.raises(CannotRunError) as error:
        load(tmp_path / "desk.yaml")
    assert str(error.value) == f'"{tmp_path}/desk.yaml" is a file; name the directory that holds it'


def test_with_errors_there_is_no_configuration_and_with_warnings_there_is(tmp_path: Path) -> None:
    assert load(written(tmp_path, desk_yaml=AGENT + "voise: x\n")).configuration is None
    loaded = load(written(tmp_path, desk_yaml=AGENT + "limits: {max_duration: 2h}\n"))
    assert len(loaded.problems) == 1
    assert loaded.configuration is not None


def test_keys_that_cannot_be_combined_hide_no_mistake_beside_them(tmp_path: Path) -> None:
    tools = """
tools:
  - mcp: {server_label: crm, server_url: "ftp://crm.example", headers: {X: "{{ secrets.ONE }}"}}
  - mcp: {server_label: erp, headers: {X: "{{ secrets.TWO }}"}, requir: x}
  - name: find
    description: Find.
    http: {url: "https://a.example/", auth: {bearer: "{{ secrets.THREE }}", basic: {username: x}}}
  - name: look_up
    description: Look up.
    http: {url: "https://a.example/"}
    static: 1
    when: vars.four
"""
    declared = '"secrets" in runner.yaml declares no "{0}"; write {0}: {{env: {0}}} there'.format
    told = [
        message.removeprefix("desk.yaml: ")
        for message in messages(load(written(tmp_path, desk_yaml=AGENT + tools)))
    ]
    assert {declared("ONE"), declared("TWO"), declared("THREE")} < {*told}
    assert '"vars.four" is always null; declare "four" under "vars"' in told
    assert "an MCP server needs one of server_url, connector_id, tunnel_id" in told
    assert len(told) == 9, "with what is wrong itself"


def test_a_broken_file_hides_no_problem_of_another_and_causes_none(tmp_path: Path) -> None:
    loaded = load(
        written(
            tmp_path,
            desk_yaml=AGENT + "voise: x\n",
            night_yaml='agent: "night"\nmodel: [\n',
            runner_yaml="routing: {otherwise: {agent: night}}\n",
        )
    )
    assert messages(loaded) == [
        'desk.yaml: unknown key "voise"; did you mean "voice"?',
        'night.yaml: this "[" is never closed',
    ]


def test_without_otherwise_a_call_that_nobody_takes_is_rejected_with_404(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, desk_yaml=AGENT))
    assert made_of(loaded).settings.routing.otherwise == Reject(status=404)


def test_the_examples_load() -> None:
    loaded = load(AGENTS)
    assert loaded.configuration is not None, loaded.problems
    assert len(loaded.configuration.agents) >= 3


KEYS = [
    *(
        "agent",
        "model",
        "instructions",
        "routes",
        "to",
        "from",
        "tools",
        "name",
        "http",
        "url",
        "json",
        "greeting",
    ),
    *(
        "session",
        "vars",
        "limits",
        "defaults",
        "max_duration",
        "file",
        "in",
        "transfer",
        "destinations",
        "hangup",
    ),
    *("static", "result", "select", "headers", "share", "during", "secrets", "env", "provider", "base_url"),
]
MARKS = [*"+1:-[]{}|>&*#!~'\"\n\t", "\n  ", "{{", "}}", "5s", "desk", "null", "true", "0x1F", "1.5"]
WORDS = st.sampled_from([*KEYS, *MARKS])
TEXTS = st.lists(WORDS, max_size=30).map(" ".join) | st.binary(max_size=200)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(desk=TEXTS, runner=TEXTS)
def test_no_content_of_files_raises(tmp_path: Path, desk: bytes | str, runner: bytes | str) -> None:
    for name, text in (("desk.yaml", desk), ("runner.yaml", runner)):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    loaded = load(tmp_path)
    assert (loaded.configuration is None) == any(
        problem.severity.value == "error" for problem in loaded.problems
    )
    assert all(problem.place.file.startswith(str(tmp_path)) for problem in loaded.problems)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(broken_agents())
def test_no_document_raises(tmp_path: Path, document: dict[str, Any]) -> None:
    (tmp_path / "desk.yaml").write_text(json.dumps(document))
    loaded = load(tmp_path)
    assert (loaded.configuration is None) == any(
        problem.severity is Severity.ERROR for problem in loaded.problems
    )


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("https://api.openai.com/v1", ['desk.yaml: the API has no model "desk-voice"; write one such as']),
        ("https://maple.openai.azure.com/openai/v1", []),
    ],
)
def test_models_elsewhere_have_the_names_that_somebody_gave_them(
    tmp_path: Path, base_url: str, told: list[str]
) -> None:
    files = {
        "desk_yaml": AGENT.replace("gpt-realtime-2.1", "desk-voice"),
        "runner_yaml": f"provider: {{base_url: {base_url}}}\n",
    }
    found = messages(load(written(tmp_path, **files)))
    assert [message.partition(' "gpt-realtime-2.1"')[0] for message in found] == told
