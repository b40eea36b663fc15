"""Every PromQL expression that deploy/ holds, and what it asks for."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.docs.pages import ROOT

RULES = ROOT / "deploy/prometheus/phone-agents.rules.yaml"
DASHBOARD = ROOT / "deploy/grafana/phone-agents.json"
VARIABLES = {"$__rate_interval": "1m", "$agent": ".*"}

_SELECTOR = re.compile(r"\b((?:phone_agents|process)_\w+|up)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)\s*(?:=|!=|=~|!~)\s*"')
_GROUP = re.compile(r"\b(?:by|without) \(([^)]*)\)")


def alerts() -> dict[str, dict[str, Any]]:
    """The alerting rules by their names."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that show something."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Where each query stands, and the query with the dashboard's variables put in."""
    for name, rule in alerts().items():
        yield name, rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", _put_in(target["expr"])
    for annotation in json.loads(DASHBOARD.read_text())["annotations"]["list"]:
        yield annotation["name"], _put_in(annotation["expr"])


def metrics_of(query: str) -> dict[str, set[str]]:
    """The metrics that a query selects, each with the labels that it selects by."""
    found: dict[str, set[str]] = {}
    for name, selected in _SELECTOR.findall(query):
        found.setdefault(name, set()).update(_LABEL.findall(selected))
    return found


def grouped_by(query: str) -> set[str]:
    """The labels that a query keeps apart."""
    return {label.strip() for group in _GROUP.findall(query) for label in group.split(",")}


def _put_in(query: str) -> str:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query
