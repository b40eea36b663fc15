"""The rules of problems, each with its pass and its help text."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Pass(Enum):
    """A step of the check, in the order in which they build upon each other."""

    SYNTAX = "syntax"
    """Is it YAML, and a file of a kind that there is?"""
    SCHEMA = "schema"
    """Does each file keep to its schema?"""
    REFERENCES = "references"
    """Does what is named exist, and is what exists used?"""
    TEMPLATES = "templates"
    """Can each template be read, and does it name what there is?"""
    ROUTING = "routing"
    """Does each call find one agent, and each agent calls?"""
    ENVIRONMENT = "environment"
    """Is there, on this machine, what the files rely on?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRule:
    """One rule. `help` is for people who see its name for the first time."""

    step: Pass
    help: str


def _rules(step: Pass, helps: Mapping[str, str]) -> dict[str, ProblemRule]:
    return {name: ProblemRule(step=step, help=text) for name, text in helps.items()}


RULES: Mapping[str, ProblemRule] = {
    **_rules(
        Pass.SYNTAX,
        {
            "duplicate-key": "A mapping has each key only once: YAML would silently keep only one of "
            "the values.",
            "file": "Files that the configuration refers to exist, are inside its directory and are UTF-8.",
            "file-kind": "Every YAML file is an agent, runner.yaml or scenarios (*.test.yaml); the names of "
            'others begin with "_".',
            "yaml-syntax": "Files are YAML 1.2 in UTF-8: one document each, spaces for indentation, no tags "
            "and no merge keys.",
        },
    ),
    **_rules(
        Pass.SCHEMA,
        {
            "body": "A request has a body only if its method allows one: not with GET, and "
            "always when it delivers a record.",
            "cut-text": "A text is not cut off by a #, which outside of quotes begins a comment.",
            "date": "Dates exist in the calendar, and are written as 2026-12-25.",
            "destination": "A transfer goes to a tel: number in E.164 format or to a sip: address.",
            "egress": "Requests go to public addresses, or to private ones that egress.allow lists.",
            "fixed-text": "A text that is not a template contains no expressions.",
            "hours": "Opening hours have each day once, and do not end when they begin.",
            "jmespath": "An expression that selects from a reply is valid JMESPath.",
            "large-parameters": "The parameters of an operation are small, since the model reads them in "
            "every turn.",
            "literal-secret": "Secrets are declared in runner.yaml and used in templates, never written out.",
            "long-description": "The description of a tool is short, since the model reads it in every turn.",
            "long-ringing": "A lookup is quick, since the caller waits for it before the call is answered.",
            "longer-than-silence": "A tool that may take longer than the silence limit has a while_waiting "
            "sentence.",
            "mcp-approval": "Tools of MCP servers need no approval, which nobody could give during a call.",
            "missing-default": "An agent, or the defaults of runner.yaml, has the keys that it needs.",
            "missing-key": "A mapping has all required keys.",
            "model-shutdown": "A model with an announced shutdown is replaced before that day.",
            "never-reached": "A declared time can be reached within the time of what contains it.",
            "no-transcription": "A guardrail on the caller's words has the transcription that it needs.",
            "never-fails": "An expectation of a scenario can fail.",
            "no-expectation": "A scenario has an expectation: without one it could never fail.",
            "not-idempotent": "A request that may have been carried out is retried only if that is safe.",
            "not-supported": "Parts of the language that this version does not support yet are not used.",
            "number": "A telephone number is valid, either with + and country code or in the "
            "default country.",
            "one-of": "If exactly one of several keys is required, there is exactly one.",
            "openapi": "An operation can be expressed as a request with JSON, a form or plain text.",
            "openapi-auth": "The entry's auth has the authentication that an operation requires.",
            "parameters": "The parameters of a tool are a JSON Schema (2020-12) of an object.",
            "refused-key": "A key is used only where it has an effect.",
            "regex": "Patterns are in RE2 syntax, and can match something.",
            "reply-kind": "A scenario has the right kind of reply for each tool.",
            "reserved-header": "Headers that the runner adds to every request are not declared.",
            "same-port": "The admin API has its own port, since that of webhooks is public.",
            "schema": "The schema of an outcome is a JSON Schema (2020-12) of an object.",
            "select-example": "An expression that selects from a reply matches something in its example.",
            "silent-agent": "The agent detects the end of the caller's turn, and responds with audio.",
            "sign": "The key that signs a request consists of secrets only.",
            "type": "A value has the type that its key requires.",
            "unknown-country": "Countries are ISO 3166-1 codes of countries with telephone numbers.",
            "unknown-model": "A model exists at the API and is suitable for its use.",
            "unknown-voice": "A voice exists at the API, or is a custom voice of the project.",
            "unknown-key": "Every key is known: a mistyped one would be silently ignored.",
            "unknown-price": "With a cost limit, the price of the model is known.",
            "unknown-timezone": "Time zones are those of the IANA database, such as America/New_York.",
            "url": "The host and the structure of a URL's path are written out; expressions "
            "only fill in values.",
            "value": "A value is allowed for its key.",
        },
    ),
    **_rules(
        Pass.REFERENCES,
        {
            "duplicate-agent": "An agent's id is unique in the directory.",
            "duplicate-scenario": "A scenario's name is unique in the file.",
            "duplicate-tool": "The names of an agent's tools are unique.",
            "hand-off": "A hand-off goes to another agent with the same model.",
            "no-agent": "A configuration has at least one agent.",
            "unknown-agent": "An agent that is referred to exists in the directory.",
            "unknown-host": "Every host that an environment replaces is used by some request.",
            "unknown-operation": "An operation that is referred to exists in the OpenAPI document.",
            "unknown-environment": "An environment that is referred to exists in runner.yaml.",
            "unknown-schedule": "A schedule that is referred to exists in runner.yaml.",
            "unknown-tool": "A tool that is referred to exists in runner.yaml.",
            "unknown-variable": "A variable that an environment changes, or a token brings, is an agent's.",
            "unused-argument": "An argument that a tool requires from the model is used in its request.",
            "unused-reply": "A reply that a scenario declares is used by one of its steps.",
            "unused-schedule": "A schedule of runner.yaml is used by some route.",
            "unused-secret": "A secret of runner.yaml is used in some template.",
            "unused-tool": "A tool of runner.yaml is used by some agent.",
        },
    ),
    **_rules(
        Pass.TEMPLATES,
        {
            "secret-exposed": "A secret is used only where neither the model nor the caller can read it.",
            "template-fails": "Every template can be rendered: for a usual caller, for an anonymous "
            "one, and if the lookup fails.",
            "template-syntax": "Templates are Jinja expressions, with if, for and set.",
            "unknown-argument": "An argument that is used is declared in the tool's parameters.",
            "unknown-name": "A name in a template can exist there.",
            "unknown-secret": "A secret that is used is declared in runner.yaml.",
        },
    ),
    **_rules(
        Pass.ROUTING,
        {
            "browser-calls": "An agent for browsers needs nothing that exists only in telephone calls,"
            " and runner.yaml allows calls from browsers.",
            "busy-circle": "The busy settings of agents do not form a circle.",
            "default-country": "A number without a country code can be read, because "
            "routing.default_country is set.",
            "never-wins": "Every route wins for some call: none is covered by others.",
            "route-tie": "For every call, one route wins by priority or because it is the most specific.",
            "unreached-agent": "An agent is reached by a route, a hand-off, busy or otherwise.",
        },
    ),
    **_rules(
        Pass.ENVIRONMENT,
        {"secret-missing": "The variables and files that hold secrets are there when the runner starts."},
    ),
}
"""Every rule by its name."""


def pass_of(rule: str) -> Pass:
    """The pass that a rule belongs to."""
    return RULES[rule].step
