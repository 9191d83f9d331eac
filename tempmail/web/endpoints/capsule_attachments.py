"""The attachments of mail to the future."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct

from tempmail.domain.capsules import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, Capsule, CapsuleFile, MediaKind
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Raw, Refusal, endpoint
from tempmail.web.endpoints.capsule_fields import FOREIGN, NO_MAIL, TAG, MailId, MailPath, rule
from tempmail.web.envelope import Enveloped
from tempmail.web.multipart import MULTIPART, is_multipart, parts
from tempmail.web.problems import Malformed

_FORM_BYTES = 64 << 10
"""What a form may add to its file."""

AttachmentId = Annotated[str, Meta(description="Names the attachment", examples=["attach_9b1e0e5d8c1a2b3c"])]


class Attachment(Struct):
    """A file of a mail."""

    id: AttachmentId
    type: Annotated[str, Meta(description="IMAGE, VIDEO, AUDIO or FILE", examples=["IMAGE"])]
    url: Annotated[
        str,
        Meta(description="Where it is, on this server", examples=["/api/v1/mails/mail_5f0c/attachments/attach_9b1e"]),
    ]
    thumbnail: Annotated[str | None, Meta(description="Of an image: the image itself; else null", examples=[None])]
    name: Annotated[str, Meta(description="Name of the file", examples=["photo.jpg"])]
    size: Annotated[int, Meta(description="Bytes", examples=[1024000])]


class DetachedId(Struct, rename="camel"):
    """The attachment that is gone."""

    mail_id: MailId
    id: AttachmentId


class UploadQuery(Struct):
    filename: Annotated[
        str, Meta(description="Name of the file, where the body is the file itself", examples=["photo.jpg"])
    ] = ""


class FilePath(Struct, rename="camel"):
    mail_id: MailId = ""
    id: AttachmentId = ""


def attachment_item(capsule: Capsule, file: CapsuleFile) -> Attachment:
    return _item(f"mail_{capsule.uuid}", file)


@endpoint(
    "POST /api/v1/mails/{mailId}/attachments",
    action="capsule.write",
    tag=TAG,
    takes=MULTIPART,
    max_bytes=MAX_ATTACHMENT_BYTES + _FORM_BYTES,
    body_example="…",
    errors=(
        Refusal(413, f"an attachment has at most {MAX_ATTACHMENT_BYTES} bytes"),
        NO_MAIL,
        FOREIGN,
        rule("not_draft", "the mail is PENDING: only a draft can be changed"),
        rule("attachments_too_large", f"attachments: at most {MAX_ATTACHMENT_BYTES} bytes, alone and together"),
        rule("too_many_attachments", f"at most {MAX_ATTACHMENTS} attachments"),
    ),
)
async def add_capsule_attachment(call: Call, path: MailPath, query: UploadQuery, body: bytes) -> Enveloped[Attachment]:
    """Add a file to a draft: as the field `file` of a form, or as the body itself."""
    content_type = call.visit.headers.get(b"content-type", b"").decode("latin-1")
    filename = query.filename
    if is_multipart(content_type):
        found = await asyncio.to_thread(parts, content_type, body)
        file = next((part for part in found if part.filename is not None), None)
        if file is None:
            raise Malformed("multipart: there is no file in it")
        filename, content_type, body = file.filename or filename, file.content_type, file.body
    added = await call.services.capsules.attach(
        call.grant, path.mail_id, filename=filename, content_type=content_type, body=body
    )
    return Enveloped(data=_item(path.mail_id, added))


@endpoint(
    "DELETE /api/v1/mails/{mailId}/attachments/{id}",
    action="capsule.write",
    tag=TAG,
    errors=(
        NO_MAIL,
        Refusal(404, "no such attachment"),
        FOREIGN,
        rule("not_draft", "the mail is PENDING: only a draft can be changed"),
    ),
)
async def delete_capsule_attachment(call: Call, path: FilePath) -> Enveloped[DetachedId]:
    """Take a file out of a draft."""
    await call.services.capsules.detach(call.grant, path.mail_id, path.id)
    return Enveloped(data=DetachedId(path.mail_id, path.id))


@endpoint(
    "GET /api/v1/mails/{mailId}/attachments/{id}",
    action="capsule.read",
    tag=TAG,
    media_type="application/octet-stream",
    answer_example="…",
    errors=(
        NO_MAIL,
        Refusal(404, "no such attachment"),
        FOREIGN,
        Refusal(403, "the mail is encrypted: unlock it first"),
    ),
)
async def capsule_attachment(call: Call, path: FilePath) -> Raw:
    """One attachment: for the writer, and for the recipient once the mail is delivered.

    Whatever it is, it is answered as a file to save: nothing of it is ever shown by a browser.
    """
    found = await call.services.capsules.attachment(call.grant, path.mail_id, path.id)
    disposition = f"attachment; filename*=UTF-8''{quote(found.file.filename, safe='')}"
    return Raw(found.body, "application/octet-stream", ((b"content-disposition", disposition.encode()),))


def _item(mail_id: str, file: CapsuleFile) -> Attachment:
    name = f"attach_{file.uuid}"
    url = f"/api/v1/mails/{mail_id}/attachments/{name}"
    return Attachment(
        id=name,
        type=file.kind.name,
        url=url,
        thumbnail=url if file.kind is MediaKind.IMAGE else None,
        name=file.filename,
        size=file.size_bytes,
    )


ENDPOINTS: tuple[Endpoint, ...] = (add_capsule_attachment, delete_capsule_attachment, capsule_attachment)
