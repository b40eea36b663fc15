"""How fast a call proceeds at the stand-in, in virtual seconds. Values only."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The durations of one call. The defaults are those of people and of the real API."""

    reaction_s: float = 0.6
    """Before people answer."""
    key_s: float = 0.2
    """Between two keys that are pressed."""
    spoken_word_s: float = 0.3
    """Of the caller, and of the model as it plays."""
    thinking_s: float = 0.4
    """Before a response begins, and before the caller's words are transcribed."""
    word_s: float = 0.05
    """The model makes words faster than it speaks them."""


AS_PEOPLE_SPEAK = Pace()
AT_ONCE = Pace(reaction_s=0.0, key_s=0.0, spoken_word_s=0.0, thinking_s=0.0, word_s=0.0)
"""Nothing takes time, except what waits for something else."""
SPOKEN = replace(AT_ONCE, spoken_word_s=AS_PEOPLE_SPEAK.spoken_word_s)
"""As `AT_ONCE`, but words take their time to be heard."""
