"""`phone-agents doctor`: how findings are printed, and the exit code. What it finds: tests/doctor."""

import io
import json
from pathlib import Path

import pytest

from runner.cli.doctor import show, summary
from runner.cli.main import PROBLEMS, main
from runner.cli.terminal import Terminal
from runner.doctor import store
from runner.doctor.finding import Finding, Topic

OK_KEY = Topic("api key").ok("api.openai.com accepts it")
NO_STORE = Topic("store").error(
    "postgresql://db.maple.example/calls refuses connections; it did so just now, and at every address",
    "is the server up, and are host and port right? Is there a firewall?",
)
SOON = Topic("a-very-long-host-name.eu-central-1.maple.example").warning("ends in 2 days", "renew it")


def printed(finding: Finding, columns: int) -> str:
    stream = io.StringIO()
    show(finding, Terminal(stream, has_colour=False), columns)
    return stream.getvalue()


def test_findings_stand_below_each_other() -> None:
    assert "".join(printed(finding, 80) for finding in (OK_KEY, NO_STORE, SOON)) == (
        "ok       api key         api.openai.com accepts it\n"
        "error    store           postgresql://db.maple.example/calls refuses\n"
        "                         connections; it did so just now, and at every address\n"
        "                         → is the server up, and are host and port right? Is\n"
        "                           there a firewall?\n"
        "warning  a-very-long-host-name.eu-ce…  ends in 2 days\n"
        "                         → renew it\n"
    )


def test_on_a_wide_terminal_they_are_one_line() -> None:
    assert printed(NO_STORE, 140).count("\n") == 2


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    assert "\\x1b[2J" in printed(Topic("api key").error("refused: \x1b[2J", "x"), 80)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([OK_KEY], "nothing is wrong"),
        ([OK_KEY, SOON], "1 warning"),
        ([NO_STORE, SOON, NO_STORE], "2 errors and 1 warning"),
    ],
)
def test_the_last_line_counts(findings: list[Finding], expected: str) -> None:
    assert summary(findings) == expected


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent whose API is nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "LEAST_FREE_BYTES", 0)  # whatever room this machine has
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_bm90IGEgc2VjcmV0LCBub3QgYXQgYWxs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "desk.yaml").write_text(
        'agent: desk\nroutes: [{to: "+18005551212"}]\nmodel: gpt-realtime-2.1\ninstructions: Be kind.\n'
    )
    (folder / "runner.yaml").write_text("server: {port: 0}\n")
    return folder


def test_an_error_is_told_and_makes_it_fail(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == PROBLEMS
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:2] == [
        "error    voice API       http://127.0.0.1:1/v1: 127.0.0.1 port 1 refuses connections",
        "                         → is the service up, is the port right, and does a firewall let it be",
    ]
    assert lines[-1] == "1 error"
    assert "sk-1" not in out + err
    assert not Path("calls.db").exists()


def test_findings_as_json(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json", "agents"]) == PROBLEMS
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert [(each["subject"], each["state"]) for each in document["findings"]] == [
        ("voice API", "error"),
        ("webhook secret", "ok"),
        ("webhook", "skipped"),
        ("store", "ok"),
        ("port", "ok"),
        ("open files", "ok"),
    ]
    assert document["findings"][3]["text"] == "sqlite:calls.db will be created at the first start"


def test_a_configuration_with_mistakes_is_not_looked_at(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agents / "desk.yaml").write_text("agent: desk\nmodle: x\n")
    assert main(["doctor"]) == PROBLEMS
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("the configuration has mistakes; nothing else was checked\n")
