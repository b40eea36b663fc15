"""The table of metrics, made from the registry."""

from prometheus_client import Counter, Gauge, Histogram, Info, Metric
from prometheus_client.metrics import MetricWrapperBase

from runner.serve.metrics import Metrics
from runner.serve.tallies import SizeTally, Tally
from tests.docs.pages import table

AnyMetric = MetricWrapperBase | Tally | SizeTally

_TYPES: dict[type[AnyMetric], str] = {
    Counter: "counter",
    Gauge: "gauge",
    Histogram: "histogram",
    Info: "gauge",
    Tally: "counter",
    SizeTally: "histogram",
}
_SUFFIXES: dict[type[AnyMetric], str] = {Counter: "_total", Tally: "_total", Info: "_info"}
LABELS_OF_INFO = ("version",)


def metrics_table() -> str:
    """Every metric with its type, its labels and what it counts."""
    rows = [
        (f"`{name}`", _TYPES[type(metric)], ", ".join(f"`{label}`" for label in labels(metric)), told)
        for name, metric in metrics().items()
        for told in [_described(metric).documentation]
    ]
    return table(("metric", "type", "labels", "meaning"), rows)


def metrics() -> dict[str, AnyMetric]:
    """The metrics of a runner by the names that Prometheus stores them under."""
    whole = Metrics()
    made = [
        metric
        for metric in (*vars(whole).values(), *vars(whole.served).values())
        if isinstance(metric, AnyMetric)
    ]
    return {f"{_described(metric).name}{_SUFFIXES.get(type(metric), '')}": metric for metric in made}


def labels(metric: AnyMetric) -> tuple[str, ...]:
    """The labels of a metric."""
    if isinstance(metric, Tally | SizeTally):
        return metric.labels
    return LABELS_OF_INFO if isinstance(metric, Info) else metric._labelnames


def metric_names() -> set[str]:
    """Every name that a query may hold, those of the parts of a histogram among them."""
    names = set(metrics())
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "count", "sum")}


def _described(metric: AnyMetric) -> Metric:
    (described,) = metric.describe()
    return described
