"""One clear sentence for each way in which a file is not YAML, in place of the parser's own texts."""

import re
from collections.abc import Sequence

from yaml.error import Mark, MarkedYAMLError

_TEMPLATE_VALUE = re.compile(r"(?:^|:\s|-\s)\s*(\{[{%])")

_COMMENT = re.compile(r"\s#")
_NEAR_LINES = 3
_KEY = re.compile(r'\s*("[^"]*"|[\w-]*)\s*')
"""What may stand before the place where a key turns out to be one."""

_GLUED_DASH = re.compile(r" *-([A-Za-z_]\w*):(?: |$)")
"""An entry of a list whose dash belongs to its first key."""
_GLUED = re.compile(r"\s*(?:- )?([A-Za-z_]\w*):(?!//)\S")
"""A key and its value without the space between them. The value may be a secret."""


class SyntaxMistake(Exception):  # noqa: N818 - carries a finding inside this package; it is never shown as an error
    """The rest of the file cannot be read. Line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def template_needs_quotes(line: int, column: int, begins: str = "{{") -> SyntaxMistake:
    """For `key: {{ … }}`, the commonest of all mistakes with templates in YAML."""
    message = f'a value that begins with "{begins}" needs quotes, or YAML reads it as a mapping'
    return SyntaxMistake(message, line, column)


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> SyntaxMistake:
    """The parser's error as a sentence about the user's text.

    libyaml and the pure parser word their errors differently, so the words that both share are matched.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return SyntaxMistake(f"this is not YAML: {error.problem or error}", 1, 1)
    return _Trouble(error, mark, lines).mistake()


class _Trouble:
    """The parser's error and the line that it points at."""

    def __init__(self, error: MarkedYAMLError, mark: Mark, lines: Sequence[str]) -> None:
        self.problem = error.problem or ""
        self.context = error.context or ""
        self.mark = mark
        self.begin = error.context_mark or mark
        self.lines = lines
        self.text = self._line(mark.line)
        self.character = self.text[mark.column : mark.column + 1]
        self.at_end = not any(line.strip() for line in (self.text[mark.column :], *lines[mark.line + 1 :]))

    def mistake(self) -> SyntaxMistake:
        return (
            self._tab()
            or self._template()
            or self._special_character()
            or self._quoted()
            or self._comment_in_braces()
            or self._flow()
            or self._block()
            or self._document()
            or self._here(f"this is not YAML: {self.problem}")
        )

    def _line(self, index: int) -> str:
        return self.lines[index] if index < len(self.lines) else ""

    def _here(self, message: str, column: int | None = None) -> SyntaxMistake:
        return SyntaxMistake(
            message, self.mark.line + 1, (self.mark.column if column is None else column) + 1
        )

    def _at_begin(self, message: str) -> SyntaxMistake:
        return SyntaxMistake(message, self.begin.line + 1, self.begin.column + 1)

    def _tab(self) -> SyntaxMistake | None:
        indentation = self.text[: len(self.text) - len(self.text.lstrip())]
        if "\t" in indentation:
            return self._here(
                "a tab in the indentation; YAML indents with spaces only", indentation.index("\t")
            )
        if self.character == "\t":
            return self._here("a tab where YAML wants a space")
        return None

    def _template(self) -> SyntaxMistake | None:
        match = _TEMPLATE_VALUE.search(self.text)
        if match and match.start(1) < self.mark.column:
            return template_needs_quotes(self.mark.line + 1, match.start(1) + 1, match.group(1))
        return None

    def _special_character(self) -> SyntaxMistake | None:
        if "cannot start any token" in self.problem:
            return self._here(f'"{self.character}" cannot begin a value in YAML; put the value in quotes')
        if self.context.endswith("an alias"):
            return self._at_begin('"*" begins an alias in YAML; put the value in quotes')
        if self.context.endswith("an anchor"):
            return self._at_begin('"&" begins an anchor in YAML; put the value in quotes')
        if "tag" in self.problem or "tag" in self.context:
            return self._at_begin(
                '"!" begins a tag in YAML, and tags mean nothing here; put the value in quotes'
            )
        return None

    def _quoted(self) -> SyntaxMistake | None:
        if "quoted scalar" not in self.context:
            return None
        if "Unicode" in self.problem:
            return self._at_begin(
                "an escape in this text is not a valid character; write the character itself"
            )
        if "escape" in self.problem or "hex" in self.problem:
            column = self.text.rfind("\\", 0, self.mark.column + 1)
            return self._here(
                f'"{self.text[column : column + 2]}" is not an escape that YAML knows in double quotes; '
                "use single quotes, or double the backslash",
                column,
            )
        return self._at_begin("this quote is never closed")

    def _comment_in_braces(self) -> SyntaxMistake | None:
        """A `#` that was meant as text, with the bracket that it leaves open."""
        if not any(word in self.context + self.problem for word in ("flow", "node content")):
            return None
        for index in range(self.mark.line, max(-1, self.mark.line - _NEAR_LINES), -1):
            comment = _COMMENT.search(self._line(index))
            before = self._line(index)[: comment.start()] if comment else ""
            if sum(map(before.count, "[{")) > sum(map(before.count, "]}")):
                column = len(before) + 2
                message = 'a comment begins at this "#", so that the brackets before it are never closed'
                return SyntaxMistake(f"{message}; put the text in quotes", index + 1, column)
        return None

    def _flow(self) -> SyntaxMistake | None:
        for name, opening, closing in (("flow sequence", "[", "]"), ("flow mapping", "{", "}")):
            if name in self.context:
                if (comma := self._missing_comma(closing)) is not None:
                    return comma
                if self.at_end or self.mark.line != self.begin.line:
                    return self._at_begin(f'this "{opening}" is never closed{self._open_quote()}')
                return self._here(f'"," or "{closing}" is missing before this')
        if "node content" in self.problem:
            if self.at_end and (bracket := self._open_bracket()) is not None:
                line, column = bracket
                return SyntaxMistake(
                    f'this "{self._line(line)[column]}" is never closed', line + 1, column + 1
                )
            if self.character in ("]", "}"):
                return self._here(
                    f'this "{self.character}" closes nothing; a value with brackets needs quotes'
                )
            missing = 'key is missing before ":"' if self.character == ":" else "value is missing here"
            return self._here(f"a {missing}")
        return None

    def _missing_comma(self, closing: str) -> SyntaxMistake | None:
        """In JSON over several lines: a line without its comma, in brackets that are closed further down."""
        before = self.mark.line - 1
        while before > self.begin.line and not self._line(before).strip():
            before -= 1
        entry = self._line(before).rstrip()
        is_next = before >= self.begin.line and _KEY.fullmatch(self.text[: self.mark.column])
        is_closed = any(line.lstrip().startswith(closing) for line in self.lines[self.mark.line :])
        if not is_next or not is_closed or entry.endswith((",", "[", "{", ":")):
            return None
        return SyntaxMistake('"," is missing at the end of this line', before + 1, len(entry) + 1)

    def _open_bracket(self) -> tuple[int, int] | None:
        """The last bracket in the lines before the mark that none closes, both from 0."""
        closed = 0
        for index in range(min(self.mark.line, len(self.lines) - 1), -1, -1):
            line = self.lines[index]
            for column in range(len(line) - 1, -1, -1):
                if line[column] in "]}":
                    closed += 1
                elif line[column] in "[{" and closed == 0:
                    return index, column
                elif line[column] in "[{":
                    closed -= 1
        return None

    def _open_quote(self) -> str:
        """What else is not closed there: a quote continues to the next one, many lines below."""
        quote = self._line(self.begin.line).count('"') % 2
        return ", and neither is a quote in this line" if quote else ""

    def _block(self) -> SyntaxMistake | None:
        if "block scalar" in self.context:
            sign = self.text[self.begin.column : self.begin.column + 1]
            return self._here(f'the text of a "{sign}" block begins on the next line')
        if "mapping values" in self.problem:
            if self._line(self.mark.line - 1).lstrip().startswith(("//", "/*")) and self.mark.line:
                line = self._line(self.mark.line - 1)
                column = len(line) - len(line.lstrip())
                return SyntaxMistake('a comment begins with "#" in YAML', self.mark.line, column + 1)
            above = self.lines[self.mark.line - 1] if self.mark.line else ""
            if ":\xa0" in above:
                column = above.index(":\xa0") + 2
                message = "a no-break space (U+00A0) after the colon; YAML wants a plain one"
                return SyntaxMistake(message, self.mark.line, column)
            if (glued := _GLUED.match(above)) is not None:
                message = f'a space is missing after ":"; write "{glued.group(1)}: …"'
                return SyntaxMistake(message, self.mark.line, glued.end(1) + 1)
            if (dash := _GLUED_DASH.match(above)) is not None:
                message = f'a space is missing after "-"; write "- {dash.group(1)}: …"'
                return SyntaxMistake(message, self.mark.line, dash.start(1))
            if ": " in self.text[: self.mark.column]:
                return self._here('a second ":" in this line; put the value in quotes')
            return self._here(
                'this ":" cannot stand here; check the indentation of this line and the one above'
            )
        if "mapping keys" in self.problem or "unexpected ':'" in self.problem:
            return self._here(f'this "{self.character}" cannot stand here; put the value in quotes')
        if "entries are not allowed" in self.problem:
            return self._here('a list entry ("- ") begins on a line of its own')
        if "simple key" in self.context:
            return self._without_colon()
        return self._inside_collection()

    def _without_colon(self) -> SyntaxMistake:
        line = self.text if self.begin.line == self.mark.line else self._line(self.begin.line)
        glued = _GLUED.match(line)
        if glued is not None:
            return self._at_begin(f'a space is missing after ":"; write "{glued.group(1)}: …"')
        return self._at_begin(
            'this line has no ":" after its key; if it goes on with a text above, indent it'
        )

    def _inside_collection(self) -> SyntaxMistake | None:
        if "block mapping" in self.context:
            return self._inside_mapping()
        if "block" not in self.context:
            return None
        if (dash := _GLUED_DASH.match(self.text)) is not None:
            return self._here(
                f'a space is missing after "-"; write "- {dash.group(1)}: …"', dash.start(1) - 1
            )
        return self._here(
            f'this is not an entry ("- ") of the list that begins on line {self.begin.line + 1}; '
            "check the indentation"
        )

    def _inside_mapping(self) -> SyntaxMistake:
        before = self.text[: self.mark.column].rstrip()
        if self.character in ("]", "}"):
            return self._here(f'this "{self.character}" closes nothing; a value with brackets needs quotes')
        if self.character == ":":
            return self._here('a key is missing before ":"')
        if self.text[: self.mark.column].endswith("'") and self.character.isalpha():
            return self._here(
                "an apostrophe in single quotes is written twice (''), or put the text in double quotes"
            )
        if (cut := self._cut_above()) is not None:
            return cut
        if before.endswith(("'", '"')):
            return self._here("text after a closed quote; put the whole value in one pair of quotes")
        if re.search(r"(?:: |- )[\[{].*[\]}]$", before):
            return self._here(f'text after "{before[-1]}"; a value that begins with a bracket needs quotes')
        return self._here(
            f"this line is not part of the mapping that begins on line {self.begin.line + 1}; "
            "check the indentation"
        )

    def _cut_above(self) -> SyntaxMistake | None:
        """A `#` in the line above that ends a text of several lines, with the rest of it left over here."""
        above = self._line(self.mark.line - 1) if self.mark.line else ""
        comment = _COMMENT.search(above)
        is_deeper = len(self.text) - len(self.text.lstrip()) > self.begin.column
        if comment is None or not above[: comment.start()].strip() or not is_deeper:
            return None
        message = (
            'the text ends before this "#", where a comment begins; put all of it in quotes, or below "|"'
        )
        return SyntaxMistake(message, self.mark.line, comment.start() + 2)

    def _document(self) -> SyntaxMistake | None:
        if "directive" in self.context:
            return self._at_begin('"%" at the start of a line begins a YAML directive; remove the line')
        if "incompatible" in self.problem:
            return self._here("this directive asks for another version of YAML; remove the line")
        if "document" in self.problem:
            return self._here("the document has ended before this; a file holds one mapping")
        return None
