"""The documentation as its tests read it: pages with code, headings, links, tables and generated parts."""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCED = re.compile(r"^( *)```([a-z]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_GENERATED = re.compile(r"(<!-- generated: (\w+)((?: [^\n]+?)?) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the documentation. `name` is its path in the repository."""

    name: str
    text: str

    @property
    def prose(self) -> str:
        """The text without its fenced code."""
        return _FENCED.sub("", self.text)

    def blocks(self, language: str) -> list[Block]:
        """The fenced code of one language, without the indentation that it has as part of a list."""
        return [
            Block(
                page=self.name,
                line=self.text.count("\n", 0, found.start()) + 1,
                language=found[2],
                text=textwrap.dedent(found[3]),
            )
            for found in _FENCED.finditer(self.text)
            if found[2] == language
        ]

    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        return [(len(found[1]), found[2]) for found in _HEADING.finditer(self.prose)]

    def anchors(self) -> set[str]:
        """What a link may name after `#`."""
        return {anchor(heading) for _, heading in self.headings()}

    def links(self) -> list[str]:
        """Where the links of the page lead."""
        return _LINK.findall(self.prose)

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next one of its level or a higher one."""
        level = next(level for level, found in self.headings() if found == heading)
        after = re.split(rf"^{'#' * level} {re.escape(heading)}$", self.text, maxsplit=1, flags=re.MULTILINE)[
            1
        ]
        return re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


Generator = Callable[[Page, str], str]
"""Makes one part of a page. The text is what the part's marker says after the generator's name."""


def generated(page: Page, generators: dict[str, Generator]) -> str:
    """The page with every part made again that stands between `<!-- generated: NAME ARGUMENT -->` and
    `<!-- end -->`."""

    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{generators[found[2]](page, found[3].strip()).strip()}\n{found[4]}"

    return _GENERATED.sub(part, page.text)


def with_sessions(page: Page, played: Callable[[str], str]) -> str:
    """The page with what its terminals show made again."""

    def session(found: re.Match[str]) -> str:
        if found[2] != "console":
            return found[0]
        text = textwrap.indent(played(textwrap.dedent(found[3])), found[1])
        return f"{found[1]}```console\n{text}{found[1]}```"

    return _FENCED.sub(session, page.text)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def rows(table_under: str) -> Iterator[list[str]]:
    """The cells of every row of the tables in a piece of Markdown, their headers left out."""
    lines = table_under.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not line.startswith("| ---") and not following.startswith("| ---"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def row(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def table(headers: tuple[str, ...], rows_below: Iterable[tuple[str, ...]]) -> str:
    """A whole table."""
    return "\n".join([row(*headers), row(*("---" for _ in headers)), *(row(*cells) for cells in rows_below)])


def read(name: str) -> Page:
    """One page, by its path in the repository."""
    return Page(name=name, text=(ROOT / name).read_text(encoding="utf-8"))


def all_pages() -> list[Page]:
    """The README and everything in docs/."""
    return [read("README.md"), *(read(f"docs/{path.name}") for path in sorted((ROOT / "docs").glob("*.md")))]
