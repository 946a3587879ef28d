"""Who may import whom, what a pure module may touch, and what every module owes its readers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import trioquotes

PACKAGE = Path(trioquotes.__file__).parent

LAYERS = (
    {"errors", "credentials"},
    {"events", "topics"},
    {"books"},
    {"_protocol"},
    {"lowlevel", "venues.*"},
    {"venues"},
    {"_runtime"},
    {"recording"},
    {"testing"},
    {"cli"},
)
"""Each may import what stands before it; within a layer see BESIDE."""

BESIDE = {("credentials", "errors"), ("topics", "events"), ("venues.*", "lowlevel")}
"""Pairs of one layer in which the first may import the second."""

FINDS_VENUES = {"_runtime.session"}
"""The only modules of the runtime that may look a venue up by its name."""

WITNESS_MAY = {"errors", "events", "topics"}
"""The simulator writes frames from the venues' documentation: it must not share our reading of them."""

SERVER = {"simulator.server", "simulator.connection"}
"""The simulator's own side of the WebSocket library."""

OUTSIDE = {
    "trio_websocket": {"_runtime.transport", *SERVER},
    "wsproto": {"_runtime.transport", *SERVER},
    "fast_stark_crypto": {"venues.edgex.stark"},
    "h11": {"_protocol.tunnels", "_runtime.metrics", "_runtime.upgrade"},
    "httpcore2": {"_runtime.rest"},
    "httpx2": {"_runtime.rest"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "prometheus_client": {"_runtime.metrics"},
    "jwt": {"venues.upbit.auth"},
    "trustme": {"cli", "testing", "simulator"},
    "numpy": {"books.export"},
    "pyarrow": {"books.export", "recording.export_arrow"},
}
"""Foreign packages with a seam: the only modules, or packages, of ours that import them."""

IMPURE = {
    "asyncio", "concurrent", "httpx2", "logging", "multiprocessing", "os", "pathlib", "queue", "random", "secrets",
    "select", "signal", "socket", "ssl", "stamina", "subprocess", "threading", "time", "trio", "trio_websocket",
    "uuid.uuid1", "uuid.uuid4", "wsproto",
}  # fmt: skip
"""What brings I/O, a clock, randomness or a log into a module that must be values in, values out."""

CLOCKS = {"now", "utcnow", "today"}
"""Methods of ``datetime`` that read the clock."""

PURE = ("_protocol", "venues", "books", "events", "topics", "errors", "lowlevel")

TOO_LONG = 450
LONG_ON_PURPOSE: dict[str, str] = {}
"""Modules over the gate, each with its reason."""


class Module(NamedTuple):
    """One module of the package: its dotted name below ``trioquotes``, its text and whether it is a package."""

    name: str
    text: str
    is_package: bool = False

    @property
    def layer(self) -> str:
        """The unit of the layering rule: a top-level name, or ``venues.*`` for what belongs to one venue."""
        parts = self.name.split(".")
        return "venues.*" if parts[0] == "venues" and len(parts) > 1 else parts[0]


def modules() -> list[Module]:
    """Every module of the installed package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        found.append(Module(".".join(parts[:-1] if is_package else parts), path.read_text(), is_package))
    return found


MODULES = modules()
KNOWN = {module.name for module in MODULES}


def imports(module: Module, known: set[str]) -> Iterator[str]:
    """Full names of everything imported, at the top, in functions and under ``TYPE_CHECKING`` alike.

    ``from a import b`` yields ``a.b`` where that is a module of ours or ``a`` is foreign, else ``a``.
    """
    for node in ast.walk(ast.parse(module.text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = ["trioquotes", *module.name.split(".")] if module.name else ["trioquotes"]
                up = node.level - (1 if module.is_package else 0)
                base = ".".join([*here[: len(here) - up], *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                ours = base.split(".")[0] == "trioquotes"
                yield full if not ours or full.removeprefix("trioquotes.") in known else base


def layer_of(target: str) -> str:
    """The layer that a full name of ours belongs to; empty for the package itself."""
    parts = target.split(".")[1:]
    if not parts:
        return ""
    return "venues.*" if parts[0] == "venues" and len(parts) > 1 else parts[0]


def rank(layer: str) -> int:
    """The place of a layer, counted from the bottom."""
    return next(place for place, names in enumerate(LAYERS) if layer in names)


def breach(module: Module, target: str) -> str | None:
    """Why this module may not import that name of ours, or ``None``."""
    source, wanted = module.layer, layer_of(target)
    if module.name in {
        "",
        "__main__",
    }:  # the shop window and the command's door are imported by nobody inside
        return None
    if not wanted:
        return "nothing inside imports the package itself"
    if source == "simulator":
        return None if wanted in WITNESS_MAY | {"simulator"} else "the simulator is an independent witness"
    if wanted == "simulator":
        return None if source in {"testing", "cli"} else "only testing and cli start simulators"
    if source == wanted == "venues.*":
        same = module.name.split(".")[1] == target.split(".")[2]
        return None if same else "a venue never imports another"
    if source == "_runtime" and wanted == "venues.*":
        return "the runtime meets venues only through Venue"
    if source == "_runtime" and wanted == "venues" and module.name not in FINDS_VENUES:
        return "a venue is looked up in one place"
    if source == wanted or (source, wanted) in BESIDE or rank(wanted) < rank(source):
        return None
    return f"{wanted} does not stand below {source}"


def violations(module: Module, known: set[str]) -> list[str]:
    """Every way in which the module's imports break a rule of the house."""
    found = []
    for target in imports(module, known):
        if target.split(".")[0] == "trioquotes":
            why = breach(module, target)
            if why:
                found.append(f"{module.name} imports {target}: {why}")
            continue
        for foreign, homes in OUTSIDE.items():
            at_home = any(module.name == home or module.name.startswith(f"{home}.") for home in homes)
            if target.split(".")[0] == foreign and not at_home:
                found.append(f"{module.name} imports {target}: only {', '.join(sorted(homes))} may")
        parents = {target, target.rpartition(".")[0], target.split(".")[0]}
        if module.name.split(".")[0] in PURE and parents & IMPURE:
            found.append(f"{module.name} imports {target}: it is sans-I/O")
    if module.name.split(".")[0] in PURE:
        found += [
            f"{module.name} calls {ast.unparse(node)}: it has no clock"
            for node in ast.walk(ast.parse(module.text))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCKS
            and ast.unparse(node.func.value).split(".")[-1] in {"datetime", "date"}
        ]
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or "trioquotes")
def test_imports_keep_to_the_layers(module: Module) -> None:
    assert violations(module, KNOWN) == []


def test_every_module_belongs_to_a_layer() -> None:
    layers = set().union(*LAYERS) | {"simulator", "__main__", ""}
    assert {module.layer for module in MODULES} - layers == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("events", "from trioquotes.topics import Topic"),
        ("errors", "import trioquotes.credentials"),
        ("books", "from trioquotes._protocol.effects import Stamp"),
        ("_protocol.ledger", "def late():\n    from trioquotes._runtime import session"),
        ("_protocol.ledger", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import trio"),
        ("_protocol.ledger", "import os.path"),
        ("_protocol.ledger", "from .. import recording"),
        ("_protocol.ledger", "from trioquotes import Session"),
        ("venues.coinbase.auth", "from time import time"),
        ("venues.coinbase.auth", "import random"),
        ("venues.coinbase.auth", "from uuid import uuid4"),
        ("venues.coinbase.auth", "from logging import getLogger"),
        ("venues.coinbase.auth", "import datetime\nstamp = datetime.datetime.now(datetime.UTC)"),
        ("venues.coinbase.auth", "from trioquotes.venues.upbit import messages"),
        ("venues.coinbase.auth", "from ..upbit.messages import Trade"),
        ("venues.coinbase.auth", "from trioquotes.venues import VENUES"),
        ("_runtime.session", "from trioquotes.venues.coinbase import VENUE"),
        ("_runtime.session", "from trioquotes.venues import coinbase"),
        ("_runtime.connection", "from trioquotes.venues import VENUES"),
        ("_runtime.session", "import wsproto.frame_protocol as frames"),
        ("_runtime.session", "async def open():\n    import trio_websocket"),
        ("_runtime.session", "from trioquotes.simulator import server"),
        ("_runtime.session", "from trioquotes.cli import main"),
        ("_runtime.connection", "import httpx2"),
        ("simulator.venues.coinbase", "from trioquotes._protocol.effects import Stamp"),
        ("simulator.venues.coinbase", "from trioquotes.venues.coinbase.messages import Match"),
        ("simulator.venues.coinbase", "import trioquotes.books"),
        ("simulator.market", "import trio_websocket"),
        ("recording.format", "import rich"),
    ],
)
def test_the_checker_sees_a_breach(name: str, text: str) -> None:
    known = KNOWN | {
        "recording",
        "venues.coinbase",
        "venues.upbit",
        "venues.upbit.messages",
        "simulator.server",
    }
    assert violations(Module(name, text), known) != []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_protocol.ledger", "from trioquotes.events import Gap\nfrom .effects import Stamp"),
        ("_runtime.session", "def find():\n    from trioquotes.venues import VENUES"),
        ("_runtime.transport", "import trio_websocket, wsproto"),
        ("venues.coinbase.protocol", "from .messages import Match\nfrom trioquotes.lowlevel import Stamp"),
        (
            "venues.coinbase.unify",
            "from datetime import datetime\nwhen = datetime.fromisoformat('2026-01-01')",
        ),
        ("venues", "from trioquotes.venues import coinbase"),
        ("simulator.server", "import trio_websocket\nfrom trioquotes.events import Trade"),
        ("cli.demo", "import rich.live\nfrom trioquotes.simulator import server"),
    ],
)
def test_the_checker_lets_the_allowed_pass(name: str, text: str) -> None:
    known = KNOWN | {"venues.coinbase", "simulator.server"}
    assert violations(Module(name, text, is_package=name == "venues"), known) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or "trioquotes")
def test_module_opens_with_docstring_and_future_import(module: Module) -> None:
    tree = ast.parse(module.text)
    assert ast.get_docstring(tree), "no docstring"
    rest = tree.body[1:]
    if not rest:
        return  # a package that only holds modules
    first = rest[0]
    assert isinstance(first, ast.ImportFrom)
    assert (first.module, [alias.name for alias in first.names]) == ("__future__", ["annotations"])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or "trioquotes")
def test_module_can_be_read_in_one_sitting(module: Module) -> None:
    length = len(module.text.splitlines())
    assert length <= TOO_LONG or module.name in LONG_ON_PURPOSE


def test_long_modules_are_allowed_only_while_they_are_long() -> None:
    lengths = {module.name: len(module.text.splitlines()) for module in MODULES}
    assert [name for name in LONG_ON_PURPOSE if lengths.get(name, 0) <= TOO_LONG] == []


HEAVY = (
    "cyclopts",
    "rich",
    "httpx2",
    "httpcore2",
    "stamina",
    "trustme",
    "jwt",
    "prometheus_client",
    "fast_stark_crypto",
    "numpy",
    "pyarrow",
)


@pytest.mark.parametrize("statement", ["import trioquotes", "import trioquotes.venues, trioquotes.lowlevel"])
def test_import_loads_neither_rest_nor_command_line_nor_extras(statement: str) -> None:
    question = f"import sys; {statement}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.split() == []


@pytest.mark.parametrize("name", HEAVY[:6])
def test_what_must_not_be_loaded_is_installed(name: str) -> None:
    question = f"import sys; import {name}; print({name!r} in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.split() == ["True"]
