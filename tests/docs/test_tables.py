"""The tables of the reference say what the code says, and nothing else."""

import re
from collections.abc import Iterator
from enum import Enum

import pytest

from runner.call.machine.phase import Phase
from runner.call.machine.steering import phases_for
from runner.cli.main import CANNOT, COMMANDS, OK, PROBLEMS, USAGE
from runner.config.checking.schema_files import schema
from runner.model.conversation_event import Outcome
from runner.model.event import Limit
from runner.model.job import JobKind, JobState
from runner.model.record import ENDS
from runner.model.steering import ACTS
from runner.serve.listener import ClosedBecause
from tests.docs import bounds, ends, log_calls
from tests.docs.command_tables import actions, parser
from tests.docs.generated import MARKER, links_to_tables
from tests.docs.metrics_table import labels, metric_names, metrics
from tests.docs.pages import Page, all_pages, read, rows
from tests.docs.schema_tables import every_property, keys

# The language.


def test_every_key_of_the_language_is_in_a_table() -> None:
    told = {
        key.property
        for page in all_pages()
        for place in MARKER.findall(page.text)
        for key in keys(" ".join(place).strip(), links_to_tables(page))
    }
    # The keys of these are those of other tables, as the next tests hold.
    elsewhere = ("defaults", "environment", "unexpectedStart", "unexpectedStep", "sharedTool")
    missing = {
        path
        for path, found in every_property()
        if found not in told and not any(f"$defs/{name}/" in path for name in elsewhere)
    }
    assert missing == set()


def properties(kind: str, definition: str = "") -> set[str]:
    """The keys of a mapping of the language."""
    whole = schema(kind)
    return set((whole["$defs"][definition] if definition else whole)["properties"])


def test_defaults_take_the_keys_of_an_agent_but_those_that_are_its_own() -> None:
    own = {"agent", "description", "routes", "instructions"}
    assert properties("runner", "defaults") == properties("agent") - own


def test_an_environment_takes_the_keys_of_runner_yaml_variables_and_hosts() -> None:
    expected = properties("runner") - {"environments"} | {"vars", "hosts"}
    assert properties("runner", "environment") == expected


@pytest.mark.parametrize("when", ["Start", "Step"])
def test_what_must_not_hold_takes_the_keys_of_what_must(when: str) -> None:
    assert properties("test", f"unexpected{when}") == properties("test", f"expect{when}") - {"not"}


# Commands.


def test_every_command_has_a_section_with_its_options() -> None:
    page = read("docs/commands.md")
    assert [heading for _, heading in page.headings() if heading in COMMANDS] == list(COMMANDS)
    for command in COMMANDS:
        section = page.section(command)
        for name in (command, *(f"{command} {action}" for action in actions(parser(command)))):
            assert f"<!-- generated: options {name} -->" in section


def test_the_table_names_every_exit_code() -> None:
    codes = [cells[0] for cells in rows(read("docs/commands.md").section("Exit codes"))]
    assert codes == [str(code) for code in (OK, PROBLEMS, USAGE, CANNOT)]


# The log.


def logged() -> Iterator[tuple[str, set[str], set[str]]]:
    """Every event that the page tells of: its name, its levels, its fields."""
    for name, levels, fields, meaning in rows(read("docs/log-events.md").text):
        assert meaning.endswith((".", "?")), name
        yield name.strip("`"), set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields))


def test_the_page_tells_of_every_event_of_the_log_and_of_no_other() -> None:
    assert sorted(name for name, _, _ in logged()) == sorted(log_calls.events())


def test_the_page_tells_the_levels_and_the_fields_of_every_event() -> None:
    events = log_calls.events()
    wrong = []
    for name, levels, fields in logged():
        event = events[name]
        if event.levels and event.levels != levels:
            wrong.append(f"{name}: {sorted(event.levels)}")
        if event.fields != fields:
            wrong.append(f"{name}: {sorted(event.fields)}")
    assert wrong == []


# How calls end.


def told(page: str, heading: str) -> list[str]:
    """What the first column of a section's tables names."""
    return [cells[0].strip("`") for cells in rows(read(page).section(heading))]


def test_the_page_tells_of_every_reason_for_an_end_and_of_no_other() -> None:
    assert sorted(told("docs/ends.md", "Reasons for an end")) == sorted(ends.reasons()) == sorted(ENDS)


def test_the_page_tells_of_every_result_of_a_webhook_and_of_no_other() -> None:
    assert sorted(told("docs/ends.md", "Results of a webhook")) == sorted(ends.webhook_results())


def values(kind: type[Enum]) -> set[str]:
    """The values of an enum."""
    return {member.value for member in kind}


# Operating.


def test_every_bound_has_the_value_that_the_code_has() -> None:
    wrong = []
    for what, shown, name in rows(read("docs/operating.md").section("Bounds")):
        expected = bounds.value(name.strip("`"))
        if not re.fullmatch(
            rf"{re.escape(expected)}( characters| steps| for 2 descriptors)?", with_unit(shown)
        ):
            wrong.append(f"{what}: {expected}")
    assert wrong == []


def with_unit(shown: str) -> str:
    """A value as it stands in the table, with its unit."""
    return shown.replace("1 for 2 descriptors", "2 for 2 descriptors")


def test_every_number_of_the_serving_side_is_in_the_table_or_has_a_reason_not_to_be() -> None:
    named = {cells[2].strip("`") for cells in rows(read("docs/operating.md").section("Bounds"))}
    unseen = [name for names in bounds.UNSEEN.values() for name in names]
    assert sorted(set(bounds.of_serving()) - named) == sorted(unseen)


# Steering.


def test_the_table_of_acts_says_what_the_table_of_the_machine_does() -> None:
    told = {
        cells[0].strip("`"): cells[3]
        for cells in rows(read("docs/admin.md").section("When they are possible"))
    }
    assert told.keys() == ACTS.keys()
    phases = {name: phases_for(kind.__new__(kind)) for name, kind in ACTS.items()}
    refused = {name for name, fitting in phases.items() if Phase.SAYING_GOODBYE not in fitting}
    assert {name for name, way_out in told.items() if way_out == "refused"} == refused
    assert {name for name, fitting in phases.items() if Phase.REFERRED not in fitting} == refused


# Metrics.


def test_every_label_of_every_metric_is_told_with_its_values() -> None:
    known = {(name, label) for name, metric in metrics().items() for label in labels(metric)}
    told_labels = {
        (name, label.strip("`"))
        for names, label, _ in rows(read("docs/metrics.md").section("Values of labels"))
        for name in re.findall(r"phone_agents_\w+", names)
    }
    assert told_labels == known


@pytest.mark.parametrize(
    ("metric", "label", "kind"),
    [
        ("phone_agents_busy_total", "limit", Limit),
        ("phone_agents_http_connections_closed_total", "reason", ClosedBecause),
        ("phone_agents_job_attempts_total", "kind", JobKind),
        ("phone_agents_jobs", "state", JobState),
        ("phone_agents_responses_total", "outcome", Outcome),
    ],
)
def test_the_values_of_a_label_are_those_of_the_code(metric: str, label: str, kind: type[Enum]) -> None:
    (shown,) = (
        cells[2]
        for cells in rows(read("docs/metrics.md").section("Values of labels"))
        if metric in cells[0] and cells[1] == f"`{label}`"
    )
    assert set(re.findall(r"`(\w+)`", shown)) == values(kind)


def test_the_queries_name_values_that_there_are() -> None:
    queries = [cells[0] for cells in rows(read("docs/metrics.md").section("What to watch"))]
    asked = [
        (label, set(found.split("|")))
        for query in queries
        for label, found in re.findall(r'(\w+)=~?"(.+?)"', query)
    ]
    known = {
        "result": ends.webhook_results(),
        "ended": ends.reasons(),
        "state": values(JobState),
        "status": {"ok", "error", "refused", "unfinished", "completed", "not_completed"},
    }
    assert [(label, found) for label, found in asked if not found <= known[label]] == []


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_a_page_names_metrics_that_there_are(page: Page) -> None:
    assert set(re.findall(r"\bphone_agents_\w+", page.text)) <= metric_names()
