import io
import json
import logging
import os
import re
import shlex
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail import log
from tempmail.log import bind_cid, configure_logging, get_log, new_cid


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    pinned = {name: logging.getLogger(name).level for name in log.LIBRARY_LEVELS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, lowest in pinned.items():
        logging.getLogger(name).setLevel(lowest)


def configured(level: str = "debug", fmt: str = "logfmt", role: str = "smtp-0") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, fmt, role, stream)
    return stream


def fields_of(line: str) -> dict[str, str]:
    """A logfmt line read back by an independent reader."""
    return dict(re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)', line))


def one_json(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    made: dict[str, object] = json.loads(line)
    return made


class Loud:
    """Counts how often it is written down."""

    def __init__(self) -> None:
        self.written = 0

    def __str__(self) -> str:
        self.written += 1
        return "loud"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


# Form


def test_a_logfmt_line_reads_event_then_fields() -> None:
    stream = configured()
    get_log("smtp").info("mail.stored", size_bytes=12, mailbox="a@b.c", is_new=True, code=None, took_ms=1.5)
    line = stream.getvalue()
    assert re.fullmatch(
        r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info role=smtp-0 pid=\d+ logger=tempmail\.smtp "
        r"event=mail\.stored size_bytes=12 mailbox=a@b\.c is_new=true code=null took_ms=1\.5\n",
        line,
    )
    assert f"pid={os.getpid()} " in line


def test_a_json_line_holds_the_same() -> None:
    stream = configured(fmt="json", role="web")
    get_log("web").warning("feed.lagging", behind=3, ids=(1, 2))
    made = one_json(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(made.pop("ts")))
    assert made == {
        "level": "warning",
        "role": "web",
        "pid": os.getpid(),
        "logger": "tempmail.web",
        "event": "feed.lagging",
        "behind": 3,
        "ids": [1, 2],
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-1.2_3/4@x", "plain-1.2_3/4@x"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("line\nlevel=error", '"line\\nlevel=error"'),
        ("cr\rtab\t", '"cr\\rtab\\t"'),
        ("esc\x1b[31m", '"esc\\u001b[31m"'),
        ("nel\x85ls\u2028", '"nel\\u0085ls\\u2028"'),
        ("bidi\u202e", '"bidi\\u202e"'),
        ("lone\udc80", '"lone\\udc80"'),
        ("tag\U000e0001", '"tag\\U000e0001"'),
        ("验证码", '"验证码"'),
        (b"body", '"<4 bytes>"'),
        (Broken(), "<Broken>"),
        pytest.param(10**5000, "<int>", id="huge"),
        (float("nan"), "nan"),
        ({"a": [1, None]}, '"{\\"a\\": [1, null]}"'),
    ],
)
def test_a_value_cannot_leave_its_field(value: object, written: str) -> None:
    stream = configured()
    get_log("x").info("a.b", value=value)
    assert stream.getvalue().endswith(f" event=a.b value={written}\n")


@given(st.text(), st.text())
def test_any_text_stays_one_line_and_one_field(event: str, value: str) -> None:
    for fmt in ("logfmt", "json"):
        stream = configured(fmt=fmt)
        get_log("x").info(event, value=value, after=1)
        text = stream.getvalue()
        assert text.removesuffix("\n").isprintable()
        if fmt == "json":
            assert json.loads(text)["after"] == 1
        else:
            assert list(fields_of(text)) == ["ts", "level", "role", "pid", "logger", "event", "value", "after"]


def test_a_field_name_cannot_break_the_line_or_pose_as_ours() -> None:
    stream = configured()
    get_log("x").info("a.b", **{"x y\n=z": 1, "level": "fake", "ts": 0})
    assert stream.getvalue().endswith(" event=a.b x_y__z=1 level_=fake ts_=0\n")


# Bounds


@pytest.mark.parametrize(("length", "shown"), [(500, 500), (501, 501)], ids=["at the limit", "one over: cut"])
def test_a_value_is_cut_at_the_limit(length: int, shown: int) -> None:
    stream = configured(fmt="json")
    get_log("x").info("a.b", value="v" * length)
    value = str(one_json(stream)["value"])
    assert value == "v" * 500 + ("…" if length > 500 else "")
    assert len(value) == shown


def test_collections_are_cut_in_breadth_and_depth() -> None:
    deep: object = "end"
    for _ in range(50):
        deep = [deep]
    stream = configured(fmt="json")
    get_log("x").info("a.b", wide=list(range(log.MAX_ITEMS + 1)), deep=deep)
    made = one_json(stream)
    assert made["wide"] == list(range(log.MAX_ITEMS))
    assert len(json.dumps(made["deep"])) < 200


def test_the_message_of_a_library_is_cut() -> None:
    stream = configured(fmt="json")
    logging.getLogger("uvicorn.error").warning("%s", "m" * 5000)
    assert one_json(stream)["msg"] == "m" * 500 + "…"


# Secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "ADMIN_PASSWORD",
        "new_password",
        "token",
        "X-Admin-Token",
        "authorization",
        "Cookie",
        "set_cookie",
        "secret",
        "aws_secret_access_key",
        "key",
        "apiKey",
        "api_key",
        "jwt",
        "credentials",
    ],
)
def test_fields_named_like_secrets_are_masked(name: str) -> None:
    for fmt in ("logfmt", "json"):
        stream = configured(fmt=fmt)
        get_log("x").info("a.b", **{name: "hush"}, headers={name: "hush", "deeper": [{name: "hush"}]})
        assert "hush" not in stream.getvalue()
        assert stream.getvalue().count(log.MASK) == 3


@pytest.mark.parametrize("name", ["object_key", "mailbox", "passed", "monkey", "size"])
def test_other_fields_are_shown(name: str) -> None:
    stream = configured()
    get_log("x").info("a.b", **{name: "seen"})
    assert stream.getvalue().endswith(f" {name}=seen\n")


def test_bytes_are_never_shown() -> None:
    stream = configured(fmt="json")
    get_log("x").info("a.b", body=b"hush", parts=[b"hush", bytearray(b"hush!")])
    made = one_json(stream)
    assert (made["body"], made["parts"]) == ("<4 bytes>", ["<4 bytes>", "<5 bytes>"])


# Errors


def _raise(depth: int) -> None:
    if depth:
        _raise(depth - 1)
    raise LookupError("line one\nline two")


def _caught(depth: int) -> LookupError:
    with pytest.raises(LookupError) as caught:
        _raise(depth)
    return caught.value


def test_an_error_adds_type_text_and_traceback_on_the_same_line() -> None:
    stream = configured()
    get_log("x").error("mail.lost", exc=_caught(0), attempt=2)
    (line,) = stream.getvalue().splitlines()
    made = fields_of(line)
    assert (made["attempt"], made["error"]) == ("2", "LookupError")
    assert made["error_text"] == '"line one\\nline two"'
    assert "in _raise" in made["traceback"]


def test_a_traceback_is_bounded_and_keeps_its_end() -> None:
    stream = configured(fmt="json")
    get_log("x").error("a.b", exc=_caught(500))
    text = str(one_json(stream)["traceback"])
    assert len(text) <= log.MAX_TRACEBACK_CHARS + 1
    assert text.count("File ") <= log.MAX_TRACEBACK_FRAMES
    assert text.endswith("LookupError: line one\nline two")


def test_a_warning_adds_type_and_text_only() -> None:
    stream = configured(fmt="json")
    get_log("x").warning("upload.failed", exc=_caught(0))
    made = one_json(stream)
    assert (made["error"], made["error_text"]) == ("LookupError", "line one\nline two")
    assert "traceback" not in made


def test_an_error_without_an_exception_is_a_plain_line() -> None:
    stream = configured(fmt="json")
    get_log("x").error("disk.full")
    assert {"error", "traceback"}.isdisjoint(one_json(stream))


# Levels


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_decides_what_is_written(level: str, seen: list[str]) -> None:
    stream = configured(level=level)
    out = get_log("x")
    out.debug("a.b")
    out.info("a.b")
    out.warning("a.b")
    out.error("a.b")
    assert [fields_of(line)["level"] for line in stream.getvalue().splitlines()] == seen


def test_nothing_is_formatted_where_the_level_is_off() -> None:
    configured(level="error")
    loud = Loud()
    out = get_log("x")
    out.debug("a.b", value=loud)
    out.info("a.b", value=loud)
    out.warning("a.b", value=loud)
    assert loud.written == 0
    out.error("a.b", value=loud)
    assert loud.written == 1


def test_a_level_can_be_changed_while_running() -> None:
    out = get_log("x")
    configured(level="error")
    out.info("a.b")
    stream = configured(level="info")
    out.info("c.d")
    assert [fields_of(line)["event"] for line in stream.getvalue().splitlines()] == ["c.d"]


# Other loggers


def test_a_library_comes_out_in_the_same_form() -> None:
    stream = configured()
    logging.getLogger("uvicorn.error").info("Started %s\n[%d]", "server", 7)
    made = fields_of(stream.getvalue())
    assert (made["logger"], made["event"], made["msg"]) == ("uvicorn.error", "log", '"Started server\\n[7]"')
    assert len(stream.getvalue().splitlines()) == 1


def test_a_library_error_brings_its_traceback() -> None:
    stream = configured(fmt="json")
    exc = _caught(0)
    logging.getLogger("uvicorn.error").error("failed", exc_info=exc)
    made = one_json(stream)
    assert (made["msg"], made["error"]) == ("failed", "LookupError")


def test_a_library_that_formats_wrongly_still_gets_its_line() -> None:
    stream = configured(fmt="json")
    logging.getLogger().handlers[:-1] = []  # the test runner's own handler would raise
    logging.getLogger("uvicorn.error").warning("%d things", "no")
    assert one_json(stream)["msg"] == "%d things"


@pytest.mark.parametrize("name", ["mail.log", "botocore", "botocore.auth", "boto3", "urllib3.connectionpool"])
def test_talkative_libraries_are_heard_from_warning_on(name: str) -> None:
    stream = configured(level="debug")
    logging.getLogger(name).info("noise")
    logging.getLogger(name).warning("trouble")
    assert [fields_of(line)["msg"] for line in stream.getvalue().splitlines()] == ["trouble"]


@pytest.mark.parametrize("name", ["mailparser.core", "mailparser.utils"])
def test_what_the_mail_parser_quotes_of_a_mail_is_never_logged(name: str) -> None:
    stream = configured(level="debug")
    logging.getLogger(name).warning("Failed decoding header part: hush")
    logging.getLogger(name).error("Failed decoding header part: hush")
    assert stream.getvalue() == ""


def test_configuring_twice_does_not_double_lines_and_spares_other_handlers() -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first = configured()
    second = configured(fmt="json")
    get_log("x").info("a.b")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1
    assert other in logging.getLogger().handlers


# Correlation ids


def test_a_new_cid_is_twelve_url_safe_characters() -> None:
    made = {new_cid() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{12}", cid) for cid in made)


def test_the_bound_cid_is_on_every_line_and_goes_with_its_context() -> None:
    stream = configured()
    out = get_log("x")
    with bind_cid("outer"):
        out.info("a.b")
        with bind_cid("inner"):
            logging.getLogger("uvicorn.error").info("hi")
        out.info("a.b")
    out.info("a.b")
    cids = [fields_of(line).get("cid") for line in stream.getvalue().splitlines()]
    assert cids == ["outer", "inner", "outer", None]
    assert log.current_cid() == ""


def test_a_cid_is_released_when_its_context_fails() -> None:
    with pytest.raises(LookupError), bind_cid("gone"):
        _raise(0)
    assert log.current_cid() == ""


def test_a_cid_follows_its_context_into_a_thread_and_no_other() -> None:
    stream = configured()
    with bind_cid("here"):
        context = copy_context()
        threads = [
            threading.Thread(target=context.run, args=(get_log("x").info, "with.context")),
            threading.Thread(target=get_log("x").info, args=("without.context",)),
        ]
        for thread in threads:
            thread.start()
            thread.join()
    cids = {fields_of(line)["event"]: fields_of(line).get("cid") for line in stream.getvalue().splitlines()}
    assert cids == {"with.context": "here", "without.context": None}


def test_shell_words_and_logfmt_agree_on_plain_values() -> None:
    stream = configured()
    get_log("x").info("a.b", note="two words")
    assert "note=two words" in shlex.split(stream.getvalue())
