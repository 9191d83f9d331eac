from pathlib import Path

import pytest

from tempmail import wrangler
from tempmail.errors import ConfigError

STOCK = Path(__file__).parent / "data" / "wrangler-stock.toml"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "wrangler.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        wrangler.read(path)
    return caught.value.faults


def test_the_original_file_gives_vars_and_both_bindings() -> None:
    file = wrangler.read(STOCK)
    assert file.variables["SESSION_EXPIRE_DAYS"] == "365"
    assert file.variables["RESEND_API_KEY"] == "RESEND发件密钥"
    assert (file.database_name, file.bucket_name) == ("mail_free_db", "mail-eml")


def test_other_bindings_are_passed_over(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[[d1_databases]]\nbinding = "OTHER"\ndatabase_name = "a"\n'
        '[[r2_buckets]]\nbinding = "OTHER"\nbucket_name = "b"\n',
    )
    assert wrangler.read(path) == wrangler.WranglerFile({}, None, None)


def test_the_wanted_binding_is_found_after_others(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[[d1_databases]]\nbinding = "OTHER"\ndatabase_name = "a"\n'
        '[[d1_databases]]\nbinding = "TEMP_MAIL_DB"\ndatabase_name = "b"\n',
    )
    assert wrangler.read(path).database_name == "b"


def test_values_that_are_not_text_read_as_a_worker_sees_them(tmp_path: Path) -> None:
    path = write(tmp_path, '[vars]\nA = 365\nB = true\nC = [{prefix = "vip", email = "a@b.c"}]\nD = 1.5\n')
    assert wrangler.read(path).variables == {
        "A": "365",
        "B": "true",
        "C": '[{"prefix": "vip", "email": "a@b.c"}]',
        "D": "1.5",
    }


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert wrangler.read(write(tmp_path, b'\xef\xbb\xbf[vars]\nA = "1"\n')).variables == {"A": "1"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path / "none.toml")
    assert fault.startswith(f"{tmp_path}/none.toml: cannot be read (No such file")


def test_bad_toml_names_the_line_but_not_its_content(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, '[vars]\nJWT_TOKEN="hush"hush\n'))
    assert "not valid TOML (at line 2" in fault
    assert "hush" not in fault


def test_deep_nesting_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, "a = " + "[" * 100_000))
    assert "not valid TOML" in fault


def test_bytes_that_are_not_utf8_are_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, b'[vars]\nA = "\xc4\xe3"\n'))
    assert "is not UTF-8" in fault


@pytest.mark.parametrize(("extra", "is_taken"), [(0, True), (1, False)], ids=["at the limit", "one byte over"])
def test_file_size_is_bounded(tmp_path: Path, extra: int, is_taken: bool) -> None:
    head = '[vars]\nA = "1"\n'
    path = write(tmp_path, head + "#" * (wrangler.MAX_FILE_BYTES - len(head) + extra))
    if is_taken:
        assert wrangler.read(path).variables == {"A": "1"}
    else:
        assert "is larger than" in faults(path)[0]


def test_all_faults_of_a_file_are_told_together(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'vars = 1\nd1_databases = "x"\n[[r2_buckets]]\nbinding = "MAIL_EML"\nbucket_name = 5\n',
    )
    found = faults(path)
    assert [fault.split(": ")[1].split(" ")[0] for fault in found] == ["vars", "d1_databases", "bucket_name"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b", "x" * 65])
def test_a_database_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f'[[d1_databases]]\nbinding = "TEMP_MAIL_DB"\ndatabase_name = "{name}"\n')
    assert "cannot be the name of a file" in faults(path)[0]
