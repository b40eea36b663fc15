"""What a configuration declares for scenarios to touch, and where it stands."""

from pathlib import Path

from runner.config.load import load
from runner.model.declaration import DeclarationKind

RUNNER = """\
routing:
  reject:
    - {from: {country: GB}}
tools:
  find_order:
    description: Find an order.
    http: {url: "https://api.example/orders"}
defaults:
  model: gpt-realtime-2.1
  limits: {max_duration: 10m}
"""
DESK = """\
agent: desk
instructions: Help.
routes:
  - to: "+18005550142"
  - {to: "+18005550143"}
tools:
  - find_order
  - name: note
    description: A note.
    static: Noted.
  - {name: over, description: To the other., handoff: {agent: other}}
  - name: put_through
    description: Put through.
    transfer:
      destinations:
        nurse: "tel:+15185550172"
        office: "tel:+15185550171"
limits: {silence: {after: 20s, say: Hello?, then: hangup}}
guardrails:
  - {name: rude, on: agent, matches: idiot, then: cancel}
"""
OTHER = "agent: other\ninstructions: Help.\ntools: [find_order]\n"


def test_everything_that_is_declared_has_its_place(tmp_path: Path) -> None:
    for name, text in (("runner", RUNNER), ("desk", DESK), ("other", OTHER)):
        (tmp_path / f"{name}.yaml").write_text(text)
    loaded = load(tmp_path)
    assert loaded.configuration is not None, loaded.problems
    found = [
        (one.kind, one.agent, one.name, f"{Path(one.place.file).stem}:{one.place.line}:{one.place.column}")
        for one in loaded.declared
    ]
    assert found == [
        (DeclarationKind.REJECT_RULE, "", "", "runner:3:7"),
        (DeclarationKind.ROUTE, "desk", "", "desk:4:5"),
        (DeclarationKind.ROUTE, "desk", "", "desk:5:5"),
        (DeclarationKind.TOOL, "desk", "find_order", "runner:6:5"),
        (DeclarationKind.TOOL, "desk", "note", "desk:8:5"),
        (DeclarationKind.HANDOFF, "desk", "over", "desk:11:5"),
        (DeclarationKind.TRANSFER, "desk", "put_through: nurse", "desk:16:9"),
        (DeclarationKind.TRANSFER, "desk", "put_through: office", "desk:17:9"),
        (DeclarationKind.LIMIT, "desk", "max_duration", "runner:10:12"),
        (DeclarationKind.LIMIT, "desk", "silence", "desk:18:10"),
        (DeclarationKind.GUARDRAIL, "desk", "rude", "desk:20:12"),
        (DeclarationKind.TOOL, "other", "find_order", "runner:6:5"),
        (DeclarationKind.LIMIT, "other", "max_duration", "runner:10:12"),
    ]
