"""Imports point down only: runtime → smtp, web → services → ports → domain; adapters → ports, domain."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempmail

PACKAGE = Path(tempmail.__file__).parent

BASE = {"errors", "clock", "log", "metrics"}
SETTINGS = {
    "settings",
    "setting_checks",
    "setting_docs",
    "setting_sending",
    "setting_sources",
    "setting_values",
    "secret_file",
    "wrangler",
}
CORE = {"services", "ports", "domain", *BASE}

# Room (a folder or a module directly below tempmail/) → the rooms it may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "log": set(),
    "metrics": set(),
    **{module: {"errors", *SETTINGS} for module in SETTINGS},
    "domain": {"errors"},
    "ports": {"domain", "errors"},
    "services": CORE,
    "adapters": {"ports", "domain", *BASE},
    "smtp": CORE,
    "web": CORE,
    "sandbox": {"web", *CORE},
    "runtime": {"__init__", "smtp", "web", "sandbox", "adapters", *CORE, *SETTINGS},
    "cli_english": set(),
    "cli_verbs": SETTINGS,
    "cli_accounts": {"cli_english", "cli_verbs", "runtime", *CORE, *SETTINGS},
    "cli_outbox": {"cli_english", "cli_verbs", "runtime", *CORE, *SETTINGS},
    "cli_sandbox": {"runtime", *CORE, *SETTINGS},
    "cli": {"__init__", "cli_accounts", "cli_outbox", "cli_sandbox", "runtime", "web", *CORE, *SETTINGS},
    "__main__": {"cli"},
    "__init__": {"domain"},
}

# The domain decides; it does not wait, draw lots, look at the clock or touch the machine.
IMPURE = {"asyncio", "http", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of what is imported anywhere below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_rooms(names: Iterator[str]) -> set[str]:
    """The rooms of this package among `names`; `__init__` for a name of the package itself."""
    parts = [name.split(".") for name in names if name.split(".")[0] == "tempmail"]
    second = {part[1] if len(part) > 1 else "__init__" for part in parts}
    return {name if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() else "__init__" for name in second}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_its_room(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} has no place in the table yet"
    assert own_rooms(imported(ast.parse(path.read_text("utf-8")))) - {room} <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) == "domain"], ids=lambda path: path.name)
def test_the_domain_is_pure(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(ast.parse(path.read_text("utf-8")))} & IMPURE == set()


@pytest.mark.parametrize("module", ["cli.py", "cli_accounts.py", "cli_outbox.py", "cli_sandbox.py"])
def test_the_command_line_loads_the_server_only_when_a_command_needs_it(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    loaded = own_rooms(name for node in at_import for name in imported(node))
    assert loaded <= {
        "errors",
        "__init__",
        "cli_accounts",
        "cli_english",
        "cli_outbox",
        "cli_sandbox",
        "cli_verbs",
        *SETTINGS,
    }


def test_concrete_parts_meet_in_runtime_alone() -> None:
    users = {room_of(path) for path in FILES if "adapters" in own_rooms(imported(ast.parse(path.read_text("utf-8"))))}
    assert users == {"adapters", "runtime"}
