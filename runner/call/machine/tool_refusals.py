"""Why a tool call of the model is not carried out: what the model is told, and what the log says."""

import re
from dataclasses import dataclass
from enum import Enum

from runner.model.action import Log, LogEvent, LogLevel


class RefusedBecause(Enum):
    """Why a tool call is not carried out, for the log."""

    UNKNOWN_TOOL = "unknown_tool"
    """The model has made it up."""
    ARGUMENTS = "arguments"
    """They do not fit `parameters`."""
    CONDITION = "condition"
    """The tool's `when` does not hold."""
    LIMIT = "limit"
    ENDING = "ending"
    """The call is being transferred, or ended."""
    LEAD = "lead"
    """A person leads the call."""


_MODEL_ERRS = frozenset({RefusedBecause.UNKNOWN_TOOL, RefusedBecause.ARGUMENTS})
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The names that the API allows. Another one could be any words of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRefusal:
    """The tool call cannot be carried out. `error` tells the model how to correct it."""

    because: RefusedBecause
    error: str

    def entry(self, tool: str) -> Log:
        """The log entry about it. The model may have made up anything for the tool's name."""
        is_name = _TOOL_NAME.fullmatch(tool) is not None
        return Log(
            event=LogEvent.TOOL_REFUSED,
            level=LogLevel.WARNING if self.because in _MODEL_ERRS else LogLevel.INFO,
            fields={"tool": tool if is_name else "(not a name)", "because": self.because.value},
        )
