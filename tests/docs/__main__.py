"""Makes again what the documentation has from the code and from the commands: `python -m tests.docs`."""

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.generated import GENERATORS
from tests.docs.pages import ROOT, Page, all_pages, generated, with_sessions
from tests.docs.picture import FILE, drawn, output
from tests.docs.terminal import make_project, played

with TemporaryDirectory() as temporary:
    folders = (Path(temporary) / str(number) for number in count())
    make_project(project := next(folders))
    for page in all_pages():
        text = with_sessions(page, lambda session: played(session, project, next(folders)))
        again = generated(Page(name=page.name, text=text), GENERATORS)
        (ROOT / page.name).write_text(again, encoding="utf-8")
FILE.write_text(drawn(output()), encoding="utf-8")
