"""The bounds that the code holds to, by the names under which the page about operating tells them."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import runner
from runner.serve.descriptors import DescriptorShares
from runner.serve.timeouts import Timeouts

Number = int | float


def of_serving() -> Iterator[str]:
    """The names of every bound of the serving side: its deadlines, and the numbers of its modules."""
    yield from (f"serve.timeouts.{field.name}" for field in fields(Timeouts))
    for path in sorted((Path(runner.__file__).parent / "serve").glob("*.py")):
        for name in _constants(path):
            if isinstance(getattr(import_module(f"runner.serve.{path.stem}"), name), Number):
                yield f"serve.{path.stem}.{name}"


def value(name: str) -> str:
    """What a bound is, as the page shows it. Raises AttributeError or ImportError when there is none."""
    if name == "serve.descriptors.DescriptorShares.of":
        return f"{DescriptorShares.of(1 << 20).connections:,}"
    module, _, constant = name.rpartition(".")
    owner = Timeouts() if module == "serve.timeouts" else import_module(f"runner.{module}")
    return shown(constant, getattr(owner, constant))


def shown(name: str, found: Number | tuple[Number, ...] | Mapping[object, Number]) -> str:
    """A number with its unit, which its name tells."""
    if isinstance(found, Mapping):
        found = tuple(found.values())
    if isinstance(found, tuple):
        return f"{', '.join(f'{one:g}' for one in found)} s"
    if name.lower().endswith("_s"):
        return f"{found / 3600:g} h" if found % 3600 == 0 and found else f"{found:g} s"
    if "BYTES" in name:
        units = ((1024 * 1024, "MiB"), (1024, "KiB"), (1, "bytes"))
        size, unit = next((size, unit) for size, unit in units if found % size == 0)
        return f"{found // size:g} {unit}"
    return f"{found:,}"


def _constants(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper() and not name.startswith("_"):
                yield name
