"""Sessions of our own making, in the orders of events of real ones: see `data/README.md`."""

from pathlib import Path

DATA = Path(__file__).parent / "data"
NAMES = tuple(sorted(path.stem for path in DATA.glob("*.jsonl")))


def frames(name: str) -> list[str]:
    """What the sideband brings, frame by frame; empty where it is lost and opened again."""
    return (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
