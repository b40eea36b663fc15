"""A request for an access token is answered by the stand-in, and is not shown as a request of the tool."""

import json
from pathlib import Path

import pytest

from runner.cli.main import main

AGENT = """\
agent: desk
routes: [{to: "+18005550142"}]
model: gpt-realtime-2.1
instructions: You answer the telephone.
tools:
  - name: find
    description: Find it.
    http:
      url: https://a.example/find
      auth:
        oauth2:
          token_url: https://login.a.example/token
          client_id: a
          client_secret: "{{ secrets.CLIENT }}"
    result: {example: {found: true}}
"""


def test_a_tool_with_a_grant_is_played_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "desk.yaml").write_text(AGENT)
    (tmp_path / "runner.yaml").write_text("secrets: {CLIENT: {env: CLIENT}}")
    assert main(["simulate", str(tmp_path), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [request["url"] for request in told["requests"]] == ["https://a.example/find"]
    assert [(tool["name"], tool["status"]) for tool in told["record"]["tools"]] == [("find", "ok")]
