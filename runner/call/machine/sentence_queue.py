"""Holds what waits to be said by the agent: sentences, and wishes to continue."""

from runner.call.machine.sentence import Request, Sentence


class SentenceQueue:
    """The sentences of one call that were not requested yet, in order."""

    __slots__ = ("_goes_on", "_nudge", "_sentences")

    def __init__(self) -> None:
        self._sentences: list[Sentence] = []
        self._goes_on = False
        self._nudge = False

    def say(
        self,
        text: str,
        *,
        key: str = "",
        is_persons: bool = False,
        is_first: bool = False,
        yields: bool = False,
    ) -> None:
        """Queue a sentence for the caller; `is_first`: ahead of the others; `yields`: it is dropped when the
        API is making a response already.
        """
        sentence = Sentence(say=text, key=key, is_persons=is_persons, yields=yields)
        self._sentences.insert(0 if is_first else len(self._sentences), sentence)

    def tell(self, text: str, *, key: str = "", yields: bool = False) -> None:
        """Queue an instruction for one response; for `yields` see `say`."""
        self._sentences.append(Sentence(tell=text, key=key, yields=yields))

    def go_on(self) -> None:
        """Let the model continue as soon as the floor is free, unless the API does by itself."""
        self._goes_on = True

    def nudge(self) -> None:
        """Let the model continue if nobody is speaking; dropped when somebody does."""
        self._nudge = True

    def api_goes_on(self, *, sees_all: bool) -> None:
        """The API answers the caller by itself, and so says what we wanted to add to the outputs that it has.

        Not `sees_all`: an output has crossed with it.
        """
        self._nudge = False
        self._goes_on = self._goes_on and not sees_all

    def put_back(self, request: Request, *, somebody_speaks: bool = False) -> None:
        """A request was refused: what it was for waits again, except for a nudge, and for what yields where
        `somebody_speaks`.
        """
        self._sentences[:0] = [
            sentence for sentence in request.sentences if not (somebody_speaks and sentence.yields)
        ]
        self._goes_on = self._goes_on or not (request.sentences or request.is_nudge)

    def withdraw(self, key: str) -> None:
        """Drop the sentences with this key."""
        self._sentences = [sentence for sentence in self._sentences if sentence.key != key]

    def drop(self, *, except_persons: bool = False) -> tuple[Sentence, ...]:
        """Drop everything, or everything that no person wants said; returns the dropped sentences."""
        before = self._sentences
        self._sentences = [sentence for sentence in before if except_persons and sentence.is_persons]
        dropped = tuple(sentence for sentence in before if not (except_persons and sentence.is_persons))
        self._goes_on = self._nudge = False
        return dropped

    def take(self, wish: str) -> Request | None:
        """The request for the next response; None when nothing waits.

        One response says all sentences at the head of the queue that are alike: only `say`, or only `tell`.
        """
        if self._sentences:
            sentences = [self._sentences.pop(0)]
            while self._sentences and (self._sentences[0].say is None) == (sentences[0].say is None):
                sentences.append(self._sentences.pop(0))
            return Request(wish=wish, sentences=tuple(sentences))
        if not (self._goes_on or self._nudge):
            return None
        request = Request(wish=wish, is_nudge=not self._goes_on)
        self._goes_on = self._nudge = False
        return request
