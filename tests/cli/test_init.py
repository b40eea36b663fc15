"""`phone-agents init`: what it writes is good at once, and nothing is overwritten."""

from pathlib import Path

import pytest
import yaml

from runner import __version__
from runner.cli.init import CI_FILES, FILES
from runner.cli.main import main

WRITTEN = [
    "agents/front-desk.yaml",
    "agents/front-desk.test.yaml",
    "agents/runner.yaml",
    ".github/workflows/phone-agents.yml",
    ".gitignore",
]
NEXT = """\
  phone-agents validate   checks the files
  phone-agents test       plays the scenarios
  phone-agents simulate   shows a whole call, against a stand-in for the voice API
  phone-agents run --dev  lets you speak with the agent in a browser
  phone-agents run        answers calls, once OPENAI_API_KEY and OPENAI_WEBHOOK_SECRET are set

Put your number and your words into "agents/front-desk.yaml".
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_says_what_it_wrote_and_what_comes_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr() == ("".join(f"wrote {name}\n" for name in WRITTEN) + f"\nnext\n{NEXT}", "")
    assert files(folder) == sorted(WRITTEN)


def test_a_directory_that_is_not_there_is_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "a/new one"]) == 0
    written = "".join(f"wrote a/new one/{name}\n" for name in WRITTEN)
    assert capsys.readouterr().out == f"{written}\nnext\n  cd a/new one\n{NEXT}"
    assert files(folder / "a" / "new one") == sorted(WRITTEN)


def test_what_it_writes_has_not_even_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    capsys.readouterr()
    assert main(["validate"]) == 0
    assert capsys.readouterr() == ("", '1 agent in "agents", no problems\n')


def test_what_it_writes_passes_its_scenarios_which_touch_everything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["init"])
    capsys.readouterr()
    assert main(["test", "--coverage", "--min-coverage", "100"]) == 0
    assert capsys.readouterr() == ("", '5 scenarios passed in "agents"; coverage 100 % (6 of 6)\n')


def test_what_it_writes_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    capsys.readouterr()
    assert main(["simulate", "--format", "json"]) == 0
    assert '"problems": []' in capsys.readouterr().out


def test_what_it_writes_answers_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    assert main(["route", "--to", "+18005550142", "--expect", "front-desk"]) == 0


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != ".gitignore"])
def test_a_file_that_is_there_is_named_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    assert main(["init"]) == 3
    assert capsys.readouterr() == (
        "",
        f'phone-agents init: "{name}" exists already; init overwrites nothing\n',
    )
    assert files(folder) == [name]
    assert (folder / name).read_text() == "mine"


def test_other_agents_are_not_joined(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "p" / "agents").mkdir(parents=True)
    (folder / "p" / "agents" / "mine.yml").write_text("agent: mine\n")
    assert main(["init", "p"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents init: "p/agents/mine.yml" exists already; init overwrites nothing\n'
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            "*.pyc\n",
            'Add "calls.db*" to ".gitignore": it will hold the records of calls, with what was said.\n',
        ),
        ("/calls.db*\n", ""),
        ("*.db\n", ""),
    ],
)
def test_a_gitignore_that_is_there_is_left_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, advice: str
) -> None:
    (folder / ".gitignore").write_text(text)
    assert main(["init"]) == 0
    written = "".join(f"wrote {name}\n" for name in WRITTEN[:-1])
    assert capsys.readouterr().out == f"{written}\nnext\n{NEXT}{advice}"
    assert (folder / ".gitignore").read_text() == text


@pytest.mark.parametrize("name", [WRITTEN[0], WRITTEN[3]])
def test_a_link_that_leads_nowhere_is_not_written_through(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(folder / "elsewhere")
    assert main(["init"]) == 3
    assert capsys.readouterr().err == (
        f'phone-agents init: "{name}" exists already; init overwrites nothing\n'
    )
    assert files(folder) == []


def test_a_gitignore_that_cannot_be_read_is_left_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".gitignore").symlink_to(folder / "elsewhere")
    assert main(["init"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith('Add "calls.db*" to ".gitignore"')
    assert not (folder / "elsewhere").exists()


def test_a_project_that_is_a_file_is_exit_code_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "p").write_text("")
    assert main(["init", "p"]) == 3
    assert capsys.readouterr().err == (
        'phone-agents init: "p/agents/front-desk.yaml" cannot be written: not a directory\n'
    )


def test_every_file_of_the_starter_is_written() -> None:
    starter = Path(__file__).parents[2] / "runner" / "starter"
    assert files(starter) == sorted([*FILES.values(), *(name for _, name in CI_FILES.values()), "gitignore"])


def test_the_ci_file_installs_this_version(folder: Path) -> None:
    main(["init"])
    workflow = yaml.safe_load((folder / WRITTEN[3]).read_text())
    (install,) = [step for step in workflow["jobs"]["check"]["steps"] if step.get("name") == "Install"]
    major, minor, _ = __version__.split(".")
    assert install["run"] == f'pip install "phone-agents~={major}.{minor}.0"'


@pytest.mark.parametrize(
    "requirement",
    [
        "git+https://git.example/us/phone-agents@v0.1.0",
        "phone-agents @ git+ssh://git@git.example/us/phone-agents.git@main#egg=x",
        "vendor/phone_agents-0.1.0-py3-none-any.whl",
        "phone-agents[otel]>=0.1,<0.2",
    ],
)
@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_the_ci_file_installs_what_is_asked_for(folder: Path, service: str, requirement: str) -> None:
    assert main(["init", "--ci", service, "--from", requirement]) == 0
    path, _ = CI_FILES[service]
    job = yaml.safe_load((folder / path).read_text())
    if service == "gitlab":
        install = job["phone-agents"]["script"][0]
    else:
        (install,) = [step["run"] for step in job["jobs"]["check"]["steps"] if step.get("name") == "Install"]
    assert install == f'pip install "{requirement}"'


@pytest.mark.parametrize(
    "requirement", ["", "--index-url=x", "$(rm -rf ~)", 'a"; b', "a # b", "a: b", "a\nb", "a`b`", "a\\b"]
)
def test_what_a_shell_or_yaml_would_read_otherwise_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], requirement: str
) -> None:
    assert main(["init", f"--from={requirement}"]) == 2
    assert capsys.readouterr().err == (
        f'phone-agents init: --from: "{requirement}" cannot be written into a CI file; write one such as '
        '"git+https://git.example/us/phone-agents@v0.1.0" or "vendor/phone_agents-0.1.0-py3-none-any.whl"\n'
    )
    assert files(folder) == []
