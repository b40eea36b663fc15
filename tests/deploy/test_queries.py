"""Alerts and panels ask for metrics and labels that there are, and each alert is explained and tested."""

import re

import pytest

from tests.deploy.queries import RULES, alerts, grouped_by, metrics_of, panels, queries
from tests.docs.metrics_table import labels, metric_names, metrics
from tests.docs.pages import read, rows

TARGETS = {"instance", "job"}
"""Labels that Prometheus adds."""


def labels_of(name: str) -> set[str]:
    """The labels that a series of this name has."""
    if not name.startswith("phone_agents_"):
        return TARGETS
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return {*labels(metrics()[base]), *TARGETS, *({"le"} if name.endswith("_bucket") else ())}


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_a_query_asks_for_metrics_and_labels_that_there_are(place: str, query: str) -> None:
    asked = metrics_of(query)
    assert asked
    assert {name for name in asked if name.startswith("phone_agents_")} <= metric_names()
    assert {name: found - labels_of(name) for name, found in asked.items()} == {name: set() for name in asked}
    assert grouped_by(query) <= set.union(*map(labels_of, asked))


def test_every_alert_is_explained() -> None:
    told = [cells[0].strip("`") for cells in rows(read("docs/operating.md").section("When an alert fires"))]
    assert told == list(alerts())


def test_every_alert_is_tested_and_asks_for_a_hand_now_or_within_the_day() -> None:
    tested = (RULES.parent / "phone-agents.test.yaml").read_text()
    assert [name for name in alerts() if f'alertname="{name}"' not in tested] == []
    assert {rule["labels"]["severity"] for rule in alerts().values()} == {"page", "ticket"}


def test_every_metric_is_on_the_dashboard_or_behind_an_alert() -> None:
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name) for _, query in queries() for name in metrics_of(query)
    }
    seldom = {
        "phone_agents_build_info",
        "phone_agents_configuration_last_reload_success_timestamp_seconds",
        "phone_agents_journal_behind_bytes",
        "phone_agents_journal_writes_total",
        "phone_agents_store_failures_total",
    }
    assert set(metrics()) - asked <= seldom


def test_panels_lie_beside_each_other_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in [place["y"]]}
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"])
