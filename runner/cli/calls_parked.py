"""`phone-agents calls parked`: lists the parked jobs after calls, with the reasons."""

import argparse
from dataclasses import asdict

from runner.cli.calls_list import columns
from runner.cli.json_document import print_document
from runner.cli.main import OK
from runner.cli.terminal import Style, printable, stdout
from runner.cli.times import local
from runner.model.job import JobState
from runner.model.settings import Settings
from runner.model.stored_call import StoredJob
from runner.store.store import Store
from runner.wording import plural

MOST = 1000


async def act(options: argparse.Namespace, _: Settings, store: Store) -> int:
    """List the jobs, the newest first."""
    jobs = await store.parked(MOST)
    if options.format == "json":
        print_document({"jobs": [job_document(job) for job in jobs]})
        return OK
    terminal = stdout()
    if not jobs:
        terminal.line("no job is parked")
        return OK
    width = columns()
    for job in jobs:
        terminal.line(
            f"{terminal.styled(printable(job.call_id), Style.BOLD)}  {job.kind} of {local(job.created_at)}"
        )
        text = printable(job_words(job))
        terminal.line(f"  {text if width is None else text[: max(width - 2, 20)]}")
    more = f"the newest {MOST}; " if len(jobs) == MOST else ""
    terminal.line()
    terminal.line(terminal.styled(f"{more}phone-agents calls resend ID retries them", Style.DIM))
    return OK


def job_words(job: StoredJob) -> str:
    """The state of a job, with the reason."""
    tries = plural(job.attempts, "attempt")
    if job.state is JobState.PARKED:
        return f"parked after {tries}: {job.error}"
    stands = "waits for the outcome" if job.due_at is None else f"due {local(job.due_at)}"
    return f"{stands}, last error: {job.error}" if job.error else stands


def job_document(job: StoredJob) -> dict[str, object]:
    return {**asdict(job), "state": job.state.value}
