"""The one tree of exceptions. Text in lower case, no full stop; it quotes the value and says what would be
right.

A mistake in a user's file is a `Problem` (runner.config.problem), never an exception.
"""

from runner.wording import cut


class PhoneAgentsError(Exception):
    """An error that prevents the work and is not a bug."""


class CannotRunError(PhoneAgentsError):
    """The work cannot be done here: a missing variable, a port in use. Exit code 3."""


class UsageError(PhoneAgentsError):
    """The command line is wrong. Exit code 2."""


class WebhookRejectedError(PhoneAgentsError):
    """The webhook must not be acted upon: malformed, unsigned or stale. A 4xx."""


class TokenRefusedError(PhoneAgentsError):
    """The token of a browser's call must not be acted upon. A 401. `code` names the reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class OfferRefusedError(PhoneAgentsError):
    """No call can be created from the session description of a browser. A 400."""


class TemplateError(PhoneAgentsError):
    """A template cannot be compiled. `line` and `column` count from 1 in its source."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class TemplateFailure(PhoneAgentsError):  # noqa: N818 - it is the data that fails, nobody made an error
    """The data of this call does not fit an expression, e.g. text divided by zero.

    The code that renders a template at run time turns it into an answer for the model or does without the
    text; it never ends a call. The text names the template, for records and logs; a model sees only the
    `reason`, since a template names hosts, headers and secrets.
    """

    def __init__(self, reason: str, *, source: str | None = None, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        """The line of the template that failed, from 1, where it is known."""
        shown = cut(" ".join((source or "").split()), _LONGEST_SOURCE)
        super().__init__(reason if source is None else f'the template "{shown}" failed: {reason}')


_LONGEST_SOURCE = 60
"""Of a template, in a message."""


class StoreError(PhoneAgentsError):
    """The store cannot do it now; later it may."""


class StoreRefusedError(StoreError):
    """The store does not accept this row, and never will."""


class LeaseLostError(StoreError):
    """This runner's lease is over: it may write nothing before it has asserted its calls again."""


class ClockError(StoreError):
    """The clock of this machine differs from the database's: timers of others' calls would be wrong here, and
    records would be deleted too early.
    """


class CallLostError(StoreError):
    """Another runner serves this call, or has ended it."""


class JournalError(PhoneAgentsError):
    """A call's journal cannot be replayed: what has happened to it is unknown."""
