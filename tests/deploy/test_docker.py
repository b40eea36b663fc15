"""The Dockerfile is clean, and copies what there is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.proxies import program
from tests.docs.pages import ROOT

DOCKERFILE = ROOT / "deploy/docker/Dockerfile"


@pytest.mark.deploy
def test_hadolint_finds_nothing() -> None:
    hadolint = program("hadolint", "none: it comes with the extra deploy")
    result = subprocess.run(
        [hadolint, str(DOCKERFILE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


def copied() -> set[str]:
    """What the image is made from."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    return {name for line in lines for name in line.split()}


def test_what_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    assert copied()
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    assert {line[1:] for line in ignored if line.startswith("!")} == copied()


def test_the_image_runs_without_root_and_ends_as_the_runner_does() -> None:
    text = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", text, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["phone-agents"\]$', text, re.MULTILINE)


@pytest.mark.deploy
def test_what_is_copied_is_enough_for_a_wheel(tmp_path: Path) -> None:
    pytest.importorskip("pip", reason="this environment has no pip")
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "built", "."]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "built").glob("phone_agents-*.whl"))) == 1
