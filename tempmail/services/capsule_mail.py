"""The mail that a capsule becomes: for a mailbox here, or for an outside address."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tempmail.clock import parse_stamp, stamp
from tempmail.domain.capsules import Capsule
from tempmail.domain.compose import compose
from tempmail.domain.outbound import Attachment, Kind, OutboundMessage, RecipientKind
from tempmail.ports.capsules import StoredFile
from tempmail.ports.outbound import NewOutbound
from tempmail.services.outbound_payload import encode

GIVEN_UP_AFTER_S = 5 * 86_400.0
"""RFC 5321 4.5.4.1: a mail is tried for at least four to five days."""

_NOTICE = (
    "您收到一封来自过去的加密邮件。请登录后使用密码查看内容：\n"
    "An encrypted mail from the past has arrived for you. Log in and unlock it with its password:\n\n"
    "POST /api/v1/mails/{uuid}/unlock\n"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A capsule with all that it holds."""

    capsule: Capsule
    content: str = field(repr=False)
    files: Sequence[StoredFile] = field(repr=False)


def message_id(capsule: Capsule) -> str:
    """The same for every try of a setting, with `<>`."""
    domain = (capsule.sender_address or "").rpartition("@")[2] or "localhost"
    return f"<capsule.{capsule.capsule_uuid}@{domain}>"


def local_mail(letter: Letter, address: str, *, now_epoch_s: float) -> bytes:
    """The mail for a mailbox here. That of an encrypted capsule holds nothing of it but its title."""
    capsule = letter.capsule
    is_open = not capsule.is_encrypted
    return compose(
        OutboundMessage(
            from_addr=capsule.sender_address or "",
            from_name=shown_name(capsule.sender_name),
            to=(address,),
            subject=capsule.title,
            text=letter.content if is_open else _NOTICE.format(uuid=f"mail_{capsule.uuid}"),
            headers=(("X-Capsule-Id", f"capsule_{capsule.capsule_uuid}"),),
            attachments=_attachments(letter) if is_open else (),
            message_id=message_id(capsule),
        ),
        date_s=now_epoch_s,
    )


def outbound_message(letter: Letter) -> OutboundMessage:
    """The mail for an outside address."""
    capsule = letter.capsule
    return OutboundMessage(
        from_addr=capsule.sender_address or "",
        from_name=shown_name(capsule.sender_name),
        to=(capsule.recipient.address or "",),
        subject=capsule.title,
        text=letter.content,
        message_id=message_id(capsule),
        attachments=_attachments(letter),
    )


def outbound(letter: Letter, *, now_epoch_s: float) -> NewOutbound:
    """The same as it is put into the outbox, due when the capsule is. Its uuid is that of the setting, so that the
    outbox has it once at most."""
    capsule = letter.capsule
    due = capsule.released_at or capsule.send_at or stamp(now_epoch_s)
    user = capsule.owner_key.removeprefix("user:")
    return NewOutbound(
        uuid=capsule.capsule_uuid or "",
        kind=Kind.CAPSULE,
        from_addr=capsule.sender_address or "",
        subject=capsule.title,
        recipients=((RecipientKind.TO, capsule.recipient.address or ""),),
        payload=encode(outbound_message(letter)),
        created_at=stamp(now_epoch_s),
        due=due,
        scheduled_at=due,
        deadline=stamp(max(now_epoch_s, parse_stamp(due)) + GIVEN_UP_AFTER_S),
        user_id=int(user) if user.isdigit() else None,
    )


def shown_name(name: str) -> str:
    """Who a user or a mailbox is called: of an address, its local part."""
    return name.partition("@")[0] or name


def _attachments(letter: Letter) -> tuple[Attachment, ...]:
    return tuple(Attachment(each.file.filename, each.body, each.file.content_type) for each in letter.files)
