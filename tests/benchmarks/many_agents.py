"""`validate` of 100 and of 1,000 agents like the examples, against reading them with YAML's C parser alone;
and of agents that name one long list, against reading its numbers.

The floor makes the parser's events: nothing that knows places can do with less.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

from tests.benchmarks.row import Row

EXAMPLES = Path(__file__).parents[2] / "agents"
SIZES = (100, 1_000)
LIMIT = 14.0
"""Of the floor. The same for either size: the cost of an agent does not depend on how many there are."""
LIMIT_S = 5.0
TIMES = 2
LISTING, LISTED = 300, 20_000
LIMIT_OF_LIST = 3.0
"""Of reading the list's numbers once: how many agents name it adds what the agents themselves cost."""
LIMIT_OF_LIST_S = 3.0
LIMIT_OF_LIST_MIB = 150.0

READ_ONLY = """
import pathlib, sys, yaml
for path in pathlib.Path(sys.argv[1]).glob("*.yaml"):
    for event in yaml.parse(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass
"""
READ_NUMBERS = """
import sys
from runner.call.addresses.number import read_number
for line in open(sys.argv[1]):
    read_number(line.strip())
"""
AND_ITS_MEMORY = """
import resource, subprocess, sys
subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def rows() -> Iterator[Row]:
    """Seconds of the processor for whole processes: those of the wall clock tell of whatever else runs."""
    for size in SIZES:
        with TemporaryDirectory() as folder:
            write_agents(Path(folder), size)
            floor_s = min(_seconds("-c", READ_ONLY, folder) for _ in range(TIMES))
            ours_s = min(_seconds("-m", "runner", "validate", folder) for _ in range(TIMES))
        name = f"validate {size:,} agents, process"
        yield Row(name=name, ours=ours_s, unit="s", floor=floor_s, limit=LIMIT)
    yield Row(name=f"validate {SIZES[-1]:,} agents, in seconds", ours=ours_s, unit="s", limit=LIMIT_S)
    with TemporaryDirectory() as folder:
        write_agents_with_a_list(Path(folder))
        floor_s = min(_seconds("-c", READ_NUMBERS, f"{folder}/_vip.txt") for _ in range(TIMES))
        ours_s = min(_seconds("-m", "runner", "validate", folder) for _ in range(TIMES))
        memory_mib = _memory_mib("-m", "runner", "validate", folder)
    name = f"{LISTING} agents, a list of {LISTED:,}"
    yield Row(name=f"validate {name}", ours=ours_s, unit="s", floor=floor_s, limit=LIMIT_OF_LIST)
    yield Row(name=f"validate {name}, in seconds", ours=ours_s, unit="s", limit=LIMIT_OF_LIST_S)
    yield Row(name=f"validate {name}, memory", ours=memory_mib, unit="MiB", limit=LIMIT_OF_LIST_MIB)


def write_agents(folder: Path, size: int) -> None:
    """The example agents in turn, each with a number and texts of its own."""
    copytree(EXAMPLES, folder, dirs_exist_ok=True, ignore=ignore_patterns("*.test.yaml"))
    settings = (EXAMPLES / "runner.yaml").read_text(encoding="utf-8")
    # Each environment is a check of its own; here one is measured.
    settings = settings.partition("\nenvironments:")[0] + "\n"
    (folder / "runner.yaml").write_text(settings, encoding="utf-8")
    examples = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.yaml"))]
    agents = [text for text in examples if re.search(r"^routes:", text, re.MULTILINE)]
    for i in range(size):
        own = re.sub(r"^agent: .*", rf"agent: agent-{i}", agents[i % len(agents)], flags=re.MULTILINE)
        own = re.sub(r'to: "\+[0-9]+"', f'to: "+1800{5_560_000 + i}"', own)
        own = re.sub(r'prefix: "\+[0-9]+"', f'prefix: "+1888{i:04}"', own)
        own = re.sub(r"(description: |  You are )(?=[A-Za-z])", rf"\1at desk {i} ", own)
        (folder / f"agent-{i}.yaml").write_text(own, encoding="utf-8")


def write_agents_with_a_list(folder: Path) -> None:
    """Agents with a number each, for the callers of one list."""
    lines = [f"+1{212 + n % 7}{2_000_000 + n}" for n in range(LISTED)]
    (folder / "_vip.txt").write_text("\n".join(lines), encoding="utf-8")
    for i in range(LISTING):
        text = (
            f"agent: agent-{i}\nmodel: gpt-realtime-2.1\ninstructions: Help the caller.\n"
            f'routes: [{{to: "+1800{5_560_000 + i}", from: {{in: _vip.txt}}}}]\n'
        )
        (folder / f"agent-{i}.yaml").write_text(text, encoding="utf-8")


def _memory_mib(*arguments: str) -> float:
    command = [sys.executable, "-c", AND_ITS_MEMORY, *arguments]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(finished.stdout) / 1024


def _seconds(*arguments: str) -> float:
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
