"""`tempmail extract`: its output alone tells why a code or link is what it is, or why there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tempmail
from tempmail.cli import main
from tempmail.domain.codes_weights import THRESHOLD
from tests.extract_golden import FOLDER, MAILS, golden

FOUND, MISSING, LINK = (FOLDER / f"{name}.eml" for name in ("found", "missing", "link"))

AGAIN = "run: python -m tests.extract_golden, and look at what it changed"


@pytest.mark.parametrize("mail", MAILS, ids=[mail.stem for mail in MAILS])
def test_the_output_is_the_one_kept_beside_the_mail(mail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", str(mail)], environ={}) == 0
    assert capsys.readouterr().out == golden(mail), AGAIN


def test_the_kept_outputs_show_a_code_a_missing_code_and_a_link() -> None:
    assert golden(FOUND).startswith("code  482913\n")
    assert golden(MISSING).startswith("code  none: the best is 829104 with ")
    assert "\nlink  https://larch.example/verify?token=" in golden(LINK)


@pytest.mark.parametrize("mail", MAILS, ids=[mail.stem for mail in MAILS])
def test_the_reasons_of_a_candidate_add_up_to_its_points(mail: Path) -> None:
    extraction = tempmail.extract(mail.read_bytes())
    judged = [(code.score, code.reasons) for code in extraction.codes]
    judged += [(link.score, link.reasons) for link in extraction.links]
    for score, reasons in judged:
        points = [float(reason.rpartition(" ")[2]) for reason in reasons]
        assert score == pytest.approx(sum(points), abs=0.02)


def test_a_mail_cannot_steer_the_terminal_it_is_shown_on(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = FOLDER / "hostile.eml"
    assert b"\x1b" in hostile.read_bytes()
    main(["extract", str(hostile)], environ={})
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert r"\x1b" in out


def test_as_json_it_is_what_the_library_gives_with_the_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--json", str(FOUND), str(LINK)], environ={}) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["file"] == str(FOUND)
    expected = json.loads(json.dumps(tempmail.extract(FOUND.read_bytes()).as_dict()))
    assert expected.items() <= first.items()
    assert (first["code_threshold"], first["defects"], set(first["read"])) == (
        THRESHOLD,
        [],
        {"subject", "text", "html"},
    )
    assert (second["code"], second["link"]) == (None, tempmail.extract(LINK.read_bytes()).link)


def test_several_files_are_headed_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    main(["extract", str(FOUND), str(LINK)], environ={})
    out = capsys.readouterr().out
    assert out == f"== {FOUND}\n\n{golden(FOUND)}\n== {LINK}\n\n{golden(LINK)}"


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.eml"
    assert main(["extract", str(absent), str(tmp_path), str(LINK)], environ={}) == 1
    out, err = capsys.readouterr()
    assert golden(LINK) in out
    assert err.splitlines() == [
        f"tempmail: {absent} cannot be read: No such file or directory",
        f"tempmail: {tmp_path} cannot be read: Is a directory",
    ]


def test_a_dash_reads_standard_input_and_no_settings_are_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tempmail", "extract", "-"],
        input=FOUND.read_bytes(),
        capture_output=True,
        env={"PATH": os.environ["PATH"], "SMTP_BIND": "faulty", "PYTHONUTF8": "1"},
        timeout=60,
        check=True,
    )
    assert done.stdout.decode() == golden(FOUND)


def test_what_is_broken_in_a_mail_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.eml"
    broken.write_bytes(b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n")
    main(["extract", str(broken)], environ={})
    assert "\nnote  " in capsys.readouterr().out
