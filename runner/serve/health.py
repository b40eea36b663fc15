"""What keeps this runner from answering calls: shown by `/readyz` and in the metrics."""

import logging

from runner.serve.metrics import Metrics

log = logging.getLogger("runner.serve.health")


class Health:
    """The obstacles by the part that has them. While there is one, the runner is not ready.

    An obstacle costs the next caller, e.g. the voice API refuses our key.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._obstacles: dict[str, str] = {}

    def obstacle(self, part: str, what: str) -> None:
        """This part cannot do its work. `what` says what to do about it; it is logged when it is new."""
        if self._obstacles.get(part) != what:
            log.error("not ready", extra={"part": part, "detail": what})
        self._obstacles[part] = what
        self._metrics.obstacles.labels(part=part).set(1)

    def well(self, part: str) -> None:
        """This part works, again or still."""
        if self._obstacles.pop(part, None) is not None:
            log.info("ready again", extra={"part": part})
            self._metrics.obstacles.labels(part=part).set(0)

    def obstacles(self) -> list[str]:
        """What there is; empty when all is well."""
        return list(self._obstacles.values())
