"""Tallies are shown as the metrics of `prometheus_client` are."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from runner.serve.tallies import SizeTally, Tally

BUCKETS = (0.1, 1, 2.5)
SIZES = (0.0, 0.1, 0.5, 1.0, 2.6, 7.0)


def test_a_tally_is_shown_as_a_counter_is() -> None:
    counter = Counter("turns", "Turns of calls.", ("agent", "outcome"), registry=CollectorRegistry())
    tally = Tally("turns", "Turns of calls.", ("agent", "outcome"))
    assert _shown(tally) == _shown(counter)
    for labels, count in ((("desk", "done"), 1), (("desk", 'odd"\n'), 2.5), (("desk", "done"), 3)):
        counter.labels(*labels).inc(count)
        tally.counts[labels] += count
    assert _shown(tally) == _shown(counter)


def test_a_tally_of_sizes_is_shown_as_a_histogram_is() -> None:
    for labels in ((), ("agent",)):
        histogram = Histogram("waits", "Waits.", labels, buckets=BUCKETS, registry=CollectorRegistry())
        tally = SizeTally("waits", "Waits.", BUCKETS, labels)
        assert _shown(tally) == _shown(histogram)
        for size in SIZES:
            values = ("desk",) * len(labels)
            (histogram.labels(*values) if values else histogram).observe(size)
            tally.observe(size, values)
        assert _shown(tally) == _shown(histogram)


def _shown(metric: Tally | SizeTally | Counter | Histogram) -> str:
    registry = CollectorRegistry()
    registry.register(metric)
    return generate_latest(registry).decode()
