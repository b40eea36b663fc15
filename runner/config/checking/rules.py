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
class Rule:
    """One rule. `help` is for people who see its name for the first time."""

    step: Pass
    help: str


def _rules(step: Pass, helps: Mapping[str, str]) -> dict[str, Rule]:
    return {name: Rule(step=step, help=text) for name, text in helps.items()}


RULES: Mapping[str, Rule] = {
    **_rules(
        Pass.SYNTAX,
        {
            "duplicate-key": "A key is in a mapping once: YAML would silently keep one of the values.",
            "file": "Files that the configuration names exist, lie inside of its directory and are UTF-8.",
            "file-kind": "Every YAML file is an agent, runner.yaml or scenarios (*.test.yaml); anything else "
            'begins with "_".',
            "yaml-syntax": "Files are YAML 1.2 in UTF-8: one document each, spaces for indentation, no tags "
            "and no merge keys.",
        },
    ),
    **_rules(
        Pass.SCHEMA,
        {
            "body": "A request carries a body where its method has one: not with GET, and always "
            "with a record.",
            "cut-text": "A text is whole: what follows a # that is not in quotes is a comment.",
            "date": "Dates are days of the calendar, written 2026-12-25.",
            "destination": "A transfer goes to a tel: number in E.164 or to a sip: address.",
            "egress": "Requests go to public addresses, and to private ones that egress.allow names.",
            "fixed-text": "A text that cannot be a template holds no expressions.",
            "hours": "Opening hours name each day once, and do not end when they begin.",
            "jmespath": "An expression that selects from a reply is JMESPath.",
            "large-parameters": "The parameters of a tool are read again in every turn: they are few.",
            "literal-secret": "Secrets are declared in runner.yaml and named in templates, never written "
            "out.",
            "long-description": "The description of a tool is read again in every turn: it is short.",
            "long-ringing": "A lookup keeps the caller waiting before the call is answered: it is quick.",
            "longer-than-silence": "A tool that may take longer than the silence limit has a sentence "
            "for the wait.",
            "mcp-approval": "Tools of MCP servers need no approval: on the telephone nobody gives it.",
            "missing-default": "An agent, or the defaults of runner.yaml, has the keys that it needs.",
            "missing-key": "A mapping has the keys that it cannot do without.",
            "model-shutdown": "A model whose shutdown is announced is replaced before that day.",
            "never-reached": "A declared time can be reached: it is within the time of what surrounds it.",
            "no-transcription": "A guardrail on what the caller says needs the transcription of the input.",
            "never-fails": "An expectation of a scenario says something that may turn out otherwise.",
            "no-expectation": "A scenario expects something: else it could never fail.",
            "not-idempotent": "A request that may have been carried out is tried again only where it does no "
            "harm.",
            "not-supported": "Parts of the language that this version does not know yet are refused.",
            "number": "A telephone number is valid: with + and country code, or in the default country.",
            "one-of": "Where exactly one of several keys is required, there is one.",
            "openapi": "An operation can be expressed as a request with JSON, a form or plain text.",
            "openapi-auth": "An operation that needs authentication has it in the entry's auth.",
            "parameters": "The arguments of a tool are described by a JSON Schema (2020-12) of one object.",
            "refused-key": "A key is used only where it has an effect.",
            "regex": "Patterns are in RE2 syntax, and can match something.",
            "reply-kind": "A scenario answers each tool with a reply of its kind.",
            "reserved-header": "Headers that are made for every request are not declared.",
            "same-port": "The admin API has a port of its own: that of webhooks is public.",
            "schema": "The form of an outcome is a JSON Schema (2020-12) of one object.",
            "select-example": "An expression that selects from a reply finds something in its example.",
            "silent-agent": "The agent hears when the caller has finished, and answers aloud.",
            "sign": "The key that signs a request is made of secrets only.",
            "type": "A value has the type that its key requires.",
            "unknown-country": "Countries are ISO 3166-1 codes that telephone numbers belong to.",
            "unknown-model": "A model is one that the API has, and can do what it is used for.",
            "unknown-voice": "A voice is one that the API has, or a custom voice of the project.",
            "unknown-key": "Every key is one of the language: a mistyped one would be ignored in silence.",
            "unknown-price": "A limit of cost needs a model whose price is known.",
            "unknown-timezone": "Time zones are those of the IANA database, such as America/New_York.",
            "url": "The host and the path of a URL are written out; expressions fill what is between.",
            "value": "A value is one of those that its key takes.",
        },
    ),
    **_rules(
        Pass.REFERENCES,
        {
            "duplicate-agent": "An agent's id is its own in the directory.",
            "duplicate-scenario": "A scenario's name is its own in the file.",
            "duplicate-tool": "The tools of an agent have names of their own.",
            "hand-off": "A hand-off goes to another agent, with the same model.",
            "no-agent": "A configuration has at least one agent.",
            "unknown-agent": "An agent that is named is in the directory.",
            "unknown-host": "Some request goes to each host that an environment replaces.",
            "unknown-operation": "An operation that is named is in the OpenAPI document.",
            "unknown-environment": "An environment that is named is in runner.yaml.",
            "unknown-schedule": "A schedule that is named is in runner.yaml.",
            "unknown-tool": "A tool that is named is in runner.yaml.",
            "unknown-variable": "A variable that an environment changes, or a token brings, is an agent's.",
            "unused-argument": "An argument that a tool asks the model for is used by its request.",
            "unused-reply": "A reply that a scenario declares is used by one of its steps.",
            "unused-schedule": "A schedule of runner.yaml is used by some route.",
            "unused-secret": "A secret of runner.yaml is named by some template.",
            "unused-tool": "A tool of runner.yaml is one of some agent's.",
        },
    ),
    **_rules(
        Pass.TEMPLATES,
        {
            "secret-exposed": "A secret is named only where neither the model nor the caller can read it.",
            "template-fails": "Each template can be rendered: for a usual caller, for one who withholds the "
            "number, and without an answer of the lookup.",
            "template-syntax": "Templates are Jinja expressions, with if, for and set.",
            "unknown-argument": "An argument that is named is declared by the tool's parameters.",
            "unknown-name": "A name in a template is one that can exist there.",
            "unknown-secret": "A secret that is named is declared in runner.yaml.",
        },
    ),
    **_rules(
        Pass.ROUTING,
        {
            "browser-calls": "An agent that browsers may call needs nothing that only telephones have, and "
            "runner.yaml lets browsers call.",
            "busy-circle": "Calls that find an agent busy do not go round in a circle.",
            "default-country": "A number without a country code needs routing.default_country.",
            "never-wins": "A route wins for some call: no other one covers it.",
            "route-tie": "For every call one route wins by priority or by being more specific.",
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
