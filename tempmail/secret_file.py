"""`DATA_DIR/secrets.toml`: the secrets that the server makes for itself when nobody gives it any.

Only its owner may read the file. Several starts at once agree on one content.
"""

import contextlib
import fcntl
import os
import secrets
import stat
import string
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tempmail.errors import ConfigError

FILE_NAME = "secrets.toml"
MAX_FILE_BYTES = 65_536

_HEADER = """\
# Made at the first start, for what neither the environment nor wrangler.toml gave.
# Keep this file private (mode 0600). Both of those win over it.
# ADMIN_PASSWORD = "" turns the admin login off; a line that is removed is made anew at the next start.
"""

# Letters and digits that cannot be mistaken for one another when typed from a console: 20 of them hold 116 bits.
_READABLE = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


def _readable_password() -> str:
    return "".join(secrets.choice(_READABLE) for _ in range(20))


def _token() -> str:
    return secrets.token_hex(32)


GENERATORS: Mapping[str, Callable[[], str]] = {"ADMIN_PASSWORD": _readable_password, "JWT_TOKEN": _token}
"""The variables that can be made, and how."""


def read(data_dir: Path) -> dict[str, str]:
    """The secrets kept under `data_dir` by variable name; empty where there is no file.

    Raises `ConfigError` where others than the owner can read the file, and where it is not TOML of texts. No message
    quotes its content.
    """
    return _parse(data_dir / FILE_NAME, _read_text(data_dir / FILE_NAME))


def create_missing(data_dir: Path, names: Iterable[str]) -> dict[str, str]:
    """Make a random secret for each of `names` that the file does not have yet; returns those newly made.

    Makes the folder (0700) and the file (0600) where needed and keeps what the file holds. Durable on return: the new
    file is written aside, fsynced and renamed. Starts at once queue for a lock on the folder, so that all of them use
    what the first one made. Raises `ConfigError`.
    """
    path = data_dir / FILE_NAME
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(data_dir) as folder_fd:
            text = _read_text(path)
            present = _parse(path, text)
            created = {name: GENERATORS[name]() for name in names if name not in present}
            if created:
                lines = "".join(f'{name} = "{value}"\n' for name, value in created.items())
                # In front: at the end the lines would fall into a table that the owner may have added.
                _replace(path, (_HEADER + lines + text) if not text else (lines + text))
                os.fsync(folder_fd)
            return created
    except OSError as exc:
        raise ConfigError(
            [f"{path}: cannot be written ({exc.strerror}); make DATA_DIR a folder that this user may write to."]
        ) from exc


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, 0o600)  # whatever the umask took away
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _read_text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read ({exc.strerror}); run as the user that owns it."]) from exc
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError([f"{path}: is not a regular file; move it away."])
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise ConfigError([f"{path}: is open to other users (mode {mode:04o}); run chmod 600 {path}."])
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_FILE_BYTES} bytes; keep only secrets in it."])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError([f"{path}: is not UTF-8 text; save it as UTF-8."]) from exc


def _parse(path: Path, text: str) -> dict[str, str]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        # Without its cause: the parser's own message may quote the line.
        raise ConfigError([f'{path}: is not valid TOML; each line reads NAME = "value".']) from None
    faults = [
        f'{path}: {name} is not text; each line reads NAME = "value".'
        for name, value in document.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise ConfigError(faults)
    return {name: value for name, value in document.items() if isinstance(value, str)}
