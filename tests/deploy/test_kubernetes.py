"""The manifests and their agents are valid, and agree with each other and with what the runner serves."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.config.load import load
from runner.serve.browser.pages import page_routes
from runner.serve.timeouts import Timeouts
from tests.docs.metrics_table import metric_names
from tests.docs.pages import ROOT

FOLDER = ROOT / "deploy/kubernetes"
OLDEST, NEWEST = "1.30.0", "1.37.0"
"""`sleep` before a stop came with 1.30."""


def manifests() -> dict[str, Any]:
    """Every object, by its kind and name."""
    found = [
        document
        for path in sorted(FOLDER.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if path.name != "kustomization.yaml"
    ]
    return {f"{one['kind']} {one['metadata']['name']}": one for one in found}


@pytest.fixture
def pod() -> Any:
    return manifests()["Deployment phone-agents"]["spec"]["template"]


@pytest.mark.deploy
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", sorted(manifests()))
def test_a_manifest_is_valid(name: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="the extra deploy is not installed"
    )
    # As JSON, which has no anchors and no dates.
    kubernetes_validate.validate(json.loads(json.dumps(manifests()[name])), version, strict=True)


def test_kustomize_names_every_file() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {path.name for path in FOLDER.glob("*.yaml")}
    assert {*kustomization["resources"], "kustomization.yaml"} == files
    (agents,) = kustomization["configMapGenerator"]
    assert agents["files"] == [f"agents/{path.name}" for path in sorted((FOLDER / "agents").iterdir())][::-1]


def test_the_agents_are_valid_as_a_config_map_shows_them(tmp_path: Path) -> None:
    shown = tmp_path / "..2026_11_23_17_00_00.1"
    shutil.copytree(FOLDER / "agents", shown)
    (tmp_path / "..data").symlink_to(shown.name)
    for path in shown.iterdir():
        (tmp_path / path.name).symlink_to(f"..data/{path.name}")
    loaded = load(tmp_path, None)
    assert loaded.configuration is not None
    assert list(loaded.configuration.agents) == ["front-desk"]
    assert {problem.rule for problem in loaded.problems} <= {"secret-missing"}


def test_ports_are_those_that_the_runner_listens_at(pod: Any) -> None:
    server = yaml.safe_load((FOLDER / "agents/runner.yaml").read_text())["server"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": server["port"], "admin": server["admin"]["port"]}
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["admin"])
    rules = manifests()["NetworkPolicy phone-agents"]["spec"]["ingress"]
    named = {port["port"] for rule in rules for port in rule["ports"]}
    assert named == set(ports)
    # Pods pass on to one another what people and pages ask about calls.
    among_pods = [rule for rule in rules if any("podSelector" in source for source in rule["from"])]
    assert {port["port"] for rule in among_pods for port in rule["ports"]} == set(ports)


def test_probes_ask_for_life_and_readiness(pod: Any) -> None:
    (container,) = pod["spec"]["containers"]
    asked = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
    assert asked == {
        "startup": {"path": "/healthz", "port": "http"},
        "readiness": {"path": "/readyz", "port": "http"},
        "liveness": {"path": "/healthz", "port": "http"},
    }


def test_a_pod_has_the_time_that_its_end_takes(pod: Any) -> None:
    (container,) = pod["spec"]["containers"]
    loaded = load(FOLDER / "agents", None)
    assert loaded.configuration is not None
    drain_s = loaded.configuration.settings.server.drain_timeout_s
    needed_s = container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain_s + end_s()
    assert needed_s <= pod["spec"]["terminationGracePeriodSeconds"] <= needed_s + 60


def end_s() -> float:
    """What the end of a process takes at most, once the live calls have had their time."""
    timeouts = Timeouts()
    return timeouts.end_s + timeouts.save_s + timeouts.after_call_s + timeouts.close_s + timeouts.shutdown_s


def test_every_object_selects_the_pods(pod: Any) -> None:
    labels = pod["metadata"]["labels"]
    selecting = ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy")
    specs = [found["spec"] for name, found in manifests().items() if name.startswith(selecting)]
    found = [spec.get("selector") or spec["podSelector"] for spec in specs]
    selectors = [selector.get("matchLabels", selector) for selector in found]
    assert len(selectors) == 5
    assert all(selector == labels for selector in selectors)


def test_the_autoscaler_goes_by_a_metric_that_there_is() -> None:
    (metric,) = manifests()["HorizontalPodAutoscaler phone-agents"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in metric_names()


def test_what_is_public_is_what_the_proxies_forward() -> None:
    (rule,) = manifests()["Ingress phone-agents"]["spec"]["rules"]
    public = {path["path"]: path["pathType"] for path in rule["http"]["paths"]}
    told = (ROOT / "deploy/caddy/Caddyfile").read_text()
    paths = re.findall(r"path (/.+)", told)
    forwarded = {path.removesuffix("/*") for line in paths for path in line.split()}
    assert set(public) == forwarded
    assert {path for path, kind in public.items() if kind == "Prefix"} == {"/calls", "/talk"}
    assert {route.path.removesuffix("/{agent}") for route in page_routes(lambda: (), is_dev=False)} <= set(
        public
    )


def test_secrets_are_named_where_the_secret_is_described() -> None:
    told = (FOLDER / "kustomization.yaml").read_text()
    named = re.findall(r"env: (\w+)", (FOLDER / "agents/runner.yaml").read_text())
    assert len(named) == 4
    assert [name for name in named if name not in told] == []
