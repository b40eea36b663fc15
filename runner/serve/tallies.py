"""Metrics of what happens in every turn of every call, as cheap as an addition.

Those of `prometheus_client` take a lock and check their labels at each step. These are counted by the event
loop alone, which also shows them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in the order of their names."""


class Tally(Collector):
    """A number that only grows, for each combination of labels: `tally.counts[labels] += 1`."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name = name
        self._text = text
        self.labels = tuple(labels)
        self.counts: defaultdict[Labels, float] = defaultdict(float)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Name, meaning and labels, for the registry."""
        yield CounterMetricFamily(self._name, self._text, labels=self.labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The same with what was counted."""
        for family in self.describe():
            for values, count in self.counts.items():
                family.add_metric(values, count)
            yield family


class SizeTally(Collector):
    """How often each size was seen, for each combination of labels."""

    def __init__(self, name: str, text: str, buckets: Sequence[float], labels: Sequence[str]) -> None:
        """`buckets` are upper bounds; what is larger counts as well."""
        self._name = name
        self._text = text
        self.labels = tuple(labels)
        self._bounds = (*buckets, inf)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)
        if not labels:
            self._counts[()] = [0] * len(self._bounds)

    def observe(self, size: float, labels: Labels = ()) -> None:
        """Count a size."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * len(self._bounds)
        counts[bisect_left(self._bounds, size)] += 1
        self._sums[labels] += size

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Name, meaning and labels, for the registry."""
        yield HistogramMetricFamily(self._name, self._text, labels=self.labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The same with what was counted."""
        bounds = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]
        for family in self.describe():
            for values, counts in self._counts.items():
                buckets = [*zip(bounds, accumulate(counts), strict=True)]
                family.add_metric(values, buckets, self._sums[values])
            yield family
