"""The one tree of exceptions.

Text in lower case, no full stop; it quotes the value and says what would be right.
What is wrong in a user's file is a `Problem` (runner.config.problem), never an exception.
"""


class PhoneAgentsError(Exception):
    """Anything that stops us and is not a bug."""


class CannotRunError(PhoneAgentsError):
    """The work cannot be done here: a missing variable, a port in use. Exit code 3."""


class UsageError(PhoneAgentsError):
    """The command line is wrong. Exit code 2."""


class WebhookRejectedError(PhoneAgentsError):
    """The webhook is not one that we may act on: malformed, unsigned or stale. A 4xx."""


class TokenRefusedError(PhoneAgentsError):
    """The token of a call from a browser is not one that we may act on. A 401. `code` names the reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class OfferRefusedError(PhoneAgentsError):
    """The session description of a browser is not one that a call can be made of. A 400."""


class TemplateError(PhoneAgentsError):
    """A template cannot be compiled. `line` and `column` count from 1 inside its source."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class TemplateFailure(PhoneAgentsError):  # noqa: N818 - it is the data that fails, nobody made an error
    """The data of this call and an expression do not go together, e.g. text divided by zero.

    Whoever renders a template at run time turns it into an answer for the model or does without the text;
    it never ends a call. The text names the template, for records and logs; a model is told the `reason`
    only, since a template names hosts, headers and secrets.
    """

    def __init__(self, reason: str, *, source: str | None = None, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        """The line of the template that failed, from 1, where that is known."""
        shown = "" if source is None else " ".join(source.split())
        if len(shown) > _LONGEST_SOURCE:
            shown = shown[: _LONGEST_SOURCE - 1] + "…"
        super().__init__(reason if source is None else f'the template "{shown}" failed: {reason}')


_LONGEST_SOURCE = 60
"""Of a template, in a message."""


class StoreError(PhoneAgentsError):
    """The store could not do it now; later it may."""


class StoreRefusedError(StoreError):
    """The store does not take this row, and never will."""


class LeaseLostError(StoreError):
    """This runner's lease is over: it may write nothing before it has asserted its calls again."""


class CallLostError(StoreError):
    """Another runner serves this call, or has brought it to its end: it is no business of ours any more."""


class JournalError(PhoneAgentsError):
    """A call's journal cannot be replayed: what it lived through is unknown."""
