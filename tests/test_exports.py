"""Public is what ``__all__`` says: sorted, complete, there, documented in its place and in the reference."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import trioquotes

PACKAGE = Path(trioquotes.__file__).parent
REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
SPECIAL_FORMS = {"TypeVar", "ParamSpec", "TypeVarTuple", "NewType"}


def names() -> list[str]:
    """Every module of the installed package but the one that runs when imported."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("trioquotes", *path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] != "__main__":
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


MODULES = names()
PUBLIC = [
    name
    for name in MODULES
    if re.fullmatch(r"trioquotes(\.(?!_|cli$)\w+)?|trioquotes\.venues\.[a-z]\w*", name)
]
"""What users import from; deeper modules are homes of what these re-export, and the command line is no API."""


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def defined(tree: ast.Module) -> set[str]:
    """Public names that the module makes itself, but for type variables."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            call = node.value.func if isinstance(node.value, ast.Call) else None
            if isinstance(call, ast.Name) and call.id in SPECIAL_FORMS:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def lazy(tree: ast.Module) -> bool:
    """Whether the module loads what it re-exports when it is asked for."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)


def imported(tree: ast.Module) -> set[str]:
    """Public names that the module's top level imports."""
    for_types = [
        inner
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and lazy(tree)
        for inner in node.body
    ]
    return {
        alias.asname or alias.name.split(".")[0]
        for node in for_types or tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "") != "__future__"
        for alias in node.names
        if not alias.name.startswith("_")
    }


def ruff_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as RUF022 sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def is_empty(tree: ast.Module) -> bool:
    """Whether it holds nothing but its docstring."""
    return len(tree.body) <= 1


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_says_what_is_there(name: str) -> None:
    module = importlib.import_module(name)
    if is_empty(tree_of(module)):
        return
    exported = list(module.__all__)
    assert exported == sorted(set(exported), key=ruff_order)
    assert [export for export in exported if not hasattr(module, export)] == []


@pytest.mark.parametrize("name", MODULES)
def test_all_leaves_nothing_out(name: str) -> None:
    module = importlib.import_module(name)
    tree = tree_of(module)
    if is_empty(tree):
        return
    exported = set(getattr(module, "__all__", ()))
    own = defined(tree)
    left_out = own - exported
    if name not in PUBLIC:  # a private module's constants may serve its tests alone
        left_out = {found for found in left_out if not found.isupper()}
    assert left_out == set()
    if not own:  # it only re-exports: then what it imports is what it offers
        assert imported(tree) == exported


def test_each_public_name_has_one_home() -> None:
    homes: dict[int, set[str]] = {}
    for name in PUBLIC:
        if name != "trioquotes" and not name.startswith("trioquotes.venues"):
            module = importlib.import_module(name)
            for export in getattr(module, "__all__", ()):
                value = getattr(module, export)
                if inspect.isclass(value) or inspect.isfunction(value):
                    homes.setdefault(id(value), set()).add(f"{name}.{export}")
    assert [sorted(home) for home in homes.values() if len(home) > 1] == []


def undocumented(value: object, path: str) -> list[str]:
    """The paths of what has no docstring of its own or inherited: the value and its public members."""
    found = [] if inspect.getdoc(value) else [path]
    if inspect.isclass(value):
        for name, member in vars(value).items():
            if name.startswith("_"):
                continue
            is_code = inspect.isfunction(member) or isinstance(member, property | staticmethod | classmethod)
            if is_code and not inspect.getdoc(getattr(value, name)):
                found.append(f"{path}.{name}")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_every_public_class_and_function_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    missing: list[str] = []
    for export in getattr(module, "__all__", ()):
        value = getattr(module, export)
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == name:
            missing += undocumented(value, f"{name}.{export}")
    assert missing == []


def test_the_check_of_docstrings_sees_what_is_missing() -> None:
    class Bare:
        def method(self) -> None: ...

        @property
        def value(self) -> int:
            return 1

    assert undocumented(Bare, "Bare") == ["Bare", "Bare.method", "Bare.value"]


def in_the_reference() -> dict[str, object]:
    """Every name that a page of the reference documents, with its value."""
    found: dict[str, object] = {}
    for page in REFERENCE.rglob("*.md"):
        for kind, target in re.findall(r"(?:\{|\.\. )(auto\w+|py:data)(?:\}|::) *([\w.]+)", page.read_text()):
            home, _, last = target.rpartition(".")
            if kind == "automodule":
                module = importlib.import_module(target)
                found |= {f"{target}.{name}": getattr(module, name) for name in module.__all__}
            elif home in MODULES:
                found[target] = getattr(importlib.import_module(home), last)
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    documented = in_the_reference()
    homes: dict[str, list[object]] = {}
    for path, value in documented.items():
        homes.setdefault(path.rpartition(".")[2], []).append(value)
    module = importlib.import_module(name)
    exported = {f"{name}.{export}": getattr(module, export) for export in getattr(module, "__all__", ())}
    elsewhere = {  # a re-export is documented at its home
        path
        for path, value in exported.items()
        if any(home is value for home in homes.get(path.rpartition(".")[2], ()))
    }
    modules = {path for path, value in exported.items() if inspect.ismodule(value)}
    assert exported.keys() - documented.keys() - elsewhere - modules == set()
