"""Templates of the mail_push sandbox: which there are, and changing them."""

from dataclasses import dataclass, replace

from tempmail.clock import Clock, stamp
from tempmail.domain.sandbox import SandboxCredential
from tempmail.domain.sandbox_providers import MAIL_PUSH
from tempmail.domain.sandbox_templates import FREE_FORM, MAX_TEMPLATES, Template, checked
from tempmail.errors import BadRequest, NotFound, QuotaReached
from tempmail.ports.sandbox import Sandboxes
from tempmail.ports.sandbox_records import Templates


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a template consists of, without its id."""

    subject: str
    name: str = ""
    html: str = ""
    text: str = ""

    def under(self, temp_id: int) -> Template:
        return Template(temp_id, self.name.strip(), self.subject, self.html, self.text)


class SandboxTemplates:
    """Every credential has the template `FREE_FORM` until another is put in its place; removing that brings it back.

    A credential is named by its id; 0 means the only one that mail_push has. All raise `NotFound` where there is no
    such credential, `BadRequest` where 0 names several.
    """

    def __init__(self, templates: Templates, sandboxes: Sandboxes, *, clock: Clock) -> None:
        self._templates = templates
        self._sandboxes = sandboxes
        self._clock = clock

    async def find(self, credential: SandboxCredential, temp_id: int) -> Template | None:
        """What a call of this account means by `temp_id`."""
        found = await self._templates.template(credential.id, temp_id) if temp_id > 0 else None
        return FREE_FORM if found is None and temp_id == FREE_FORM.temp_id else found

    async def all(self, credential_id: int) -> list[Template]:
        """By `temp_id`."""
        own = await self._templates.templates((await self._credential(credential_id)).id)
        return own if any(each.temp_id == FREE_FORM.temp_id for each in own) else [FREE_FORM, *own]

    async def get(self, credential_id: int, temp_id: int) -> Template:
        """Raises `NotFound`."""
        found = await self.find(await self._credential(credential_id), temp_id)
        if found is None:
            raise _no_template()
        return found

    async def add(self, credential_id: int, draft: TemplateDraft) -> Template:
        """With an id of its own. Raises `BadRequest`."""
        credential = await self._credential(credential_id)
        template = self._checked(draft.under(FREE_FORM.temp_id + 1))
        try:
            added = await self._templates.add_template(credential.id, template, limit=MAX_TEMPLATES)
        except QuotaReached as exc:
            raise BadRequest(str(exc)) from exc
        if added is None:
            raise _no_credential()
        return added

    async def put(self, credential_id: int, temp_id: int, draft: TemplateDraft) -> Template:
        """Under a given id, in the place of what is there. Raises `BadRequest`."""
        credential = await self._credential(credential_id)
        template = self._checked(draft.under(temp_id))
        try:
            if not await self._templates.put_template(credential.id, template, limit=MAX_TEMPLATES):
                raise _no_credential()
        except QuotaReached as exc:
            raise BadRequest(str(exc)) from exc
        return template

    async def remove(self, credential_id: int, temp_id: int) -> None:
        """Raises `NotFound`."""
        if not await self._templates.remove_template((await self._credential(credential_id)).id, temp_id):
            raise _no_template()

    def _checked(self, template: Template) -> Template:
        return replace(checked(template), updated_at=stamp(self._clock.now()))

    async def _credential(self, credential_id: int) -> SandboxCredential:
        if credential_id:
            credential = await self._sandboxes.get_credential(credential_id)
            if credential is None or credential.provider != MAIL_PUSH.name:
                raise _no_credential()
            return credential
        found = await self._sandboxes.credentials(MAIL_PUSH.name, after_id=0, limit=2)
        if not found:
            raise _no_credential()
        if len(found) > 1:
            raise BadRequest("credential: there are several, so its id is needed")
        return found[0]


def _no_credential() -> NotFound:
    return NotFound("no such sandbox credential")


def _no_template() -> NotFound:
    return NotFound("no such template")
