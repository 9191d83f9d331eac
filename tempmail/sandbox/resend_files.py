"""Attachments of mails that went through Resend's sandbox: shown, and handed out by links that hold for a while."""

import asyncio
import email
import hashlib
import hmac
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tempmail.clock import Clock, stamp
from tempmail.domain.sandbox import SandboxCredential, SandboxMail
from tempmail.domain.sandbox_fields import form_fields
from tempmail.domain.sandbox_providers import SandboxProvider
from tempmail.errors import NotFound
from tempmail.ports import Mail
from tempmail.sandbox.resend_mail import Invalid
from tempmail.sandbox.resend_views import iso
from tempmail.sandbox.surface import Exchange, Reply
from tempmail.services.bodies import Bodies
from tempmail.services.sandbox_mails import SandboxMails
from tempmail.services.sandboxes import SandboxService

LINK_S = 3_600
"""How long the link to an attachment's content holds."""


class ResendFiles:
    def __init__(
        self,
        credentials: SandboxService,
        mails: SandboxMails,
        stored: Mail,
        bodies: Bodies,
        *,
        provider: SandboxProvider,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._mails = mails
        self._stored = stored
        self._bodies = bodies
        self._provider = provider
        self._clock = clock

    def of(self, exchange: Exchange, credential: SandboxCredential, mail: SandboxMail) -> list[dict[str, Any]]:
        """The attachments of a mail as Resend shows them, each with a link to its content."""
        expires = int(self._clock.now()) + LINK_S
        return [
            {
                "id": file["id"],
                "filename": file["filename"],
                "content_type": file["content_type"],
                "content_id": file["content_id"],
                "content_disposition": "inline" if file["content_id"] else "attachment",
                "size": file["size"] or 0,
                "download_url": f"{exchange.base}/downloads/{credential.id}/{quote(mail.provider_id)}/{file['id']}"
                f"?expires={expires}&signature={_signature(credential, mail.provider_id, file['id'], expires)}",
                "expires_at": iso(stamp(expires)),
            }
            for file in _recorded(mail)
        ]

    async def download(self, exchange: Exchange) -> Reply:
        """The content that a link of `of` leads to, without a key. Raises `Invalid` where the link does not hold, or
        the mail is gone."""
        gone = Invalid("Attachment not found", name="not_found", status=404)
        _, _, credential_id, email_id, file_id = [*exchange.path.split("/"), "", "", "", ""][:5]
        query = form_fields(exchange.query)
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not (_is_number(credential_id) and _is_number(expires)):
            raise gone
        credential = await self._credentials.by_id(self._provider, int(credential_id))
        if credential is None:
            raise gone
        expected = _signature(credential, email_id, file_id, int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode()) or int(expires) < self._clock.now():
            raise gone
        mail = await self._mails.mail(credential, email_id)
        content = None if mail is None else await self._content(mail, file_id)
        if content is None:
            raise gone
        return Reply(200, content, "application/octet-stream", ((b"content-disposition", b"attachment"),))

    async def _content(self, mail: SandboxMail, file_id: str) -> bytes | None:
        raw = await self._mails.raw_of(mail)
        if raw is None and mail.message_ids:
            message = await self._stored.get(mail.message_ids[0])
            try:
                raw = None if message is None else await self._bodies.read(message.r2_object_key)
            except NotFound:
                raw = None
        if raw is None:
            return None
        files = [file for file in _recorded(mail) if file["size"] is not None]
        # As `compose` puts them into the mail.
        files.sort(key=lambda file: not file["content_id"])
        from_end = next((len(files) - at for at, file in enumerate(files) if file["id"] == file_id), 0)
        return await asyncio.to_thread(_leaf, raw, from_end) if from_end else None


def _recorded(mail: SandboxMail) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], msgspec.json.decode(mail.summary)["attachments"])


def _signature(credential: SandboxCredential, email_id: str, file_id: str, expires: int) -> str:
    # The hash of the key is as secret as the key: it never leaves the database.
    signed = f"{email_id}/{file_id}/{expires}".encode("utf-8", "surrogatepass")
    return hmac.digest(credential.lookup.encode(), signed, hashlib.sha256).hex()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15


def _leaf(raw: bytes, from_end: int) -> bytes | None:
    """The content of a part that has none within: files stand at the end of a mail."""
    leaves = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    return cast(bytes, leaves[-from_end].get_payload(decode=True)) if from_end <= len(leaves) else None
