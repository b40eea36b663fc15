"""Lists the secrets that a configuration needs, with the places that name them. Never reads one."""

from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.checking.checked import Checked
from runner.config.node import Node
from runner.config.problem import Problem, Severity
from runner.model.settings import SecretRef
from runner.model.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededSecret:
    """A secret that the files name."""

    ref: SecretRef
    place: Place


def secret_ref(node: Node) -> SecretRef:
    """Where a secret is, from a well-formed node."""
    env, file = node.get("env"), node.get("file")
    return SecretRef(env=env.text if env else None, file=file.text if file else None)


def written_secret(node: Node) -> Problem:
    """The warning about a secret that stands in a file itself; its line is not shown."""
    return Problem(
        place=node.place,
        rule="literal-secret",
        message='a secret is written out here; write "{{ secrets.NAME }}", declared in runner.yaml',
        severity=Severity.WARNING,
        hide_source=True,
    )


def needed_secrets(runner: Checked) -> Iterator[NeededSecret]:
    """The secrets that runner.yaml names, without those that every process needs by default."""
    root = runner.root
    nodes = [root.find("provider", "api_key"), *root.entries_at("provider", "webhook_secrets")]
    nodes.append(root.find("server", "browser", "secret"))
    store = root.get("store")
    nodes += [store] if store is not None and not isinstance(store.value, str) else []
    for path in (("secrets",), ("server", "admin", "tokens")):
        nodes += [node for _, node in root.items_at(*path)]
    for node in nodes:
        if node is not None and runner.sound(node):
            yield NeededSecret(ref=secret_ref(node), place=node.place)
