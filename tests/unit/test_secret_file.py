import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tempmail import secret_file
from tempmail.errors import ConfigError

NAMES = ("ADMIN_PASSWORD", "JWT_TOKEN")


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "secrets.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def faults(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        secret_file.read(folder)
    return caught.value.faults


def test_no_file_is_no_secrets(tmp_path: Path) -> None:
    assert secret_file.read(tmp_path / "not" / "there") == {}


def test_the_first_start_makes_folder_and_file_for_the_owner_alone(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    before = os.umask(0)
    try:
        created = secret_file.create_missing(data_dir, NAMES)
    finally:
        os.umask(before)
    assert set(created) == set(NAMES)
    assert secret_file.read(data_dir) == created
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "secrets.toml").stat().st_mode) == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["secrets.toml"]


def test_a_narrow_umask_does_not_lock_the_owner_out(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        secret_file.create_missing(tmp_path, NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secrets.toml").stat().st_mode) == 0o600


def test_secrets_are_long_and_differ_between_installations(tmp_path: Path) -> None:
    one = secret_file.create_missing(tmp_path / "1", NAMES)
    two = secret_file.create_missing(tmp_path / "2", NAMES)
    assert len(one["ADMIN_PASSWORD"]) == 20
    assert len(one["JWT_TOKEN"]) == 64
    assert set(one.values()).isdisjoint(two.values())


def test_a_second_start_makes_nothing(tmp_path: Path) -> None:
    created = secret_file.create_missing(tmp_path, NAMES)
    assert secret_file.create_missing(tmp_path, NAMES) == {}
    assert secret_file.read(tmp_path) == created


def test_only_what_was_asked_for_is_made(tmp_path: Path) -> None:
    assert set(secret_file.create_missing(tmp_path, ["JWT_TOKEN"])) == {"JWT_TOKEN"}


def test_a_missing_line_is_added_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = '# mine\nADMIN_PASSWORD = "chosen"\n'
    path = write(tmp_path, text)
    created = secret_file.create_missing(tmp_path, NAMES)
    assert set(created) == {"JWT_TOKEN"}
    assert path.read_text().endswith(text)
    assert secret_file.read(tmp_path) == {"ADMIN_PASSWORD": "chosen", **created}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_text_counts_as_present(tmp_path: Path) -> None:
    write(tmp_path, 'ADMIN_PASSWORD = ""\n')
    assert set(secret_file.create_missing(tmp_path, NAMES)) == {"JWT_TOKEN"}


def test_starts_at_once_agree_on_one_content(tmp_path: Path) -> None:
    starts = 8
    for attempt in range(10):
        data_dir = tmp_path / str(attempt)
        together = Barrier(starts)

        def start(_: int, data_dir: Path = data_dir, together: Barrier = together) -> bool:
            together.wait()
            return bool(secret_file.create_missing(data_dir, NAMES))

        with ThreadPoolExecutor(starts) as pool:
            assert list(pool.map(start, range(starts))).count(True) == 1
        assert set(secret_file.read(data_dir)) == set(NAMES)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path, 'JWT_TOKEN = "hush"\n', mode)
    (fault,) = faults(tmp_path)
    assert fault == f"{path}: is open to other users (mode {mode:04o}); run chmod 600 {path}."
    with pytest.raises(ConfigError):
        secret_file.create_missing(tmp_path, NAMES)


def test_bad_content_is_told_without_quoting_it(tmp_path: Path) -> None:
    write(tmp_path, "JWT_TOKEN = hush\n")
    (fault,) = faults(tmp_path)
    assert "is not valid TOML" in fault
    assert "hush" not in fault


def test_every_value_that_is_not_text_is_told(tmp_path: Path) -> None:
    write(tmp_path, "ADMIN_PASSWORD = 123456\nJWT_TOKEN = [1]\n")
    assert [fault.split(": ")[1].split(" ")[0] for fault in faults(tmp_path)] == ["ADMIN_PASSWORD", "JWT_TOKEN"]
    assert not any("123456" in fault for fault in faults(tmp_path))


def test_bytes_that_are_not_utf8_are_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "").write_bytes(b'A = "\xff"')
    assert "is not UTF-8" in faults(tmp_path)[0]


def test_a_pipe_in_its_place_is_a_fault_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secrets.toml", 0o600)
    assert "is not a regular file" in faults(tmp_path)[0]


@pytest.mark.parametrize(("extra", "is_taken"), [(0, True), (1, False)], ids=["at the limit", "one byte over"])
def test_file_size_is_bounded(tmp_path: Path, extra: int, is_taken: bool) -> None:
    write(tmp_path, "#" * (secret_file.MAX_FILE_BYTES + extra))
    if is_taken:
        assert secret_file.read(tmp_path) == {}
    else:
        assert "is larger than" in faults(tmp_path)[0]


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError) as caught:
        secret_file.create_missing(tmp_path / "data", NAMES)
    assert "make DATA_DIR a folder" in caught.value.faults[0]


def test_the_file_says_how_to_turn_the_admin_login_off(tmp_path: Path) -> None:
    secret_file.create_missing(tmp_path, NAMES)
    text = (tmp_path / "secrets.toml").read_text()
    assert '# ADMIN_PASSWORD = ""' in text
    assert set(tomllib.loads(text)) == set(NAMES)
