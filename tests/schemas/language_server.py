"""An editor without a screen: opens YAML in the real yaml-language-server, and asks it as editors do."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path
from shutil import copy, rmtree, which
from typing import Any, Self

from tests.patience import PATIENCE_S

PINNED = Path(__file__).parent / "editor"
PLACE = "¦"
PROPERTY = 10
"""What the protocol calls a completion that is a key."""


def why_not() -> str | None:
    """What this machine lacks to run the server, or None."""
    missing = [name for name in ("node", "npm") if which(name) is None]
    return f"{' and '.join(missing)} not found on this machine" if missing else None


def install(cache: Path) -> Path:
    """Install the pinned server into this folder, unless it is there; the result is the server's program."""
    lock = (PINNED / "package-lock.json").read_bytes()
    installed = cache / sha256(lock).hexdigest()[:16]
    if not installed.is_dir():
        fresh = cache / f"{installed.name}.{os.getpid()}"
        fresh.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            copy(PINNED / name, fresh)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        try:
            fresh.rename(installed)
        except OSError:  # another run of the tests was faster
            rmtree(fresh)
    return installed / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


class LanguageServer:
    """The server, with one question at a time. Documents are never written to disk."""

    def __init__(self, program: Path, root: Path) -> None:
        self._program = program
        self._root = root
        self._ids = count(1)
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._watchdog: threading.Timer | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(self._program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._watch()
        capabilities = {
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True}},
                "publishDiagnostics": {},
            }
        }
        root = {"processId": None, "rootUri": self._root.as_uri(), "capabilities": capabilities}
        self._ask("initialize", root)
        self._tell("initialized", {})
        # Only the schema that the file itself names: nothing is fetched from the network.
        settings: dict[str, object] = {
            "schemaStore": {"enable": False},
            "kubernetesCRDStore": {"enable": False},
        }
        settings |= {"validate": True, "hover": True, "completion": True}
        self._tell("workspace/didChangeConfiguration", {"settings": {"yaml": settings}})
        return self

    def __exit__(self, *_: object) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def diagnostics(self, text: str, path: str | None = None) -> list[tuple[int, int, str]]:
        """Line, column (from one) and message of everything that the server marks."""
        uri, _ = self._open(text, path)
        while uri not in self._diagnostics:
            self._receive()
        return [
            (found["range"]["start"]["line"] + 1, found["range"]["start"]["character"] + 1, found["message"])
            for found in self._diagnostics[uri]
        ]

    def hover(self, text: str) -> str:
        """What is shown over the place that `¦` marks, but for the examples, the values and the source."""
        uri, position = self._open(text)
        shown = self._ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})
        told = re.split(r"\n\n(?:Allowed Values|Example|Source):", shown["contents"]["value"])[0]
        return re.sub(r"\\(.)", r"\1", told)

    def completions(self, text: str) -> Mapping[str, str]:
        """Labels of what is suggested at `¦`, each with the document as it is once that is taken."""
        uri, position = self._open(text)
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
        return {item["label"]: _taken(text, item) for item in found["items"]}

    def keys(self, text: str) -> list[str]:
        """The keys among what is suggested at `¦`."""
        uri, position = self._open(text)
        found = self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": position})
        return [item["label"] for item in found["items"] if item.get("kind") == PROPERTY]

    def _watch(self) -> None:
        """A server that hangs must not hang the tests: its end is the end of every wait for it."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = threading.Timer(PATIENCE_S, self._process.kill)
        self._watchdog.start()

    def _open(self, text: str, path: str | None = None) -> tuple[str, dict[str, int]]:
        self._watch()
        before = text.partition(PLACE)[0]
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        uri = (self._root / (path or f"agents/{next(self._ids)}.yaml")).as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text.replace(PLACE, "", 1)}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri, position

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        question = next(self._ids)
        self._send({"id": question, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == question and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        stdin.flush()

    def _receive(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        length = 0
        while (line := stdout.readline()) != b"\r\n":
            assert line, "the language server has ended"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: dict[str, Any] = json.loads(stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message


def _taken(text: str, item: dict[str, Any]) -> str:
    """The document once a completion is taken and its placeholders are left as they stand."""
    edit = item["textEdit"]
    inserted = edit["newText"]
    inserted = re.sub(r"\$\{\d+\|([^,|]*)[^|]*\|\}", r"\1", inserted)
    inserted = re.sub(r"\$\{\d+(?::((?:[^}\\]|\\.)*))?\}|\$\d+", lambda found: found[1] or "", inserted)
    inserted = re.sub(r"\\([\\$}])", r"\1", inserted)
    lines = text.replace(PLACE, "", 1).split("\n")
    start, end = edit["range"]["start"], edit["range"]["end"]
    line = lines[start["line"]]
    # An editor indents what follows as the line is on which it inserts.
    inserted = inserted.replace("\n", "\n" + line[: len(line) - len(line.lstrip(" "))])
    lines[start["line"]] = line[: start["character"]] + inserted + line[end["character"] :]
    return "\n".join(lines)
