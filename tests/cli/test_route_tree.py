"""`phone-agents route --tree` and `--file`, as they are typed and as they answer."""

from pathlib import Path

import pytest

from runner.cli.main import main

FILES = {
    "runner.yaml": """
routing:
  default_country: US
  reject:
  - {from: {country: KP}, status: 480}
  - {from: "+1 900 555 0000"}
  otherwise: {agent: sales}
schedules:
  office-hours: {timezone: America/New_York, open: {mon-fri: 09:00-17:00}}
""",
    "front-desk.yaml": """
agent: front-desk
model: gpt-realtime-2.1
instructions: Answer.
routes:
- {to: {prefix: "+1800"}, during: office-hours, share: 10%}
- to: "+18005551212"
""",
    "sales.yaml": """
agent: sales
model: gpt-realtime-2.1
instructions: Sell.
routes:
- {from: {country: GB}, priority: 5}
""",
}


@pytest.fixture(autouse=True)
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_tree_has_reject_rules_first_and_otherwise_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "--tree"]) == 0
    assert capsys.readouterr() == (
        "reject 603  agents/runner.yaml:6:5      from is +19005550000\n"
        "reject 480  agents/runner.yaml:5:5      from is a number of KP\n"
        "sales       agents/sales.yaml:6:3       from is a number of GB, priority 5\n"
        "front-desk  agents/front-desk.yaml:7:3  to is +18005551212\n"
        "front-desk  agents/front-desk.yaml:6:3  to begins with +1800, while office-hours is open, 10% of"
        " callers\n"
        "sales       otherwise                   every other call\n",
        "",
    )


def test_without_otherwise_the_tree_ends_with_the_default(
    agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agents / "runner.yaml").unlink()
    (agents / "front-desk.yaml").unlink()
    assert main(["route", "--tree"]) == 0
    assert capsys.readouterr().out == (
        "sales       agents/sales.yaml:6:3  from is a number of GB, priority 5\n"
        "reject 404  otherwise              every other call\n"
    )


def test_a_list_whose_calls_go_where_they_should_prints_nothing_but_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "numbers.csv").write_text(
        "\ufefffrom,to,expected,at\n"
        "+14155550100,+18005551212,front-desk,\n"
        "\n"
        "+442079460123 , 800 555 1212 ,sales,2026-11-23T15:00-05:00\n"
        "+19005550000,+18005551212,reject 603,\n"
        ",+18005551212,front-desk,\n"
        "anonymous,sip:desk@pbx.example,sales,\n"
    )
    assert main(["route", "--file", "numbers.csv"]) == 0
    assert capsys.readouterr() == ("", "5 calls checked\n")


def test_each_mismatch_and_each_row_that_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "numbers.csv").write_text(
        "expected,to,from,at\n"
        "front-desk,+442079460999,+442079460123,\n"
        '"front\n-dsk",+18005551212,,\n'
        "reject 404,+18005551212,+19005550000,\n"
        "sales\n"
        "sales,,+14155550100,\n"
        ",+18005551212,,\n"
        "sales,+18005551212,,noon\n"
        "sales,+18005551212,,2026-11-23T15:00\n"
        "603,+18005551212,,\n"
        "reject,+18005551212,,\n"
        "rejct 486,+18005551212,,\n"
    )
    assert main(["route", "--file", "numbers.csv"]) == 1
    printed = capsys.readouterr()
    assert printed.out == (
        'numbers.csv:2: expected "front-desk" for the call from "+442079460123" to "+442079460999", but'
        ' "sales" answers: the route at agents/sales.yaml:6:3 matches: from is a number of GB\n'
        'numbers.csv:3: expected "front -dsk" for the call to "+18005551212", but "front-desk" answers: the'
        " route at agents/front-desk.yaml:7:3 matches: to is +18005551212; there is no agent of that name;"
        ' did you mean "front-desk"?\n'
        'numbers.csv:5: expected "reject 404" for the call from "+19005550000" to "+18005551212", but it is'
        " rejected with 603: the reject rule at agents/runner.yaml:6:5 matches: from is +19005550000\n"
        "numbers.csv:6: 1 value, and the first line names 4 columns\n"
        'numbers.csv:7: "to" is empty; write the number that is dialled\n'
        'numbers.csv:8: "expected" is empty; write an agent, or "reject 404"\n'
        'numbers.csv:9: "noon" is not a time; write one such as 2026-11-23T15:00-05:00\n'
        'numbers.csv:10: "2026-11-23T15:00" could be anywhere; end it with an offset such as -05:00, or with'
        " Z\n"
        + "".join(
            f'numbers.csv:{line}: expected "{written}" for the call to "+18005551212", but "front-desk"'
            " answers: the route at agents/front-desk.yaml:7:3 matches: to is +18005551212;"
            f' a rejected call is written "reject {status}"\n'
            for line, written, status in ((11, "603", 603), (12, "reject", 404), (13, "rejct 486", 486))
        )
    )
    assert printed.err == "6 calls checked, 6 not as expected, 5 lines cannot be read\n"


@pytest.mark.parametrize(
    ("text", "message", "summary"),
    [
        (
            "",
            'numbers.csv:1: there is no column "from", "to" or "expected"; the first line names them, such as'
            ' "from,to,expected"\n',
            "0 calls checked, 1 line cannot be read\n",
        ),
        (
            "from,to,expected\n",
            "numbers.csv:1: no call stands below this line\n",
            "0 calls checked, 1 line cannot be read\n",
        ),
        (
            "from,to,expected,when\n",
            'numbers.csv:1: unknown column "when"; there are from, to, expected, at\n',
            "0 calls checked, 1 line cannot be read\n",
        ),
        (
            "from,to,to,expected\n",
            'numbers.csv:1: the column "to" is there twice\n',
            "0 calls checked, 1 line cannot be read\n",
        ),
        (
            'from,to,expected\n,+18005551212,front-desk\n,"+1800\n',
            "numbers.csv:3: this is not CSV: unexpected end of data\n",
            "1 call checked, 1 line cannot be read\n",
        ),
    ],
)
def test_a_list_that_checks_nothing_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str, summary: str
) -> None:
    (tmp_path / "numbers.csv").write_text(text)
    assert main(["route", "--file", "numbers.csv"]) == 1
    assert capsys.readouterr() == (message, summary)


def test_a_list_that_is_not_there_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "--file", "numbers.csv"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents route: "numbers.csv" cannot be read: no such file or directory\n'
    )


def test_a_list_that_is_not_utf_8_is_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "numbers.csv").write_bytes(b"from,to,expected\n\xff")
    assert main(["route", "--file", "numbers.csv"]) == 3
    assert capsys.readouterr().err == 'phone-agents route: "numbers.csv" is not UTF-8\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tree", "--to", "+18005551212"], "--tree and --to do not go together"),
        (["--tree", "--file", "n.csv"], "--tree and --file do not go together"),
        (["--file", "n.csv", "--expect", "sales"], "--file and --expect do not go together"),
        (["--file", "n.csv", "--header", "X: 1"], "--file and --header do not go together"),
        (["--tree", "--from", "anonymous"], "--tree and --from do not go together"),
    ],
)
def test_a_table_or_a_list_is_not_asked_about_one_call(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["route", *arguments]) == 2
    assert capsys.readouterr().err == f"phone-agents route: {message}\n"
