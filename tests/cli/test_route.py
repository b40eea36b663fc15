"""`phone-agents route`, as it is typed and as it answers."""

from pathlib import Path

import pytest

from runner.cli.main import main

FILES = {
    "runner.yaml": """
routing:
  default_country: US
  called_number: [X-Dialled]
  reject:
  - {from: {in: _lists/blocked.txt}}
schedules:
  office-hours: {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}
""",
    "_lists/blocked.txt": "+19005550000\n",
    "front-desk.yaml": """
agent: front-desk
model: gpt-realtime-2.1
instructions: Answer.
routes:
- to: "+18005551212"
- to: {prefix: "+1800"}
  during: office-hours
""",
    "sales.yaml": """
agent: sales
model: gpt-realtime-2.1
instructions: Sell.
routes:
- to: {prefix: "+1800"}
- {from: {country: GB}, priority: 5}
""",
}
MONDAY = ["--at", "2026-11-23T15:00-05:00"]


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "agents"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_agent_the_place_of_the_number_and_every_other_route(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["route", "--to", "800 555 1212", "--from", "+14155550100", *MONDAY])
    printed = capsys.readouterr()
    assert printed.out == (
        "to      +18005551212 (US), found in To\n"
        "from    +14155550100 (US)\n"
        "at      Monday 2026-11-23T15:00-05:00\n"
        "agent   front-desk\n"
        "why     the route at agents/front-desk.yaml:6:3 matches: to is +18005551212\n"
        "\n"
        "other routes\n"
        "  front-desk  agents/front-desk.yaml:7:3  matches too, but the winning route has the"
        " more specific `to`\n"
        "  sales       agents/sales.yaml:6:3       matches too, but the winning route has the"
        " more specific `to`\n"
        "  reject 603  agents/runner.yaml:6:5      from: +14155550100 is none of the lines of"
        " _lists/blocked.txt\n"
        "  sales       agents/sales.yaml:7:3       from: +14155550100 is not a number of GB\n"
    )
    assert printed.err == ""
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["--to", "+18005550000", *MONDAY],
            ["to      +18005550000 (US), found in To", "from    no From header", "agent   front-desk"],
        ),
        (
            ["--to", "+18005550000", "--at", "2026-11-22T15:00Z"],
            [
                "agent   sales",
                "  front-desk  agents/front-desk.yaml:7:3  during: office-hours is closed on Sunday at 10:00"
                " (America/New_York)",
            ],
        ),
        (
            ["--to", "+18005551212", "--from", "anonymous"],
            ["from    a withheld number (anonymous)", "agent   front-desk"],
        ),
        (["--to", ""], ["to      nothing, found in To", "from    no From header"]),
        (
            ["--to", "desk", "--from", "sip:1001@pbx"],
            ['to      "sip:desk" (not a telephone number), found in To'],
        ),
        (
            ["--header", "To: <sip:proj_1@sip.api.openai.com>", "--header", "Diversion:<sip:+18005551212@t>"],
            ["to      +18005551212 (US), found in Diversion", "agent   front-desk"],
        ),
        (
            ["--to", "+14155550100", "--header", "x-dialled: +18005551212"],
            ["to      +18005551212 (US), found in X-Dialled", "agent   front-desk"],
        ),
        (
            ["--to", "+18005551212", "--from", "+19005550000"],
            [
                "reject  603",
                "why     the reject rule at agents/runner.yaml:6:5 matches: from is one of the lines of"
                " _lists/blocked.txt",
                "  front-desk  agents/front-desk.yaml:6:3  matches too, but a reject rule comes first",
            ],
        ),
        (
            ["--to", "+14155550100"],
            ["reject  404", "why     no route matches, and routing.otherwise rejects with 404"],
        ),
        (["--to", "\x1b[2J"], ['to      "\\x1b[2J" (not a telephone number), found in To']),
    ],
)
def test_calls_of_every_kind(
    agents: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], lines: list[str]
) -> None:
    assert main(["route", *arguments]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line not in printed] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--expect", "front-desk"], 0, ""),
        (["--expect", "sales"], 1, 'phone-agents route: expected "sales", but "front-desk" answers\n'),
        (
            ["--expect", "front-dsk"],
            1,
            'phone-agents route: expected "front-dsk", but "front-desk" answers;'
            ' there is no agent of that name; did you mean "front-desk"?\n',
        ),
        (
            ["--expect", "sales", "--from", "+19005550000"],
            1,
            'phone-agents route: expected "sales", but it is rejected with 603\n',
        ),
    ],
)
def test_an_expectation_that_is_not_met_is_exit_code_1(
    agents: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert main(["route", "agents", "--to", "+18005551212", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.err == message
    assert printed.out.startswith("to      +18005551212 (US), found in To\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say who is called: --to NUMBER, or --header with the headers of a call"),
        (["--to", "1", "--header", "X-Plan"], "\"X-Plan\" is not a header; write one such as 'X-Plan: gold'"),
        (
            ["--to", "1", "--header", "X Plan: a"],
            "\"X Plan: a\" is not a header; write one such as 'X-Plan: gold'",
        ),
        (["--to", "1", "--at", "noon"], '"noon" is not a time; write one such as 2026-11-23T15:00-05:00'),
        (
            ["--to", "1", "--at", "0001-01-01T00:00Z"],
            '"0001-01-01T00:00Z" is not a time; write one such as 2026-11-23T15:00-05:00',
        ),
        (
            ["--to", "1", "--at", "2026-11-23"],
            '"2026-11-23" is not a time; write one such as 2026-11-23T15:00-05:00',
        ),
        (
            ["--to", "1", "--at", "2026-11-23-05:00"],
            '"2026-11-23-05:00" is not a time; write one such as 2026-11-23T15:00-05:00',
        ),
        (
            ["--to", "1", "--at", "2026-11-23T15:00"],
            '"2026-11-23T15:00" could be anywhere; end it with an offset such as -05:00, or with Z',
        ),
    ],
)
def test_wrong_usage_is_exit_code_2(
    agents: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["route", *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"phone-agents route: {message}\n")


def test_a_configuration_with_errors_is_exit_code_1_and_shows_them(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agents / "sales.yaml").write_text(
        "agent: sales\nmodel: gpt-realtime-2.1\ninstructions: i\nroutes: [{to: +1800}]\n"
    )
    assert main(["route", "--to", "+18005551212"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0] == (
        'agents/sales.yaml:4:15: "+1800" is not a valid number in any country; '
        'for numbers with this prefix, write {prefix: "+1800"} [number]'
    )


def test_a_directory_that_is_not_there_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["route", "nowhere", "--to", "+18005551212"]) == 3
    assert capsys.readouterr().err == 'phone-agents route: there is no directory "nowhere"\n'


def test_a_call_from_a_browser_is_asked_for_by_names(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILES["sales.yaml"] + "- {transport: webrtc, from: {user: staff-*}}\n"
    (agents / "sales.yaml").write_text(text)
    assert main(["route", "--to", "web:sales", "--from", "web:staff-1", *MONDAY]) == 0
    assert capsys.readouterr().out.startswith(
        "to      web:sales (from a browser)\n"
        "from    web:staff-1 (from a browser)\n"
        "at      Monday 2026-11-23T15:00-05:00\n"
        "agent   sales\n"
        'why     the route at agents/sales.yaml:8:3 matches: from matches user "staff-*",'
        " the call came over webrtc\n"
        "\n"
        "other routes\n"
    )
    assert main(["route", "--from", "web:guest", "--expect", "sales", *MONDAY]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("to      any agent (from a browser that names none)\nfrom    web:guest")
    assert "no route with transport: webrtc matches" in shown


@pytest.mark.parametrize("command", [["route"], ["simulate"], ["explain", "sales"]])
@pytest.mark.parametrize(
    "more", [["--from", "+14155550100"], ["--header", "X-Plan: gold"], ["--from", "web:a", "--to", "+1800"]]
)
def test_a_call_comes_from_a_browser_or_from_a_telephone(
    agents: Path, command: list[str], more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if command[0] == "explain" and "--header" in more:
        pytest.skip("explain takes no headers")
    assert main([*command, "--to", "web:sales", *more]) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("a call from a browser is --to web:AGENT --from web:SUBJECT, and has no headers")
    )
