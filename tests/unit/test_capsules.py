"""The rules of mail to the future."""

import dataclasses
from typing import Any

import pytest

from tempmail.clock import parse_stamp, stamp
from tempmail.domain.actor import ROOT, Actor, Role
from tempmail.domain.capsules import (
    FOLDERS,
    LEAD_S,
    MAX_ATTACHMENT_BYTES,
    MOVES,
    Capsule,
    Folder,
    MediaKind,
    Recipient,
    Status,
    Trigger,
    When,
    check_release,
    check_room,
    check_settable,
    countdown,
    is_repeat,
    media_kind,
    monthly_limit,
    next_month,
    owner_key,
    parse_time,
    safe_filename,
)
from tempmail.errors import BadRequest, TooLarge, Unprocessable

NOW = 1_700_000_000.0


def capsule(**changes: Any) -> Capsule:
    plain = Capsule(
        id=1,
        uuid="u",
        capsule_uuid=None,
        status=Status.DRAFT,
        revision=1,
        owner_key="user:1",
        sender_name="ann",
        sender_address=None,
        recipient=Recipient(address="me@temp.example"),
        title="To me",
        capsule_style="default",
        is_encrypted=False,
        password_hash=None,
        trigger_type=Trigger.TIME,
        trigger_condition="{}",
        is_outside=False,
        send_at=None,
        set_at=None,
        released_at=None,
        due=None,
        delivered_at=None,
        attachment_count=0,
        attachment_bytes=0,
        has_content=True,
        mailbox_id=None,
        outbox_uuid=None,
        error=None,
        created_at=stamp(NOW),
        updated_at=stamp(NOW),
    )
    return dataclasses.replace(plain, **changes)


def when(epoch_s: float) -> When:
    return When(epoch_s, int(epoch_s))


def test_every_state_can_be_reached_and_all_but_the_last_left() -> None:
    reached = {state for targets in MOVES.values() for state in targets}
    assert reached == set(Status)
    assert [state for state, targets in MOVES.items() if not targets] == [Status.DELIVERED]
    assert set(MOVES) == set(Status)


def test_every_state_is_in_one_folder_of_its_owner() -> None:
    own = [state for folder in (Folder.SENT, Folder.DRAFT) for state in FOLDERS[folder]]
    assert sorted(own) == sorted(Status)


@pytest.mark.parametrize(
    ("text", "epoch_s"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14 22:13:20z", 1_700_000_000),
        ("2023-11-15T06:13:20+08:00", 1_700_000_000),
        ("2023-11-15T06:13:20+0800", 1_700_000_000),
        ("2023-11-14T22:13Z", 1_699_999_980),
        ("2023-11-14T22:13:20.000Z", 1_700_000_000),
        ("2023-11-14T22:13:20.001Z", 1_700_000_001),
        ("2023-11-14T22:13:20.000000001Z", 1_700_000_001),
        ("9999-12-31T23:59:58Z", 253_402_300_798),
    ],
)
def test_a_time_stands_for_a_whole_second_that_is_not_before_it(text: str, epoch_s: int) -> None:
    assert parse_time(text).epoch_s == epoch_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13:20 Z",
        "2023-11-14T24:00:00Z",
        "2023-11-31T00:00:00Z",
        "2023-11-14T22:13:60Z",
        "2023-11-14T22:13:20+24:00",
        "2023-W46-2T22:13:20Z",
        "２０２３-11-14T22:13:20Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-00:01",
        "1700000000",
        "2023-11-14T22:13:20Z" + " " * 500,
    ],
)
def test_no_other_form_of_time_is_read(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_time(text)


@pytest.mark.parametrize(("ahead_s", "fits"), [(LEAD_S - 1, False), (LEAD_S - 0.001, False), (LEAD_S, True)])
def test_an_hour_ahead_is_the_least(ahead_s: float, fits: bool) -> None:
    if fits:
        check_settable(capsule(), when(NOW + ahead_s), NOW)
    else:
        with pytest.raises(Unprocessable) as refused:
            check_settable(capsule(), when(NOW + ahead_s), NOW)
        assert refused.value.rule == "too_soon"


def test_what_a_capsule_lacks_is_told_before_its_time_is_judged() -> None:
    bare = {"recipient": Recipient(), "title": "", "has_content": False, "attachment_bytes": MAX_ATTACHMENT_BYTES + 1}
    expected = ["no_recipient", "no_title", "no_content", "too_soon", "attachments_too_large"]
    good = {"recipient": Recipient(address="a@b.example"), "title": "T", "has_content": True}
    told = []
    for number in range(5):
        fields = bare | dict(list(good.items())[:number])
        at_epoch_s = NOW + LEAD_S if number == 4 else NOW
        with pytest.raises(Unprocessable) as refused:
            check_settable(capsule(**fields), when(at_epoch_s), NOW)
        told.append(refused.value.rule)
    assert told == expected


@pytest.mark.parametrize(
    ("held", "size", "error"),
    [
        (0, MAX_ATTACHMENT_BYTES, None),
        (0, MAX_ATTACHMENT_BYTES + 1, TooLarge),
        (1, MAX_ATTACHMENT_BYTES - 1, None),
        (1, MAX_ATTACHMENT_BYTES, Unprocessable),
    ],
)
def test_attachments_have_ten_mib_alone_and_together(held: int, size: int, error: type[Exception] | None) -> None:
    if error is None:
        check_room(capsule(attachment_bytes=held), size)
    else:
        with pytest.raises(error):
            check_room(capsule(attachment_bytes=held), size)


@pytest.mark.parametrize(("after_s", "fits"), [(LEAD_S - 1, False), (LEAD_S, True)])
def test_a_trigger_releases_an_hour_after_the_setting_at_the_soonest(after_s: float, fits: bool) -> None:
    pending = capsule(status=Status.PENDING, trigger_type=Trigger.EVENT)
    if fits:
        check_release(pending, NOW, NOW + after_s)
    else:
        with pytest.raises(Unprocessable):
            check_release(pending, NOW, NOW + after_s)


@pytest.mark.parametrize(("after_s", "same"), [(0, True), (60, True), (61, False), (-1, False)])
def test_the_same_setting_within_a_minute_is_a_repeat(after_s: float, same: bool) -> None:
    pending = capsule(status=Status.PENDING, send_at="2030-01-01 00:00:00")
    assert is_repeat(pending, "2030-01-01 00:00:00", NOW, NOW + after_s) is same
    assert not is_repeat(pending, "2030-01-01 00:00:01", NOW, NOW)


@pytest.mark.parametrize(
    ("actor", "key", "limit"),
    [
        (Actor(Role.USER, "ann", user_id=7), "user:7", 5),
        (Actor(Role.MAILBOX, "a@b.example", mailbox_id=8, mailbox_address="a@b.example"), "mailbox:8", 5),
        (Actor(Role.ADMIN, "boss", user_id=9), "user:9", None),
        (Actor(Role.STRICT_ADMIN, "root", user_id=1), "user:1", None),
        (ROOT, "root", None),
    ],
)
def test_who_owns_a_capsule_and_how_many_it_may_set(actor: Actor, key: str, limit: int | None) -> None:
    assert owner_key(actor) == key
    assert monthly_limit(actor, 5) == limit
    assert monthly_limit(actor, 0) is None


def test_a_countdown_counts_whole_seconds_and_ends_at_nothing() -> None:
    assert [countdown(100, now) for now in (0, 0.5, 99.5, 100, 101)] == [100, 99, 0, 0, 0]
    sample = parse_stamp("2025-12-31 23:59:59"), parse_stamp("2023-07-20 10:30:00")
    assert countdown(*sample) == 77_376_599


@pytest.mark.parametrize(
    ("now", "begins"), [("2024-01-31 23:59:59", "2024-02-01"), ("2024-12-01 00:00:00", "2025-01-01")]
)
def test_the_next_month_begins_at_midnight(now: str, begins: str) -> None:
    assert next_month(now) == f"{begins} 00:00:00"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.txt", "y.txt"),
        ("..", "file"),
        ("a/", "file"),
        ("\x00\r\n", "file"),
        ("n" * 300 + ".txt", "n" * 251 + ".txt"),
    ],
)
def test_a_files_name_is_no_path(given: str, kept: str) -> None:
    assert safe_filename(given) == kept


def test_an_attachments_kind_follows_its_type() -> None:
    kinds = [media_kind(text) for text in ("image/png", "Video/mp4", "audio/ogg", "text/plain", "")]
    assert kinds == [MediaKind.IMAGE, MediaKind.VIDEO, MediaKind.AUDIO, MediaKind.FILE, MediaKind.FILE]
