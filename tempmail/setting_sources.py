"""Where settings come from, and what one start makes of them.

A value comes from the environment, else from [vars] of the wrangler.toml that `--config` names, else (secrets only)
from DATA_DIR/secrets.toml, else from its default. In each of them the first alias that is not empty wins, and a
placeholder of the original counts as not set.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempmail import secret_file, setting_checks, wrangler
from tempmail.errors import ConfigError
from tempmail.setting_values import Unfit, quoted
from tempmail.settings import NOT_USED_YET, VARIABLES, Circumstances, Machine, Settings, Variable

ENVIRONMENT = "environment"
WRANGLER = "wrangler.toml"
SECRETS = secret_file.FILE_NAME
DEFAULT = "default"

_JWT_TOKEN = next(row for row in VARIABLES if row.name == "JWT_TOKEN")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with where each came from.

    `sources`: by variable name, `environment`, `wrangler.toml`, `secrets.toml` or `default`; an alias or a binding
    that gave the value follows in brackets. `notices`: whole sentences about what was passed over; no fault.
    """

    settings: Settings
    sources: Mapping[str, str]
    notices: tuple[str, ...] = ()


def this_machine() -> Machine:
    """The machine this runs on, without any DNS look-up."""
    # The CPUs that this process may use, which in a container can be fewer than there are.
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(socket.gethostname(), cpus or 1)


def load(environ: Mapping[str, str], *, config: Path | None = None, machine: Machine | None = None) -> Loaded:
    """The settings that `environ`, the wrangler.toml at `config` and DATA_DIR/secrets.toml add up to.

    Writes nothing. Raises `ConfigError` with every fault found, one sentence each, which starts with the variable's
    name or the file's path and never holds a secret.
    """
    return _Load(environ, machine or this_machine()).run(config)


def load_or_create_secrets(
    environ: Mapping[str, str], *, config: Path | None = None, machine: Machine | None = None
) -> tuple[Loaded, dict[str, str]]:
    """As `load`, after the secrets that nobody gives were made; with those newly made, by variable name, to be shown
    once. Nothing is made where there is a fault."""
    loaded = load(environ, config=config, machine=machine)
    missing = [name for name in secret_file.GENERATORS if loaded.sources[name] == DEFAULT]
    if not missing:
        return loaded, {}
    created = secret_file.create_missing(loaded.settings.data_dir, missing)
    return load(environ, config=config, machine=machine), created


def defaults() -> Settings:
    """The settings of an installation that sets nothing, for work that needs none. Reads no file."""
    return _Load({}, this_machine()).resolve(wrangler.WranglerFile(), lambda _: {}).settings


@dataclass(frozen=True, slots=True)
class _Given:
    text: str
    source: str


class _Load:
    """One load: collects faults and notices on the way, so that all of them are told together."""

    def __init__(self, environ: Mapping[str, str], machine: Machine) -> None:
        self._environ = environ
        self._machine = machine
        self._faults: list[str] = []
        self._notices: list[str] = []

    def run(self, config: Path | None) -> Loaded:
        file = wrangler.WranglerFile()
        if config is not None:
            try:
                file = wrangler.read(config)
            except ConfigError as exc:
                self._faults += exc.faults
        self._note_unknown(file)
        return self.resolve(file, self._read_secrets)

    def resolve(self, file: wrangler.WranglerFile, read_secrets: Callable[[Path], Mapping[str, str]]) -> Loaded:
        given: dict[str, _Given] = {}
        parsed: dict[str, Any] = {}
        secrets: Mapping[str, str] | None = None
        texts: dict[str, str] = {}
        for variable in sorted(VARIABLES, key=lambda row: row.name != "DATA_DIR"):
            if variable.is_secret and secrets is None:
                secrets = read_secrets(parsed["DATA_DIR"]) if "DATA_DIR" in parsed else {}
            found = (
                self._from_environment(variable)
                or self._from_wrangler(variable, file, texts)
                or self._from_secrets(variable, secrets or {})
                or _Given(self._default_text(variable, texts), DEFAULT)
            )
            given[variable.name] = found
            try:
                value = variable.parse(found.text)
            except Unfit as exc:
                self._faults.append(f"{variable.name}: {exc.sentence()} ({found.source}).")
                # What is computed from this variable must not be blamed for it too.
                texts[variable.name] = self._default_text(variable, texts)
            else:
                parsed[variable.name] = value
                texts[variable.name] = "" if value is None else str(value)
        self._faults += setting_checks.faults(parsed)
        if self._faults:
            raise ConfigError(self._faults)
        settings = Settings(**{name.lower(): value for name, value in parsed.items()})
        return Loaded(settings, {row.name: given[row.name].source for row in VARIABLES}, tuple(self._notices))

    def _default_text(self, variable: Variable, texts: Mapping[str, str]) -> str:
        if isinstance(variable.default, str):
            return variable.default
        return variable.default(Circumstances(self._machine, texts))

    def _from_environment(self, variable: Variable) -> _Given | None:
        return self._first(variable, self._environ, ENVIRONMENT)

    def _from_wrangler(
        self, variable: Variable, file: wrangler.WranglerFile, texts: Mapping[str, str]
    ) -> _Given | None:
        found = self._first(variable, file.variables, WRANGLER)
        if found is not None:
            return found
        if variable.name == "DATABASE_URL" and file.database_name is not None:
            url = f"sqlite:///{texts['DATA_DIR']}/{file.database_name}.db"
            return _Given(url, f"{WRANGLER} ({wrangler.D1_BINDING})")
        if variable.name == "R2_BUCKET_NAME" and file.bucket_name is not None:
            return _Given(file.bucket_name, f"{WRANGLER} ({wrangler.R2_BINDING})")
        return None

    def _from_secrets(self, variable: Variable, secrets: Mapping[str, str]) -> _Given | None:
        if not variable.is_secret:
            return None
        if variable.name == "ADMIN_PASSWORD" and secrets.get("ADMIN_PASSWORD", "?").strip() == "":
            # The one place where "off" can be told from "not given".
            return _Given("", SECRETS)
        return self._first(variable, secrets, SECRETS)

    def _first(self, variable: Variable, layer: Mapping[str, str], source: str) -> _Given | None:
        for name in (variable.name, *variable.aliases):
            text = layer.get(name, "").strip()
            if not text:
                continue
            if is_placeholder(variable, text):
                self._notices.append(
                    f"{name}: holds a placeholder of the original, so it counts as not set ({source})."
                )
                continue
            return _Given(text, source if name == variable.name else f"{source} ({name})")
        return None

    def _read_secrets(self, data_dir: Path) -> Mapping[str, str]:
        try:
            found = secret_file.read(data_dir)
        except ConfigError as exc:
            self._faults += exc.faults
            return {}
        known = {name for row in VARIABLES if row.is_secret for name in (row.name, *row.aliases)}
        self._notices += [
            f"{name}: is passed over in {SECRETS}, which is read for secrets only."
            for name in found
            if name not in known
        ]
        token = found.get("JWT_TOKEN", "?").strip()
        if not token or is_placeholder(_JWT_TOKEN, token):
            self._faults.append(f"JWT_TOKEN: is empty or public; remove the line to have one made ({SECRETS}).")
        return found

    def _note_unknown(self, file: wrangler.WranglerFile) -> None:
        known = {name for row in VARIABLES for name in (row.name, *row.aliases)} | set(NOT_USED_YET)
        self._notices += [
            f"{quoted(name)}: is no variable of this server, so it is passed over ({WRANGLER})."
            for name in file.variables
            if name not in known
        ]


def is_placeholder(variable: Variable, text: str) -> bool:
    """Whether `text` is what the original's wrangler.toml holds until somebody fills it in (contract 7)."""
    return "你的" in text or text.endswith("发件密钥") or text in variable.placeholders
