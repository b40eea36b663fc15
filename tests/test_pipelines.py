"""What people put into their pipelines works: the action, the hooks, init's workflow, the README's jobs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import __version__
from runner.cli.main import main
from tests.processes import CLOCK

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"] if "name" in step}
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = README.partition("## In CI\n")[2].partition("\n## ")[0]
GITHUB, GITLAB, PRE_COMMIT = (
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", CI, re.DOTALL | re.MULTILINE)
)
NO_BASE = "0" * 40


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that `init` has written into, with one commit and no variable of git or GitHub set."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "OPENAI_", "RUNNER_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "project"
    assert main(["init", str(folder)]) == 0
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    command = ["git", *who, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "more")
    return git(folder, "rev-parse", "HEAD")


def edit(folder: Path, old: str, new: str) -> None:
    agent = folder / "agents" / "front-desk.yaml"
    assert old in agent.read_text()
    agent.write_text(agent.read_text().replace(old, new))


class Job:
    """Runs shell steps as GitHub does, with the commands of this environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temp = folder.parent / "temp"
        self.temp.mkdir(exist_ok=True)
        self.summary, self.output, self.path = (
            folder.parent / name for name in ("summary", "output", "path")
        )

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one step. `PATH` begins with where `phone-agents` is."""
        environ = {
            **CLOCK,
            **{name: value for name, value in os.environ.items() if name in ("HOME", "TMPDIR")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_PATH": str(self.path),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temp),
            **variables,
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def step(self, name: str, base: str = "", **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step of the action with these inputs, `_` for `-`, and the defaults of the others."""
        step = STEPS[name]
        known = {name: str(given["default"]) for name, given in ACTION["inputs"].items()}
        known |= {name.replace("_", "-"): value for name, value in inputs.items()}
        values = {f"inputs.{name}": value for name, value in known.items()}
        values["github.event.pull_request.base.sha"] = base
        variables = {
            name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)
            for name, text in step["env"].items()
        }
        return self.run(step["run"], **variables)


# The action.


def test_every_input_is_described_has_a_default_and_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name, given in ACTION["inputs"].items():
        assert given["description"].endswith(".")
        assert isinstance(given["default"], str)
        assert f"inputs.{name} " in text


def test_no_input_is_pasted_into_a_script() -> None:
    """An input that is pasted is a command; as a variable it is only text."""
    scripts = [step["run"] for step in STEPS.values()]
    assert len(scripts) == 4
    assert [script for script in scripts if "${{" in script] == []
    assert {step["shell"] for step in STEPS.values()} == {"bash"}


@pytest.mark.parametrize(
    ("version", "asked"),
    [
        ("", f"install --quiet -c {ROOT}/constraints.txt {ROOT}"),
        ("==0.1.0", "install --quiet phone-agents==0.1.0"),
    ],
)
def test_the_action_installs_itself_or_the_version_that_is_asked_for(
    project: Path, version: str, asked: str
) -> None:
    tools = project.parent / "tools"
    tools.mkdir()
    stand_in = tools / "python3"
    pip = f'#!/bin/sh\necho "$@" > "{project.parent}/asked"\n'
    stand_in.write_text(
        f'#!/bin/sh\nmkdir -p "$3/bin"\nprintf %s {shlex.quote(pip)} > "$3/bin/pip"\nchmod +x "$3/bin/pip"\n'
    )
    stand_in.chmod(0o755)
    job = Job(project)
    done = job.run(STEPS["Install"]["run"], VERSION=version, PATH=f"{tools}:{os.environ['PATH']}")
    assert (done.stderr, done.returncode) == ("", 0)
    assert (project.parent / "asked").read_text() == f"{asked}\n"
    assert job.path.read_text() == f"{job.temp}/phone-agents/bin\n"


def test_what_init_writes_passes_the_action(project: Path) -> None:
    job = Job(project)
    validated = job.step("Validate", deny_warnings="true")
    assert (validated.stdout, validated.returncode) == ("", 0)
    tested = job.step("Test", min_coverage="100")
    assert (tested.stdout, tested.returncode) == ("", 0)


def test_a_problem_is_marked_in_the_file_and_fails_the_job(project: Path) -> None:
    edit(project, "voice: marin", "voise: marin")
    done = Job(project).step("Validate")
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=agents/front-desk.yaml,line=9,")


def test_a_warning_fails_the_job_where_that_is_asked_for(project: Path) -> None:
    edit(project, "gpt-transcribe", "gpt-4o-transcribe")
    assert Job(project).step("Validate").returncode == 0
    assert Job(project).step("Validate", deny_warnings="true").returncode == 1


def test_a_scenario_that_fails_fails_the_job(project: Path) -> None:
    edit(project, "from nine to five", "from ten to five")
    edit(project, "say: Goodbye!", "say: Bye!")
    assert Job(project).step("Test").returncode == 1


def test_too_little_coverage_fails_the_job(project: Path) -> None:
    (project / "agents" / "front-desk.test.yaml").write_text(
        '- {name: other, call: {to: "+18005550199"}, expect: {rejected: 404}}\n'
    )
    assert Job(project).step("Test").returncode == 0
    assert Job(project).step("Test", min_coverage="50").returncode == 1


def test_a_pull_request_is_told_what_changes_for_callers(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD")
    edit(project, "say: Goodbye!", "say: Bye!")
    commit(project)
    job = Job(project)
    done = job.step("What changes for callers", base)
    assert done.returncode == 0
    assert job.output.read_text() == f"changes=true\ndifference={job.temp}/difference.md\n"
    assert job.summary.read_text() == (
        f"### What changes for callers between `{base}:agents` and `agents`\n"
        "\n"
        "#### Agent `front-desk`\n"
        "\n"
        "```diff\n"
        "@@ tools.end_call.hangup.say @@\n"
        "- Goodbye!\n"
        "+ Bye!\n"
        "```\n"
    )


def test_a_pull_request_that_changes_nothing_says_so(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD")
    edit(project, "description: Answers", "description: Takes")
    commit(project)
    job = Job(project)
    assert job.step("What changes for callers", base).returncode == 0
    assert job.output.read_text() == f"changes=false\ndifference={job.temp}/difference.md\n"
    assert job.summary.read_text().startswith("### Nothing changes for callers between")


def test_the_base_is_fetched_where_the_checkout_does_not_hold_it(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD")
    edit(project, "voice: marin", "voice: cedar")
    commit(project)
    clone = project.parent / "clone"
    git(project.parent, "clone", "-q", "--depth", "1", f"file://{project}", str(clone))
    job = Job(clone)
    assert job.step("What changes for callers", base).returncode == 0
    assert "accept.audio.output.voice" in job.summary.read_text()


def test_a_base_without_agents_is_a_notice(project: Path) -> None:
    git(project, "checkout", "-q", "--orphan", "empty")
    git(project, "rm", "-r", "-q", "--cached", ".")
    git(project, "commit", "-q", "--allow-empty", "-m", "empty")
    base = git(project, "rev-parse", "HEAD")
    job = Job(project)
    done = job.step("What changes for callers", base)
    assert (done.stdout, done.returncode) == (
        "::notice::the agents of the base branch cannot be compared with\n",
        0,
    )
    assert not job.summary.exists()


@pytest.mark.parametrize("name", ["Validate", "Test", "What changes for callers"])
def test_an_input_is_text_and_no_command(project: Path, name: str) -> None:
    base = git(project, "rev-parse", "HEAD")
    done = Job(project).step(name, base, directory="agents; touch $(touch pwned) pwned")
    assert done.returncode != 0 or "::notice::" in done.stdout
    assert not (project / "pwned").exists()


def test_an_environment_that_is_not_declared_fails_every_step(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD")
    for name in ("Validate", "Test", "What changes for callers"):
        assert Job(project).step(name, base, environment="staging").returncode == 2


# The workflow of init.


def workflow_step(project: Path, name: str) -> dict[str, Any]:
    workflow = yaml.safe_load((project / ".github" / "workflows" / "phone-agents.yml").read_text())
    (job,) = workflow["jobs"].values()
    found: dict[str, Any] = next(step for step in job["steps"] if step.get("name") == name)
    return found


def test_the_workflow_of_init_passes_and_shows_what_changes(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD")
    edit(project, "voice: marin", "voice: cedar")
    job = Job(project)
    for name in ("Validate", "Test"):
        done = job.run(workflow_step(project, name)["run"])
        assert (done.stdout, done.returncode) == ("", 0)
    step = workflow_step(project, "What changes for callers")
    assert step["env"] == {"BASE": "${{ github.event.pull_request.base.sha }}"}
    assert job.run(step["run"], BASE=base).returncode == 0
    assert "+ cedar" in job.summary.read_text()
    assert job.run(step["run"], BASE=NO_BASE).returncode == 0
    assert job.run(step["run"], BASE="--no-such-option").returncode != 0


# The hooks.


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_passes_for_good_agents_and_fails_for_others(project: Path, hook: dict[str, Any]) -> None:
    command = shlex.join([*shlex.split(hook["entry"]), *hook["args"]])
    assert Job(project).run(command).returncode == 0
    edit(project, "say: Goodbye!", "say: Bye!\n    voise: x")
    assert Job(project).run(command).returncode == 1


def test_hooks_are_asked_about_the_files_of_agents() -> None:
    for hook in HOOKS:
        assert (hook["language"], hook["pass_filenames"]) == ("python", False)
        for name in ("agents/a.yaml", "agents/_prompts/a.md", "agents/_lists/a.txt"):
            assert re.search(hook["files"], name)
        assert not re.search(hook["files"], "src/agents.py")


# The README.


def test_the_readme_uses_inputs_that_there_are() -> None:
    (job,) = GITHUB["jobs"].values()
    action = job["steps"][-1]
    assert action["uses"] == f"OWNER/phone-agents@v{__version__}"
    assert action["with"].keys() <= ACTION["inputs"].keys()


def test_the_readme_names_hooks_that_there_are() -> None:
    (repository,) = PRE_COMMIT["repos"]
    assert repository["rev"] == f"v{__version__}"
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]


def test_the_gitlab_job_of_init_passes_and_shows_what_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ours"
    assert main(["init", str(folder), "--ci", "gitlab"]) == 0
    git(folder, "init", "-q", "-b", "main")
    base = commit(folder)
    edit(folder, "voice: marin", "voice: cedar")
    job = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())["phone-agents"]
    _, *commands = job["script"]
    for command in commands:
        done = Job(folder).run(command, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
        assert done.returncode == 0, done.stderr
    assert "cedar" in done.stdout
    for report in job["artifacts"]["reports"]["junit"]:
        assert (folder / report).read_text().startswith("<?xml")
    # A pipeline of a branch compares with nothing.
    assert Job(folder).run(commands[-1]).stdout == ""


def test_the_gitlab_job_of_the_readme_writes_its_reports(project: Path) -> None:
    install, *commands = GITLAB["phone-agents"]["script"]
    assert install == f'pip install "phone-agents~={__version__.rpartition(".")[0]}.0"'
    for command in commands:
        done = Job(project).run(command)
        assert done.returncode == 0, done.stderr
    for report in GITLAB["phone-agents"]["artifacts"]["reports"]["junit"]:
        assert (project / report).read_text().startswith("<?xml")
