"""What single provider sandboxes keep: mail_push's templates, nobase's log."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.domain.sandbox_nobase import SENT
from tempmail.domain.sandbox_templates import (
    MAX_BODY_BYTES,
    MAX_NAME_CHARS,
    MAX_SUBJECT_CHARS,
    MAX_TEMPLATE_ID,
    MAX_TEMPLATES,
    Template,
    variables_in,
)
from tempmail.services.sandbox_templates import TemplateDraft
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, MAX_ID, Stamp, Success

Name = Annotated[
    str, Meta(description=f"What it is for; at most {MAX_NAME_CHARS} characters", examples=["verification code"])
]
Subject = Annotated[
    str,
    Meta(
        description=f"`{{{{name}}}}` stands for a variable; 1 to {MAX_SUBJECT_CHARS} characters",
        examples=["{{name}}, your order {{order_no}}"],
    ),
]
Html = Annotated[
    str,
    Meta(
        description="In `{{name}}` the value is escaped, in `{{{name}}}` it stands as it is; at most "
        f"{MAX_BODY_BYTES >> 20} MB. Empty: the mail has no HTML",
        examples=["<p>Hello {{name}}</p>"],
    ),
]
Text = Annotated[
    str,
    Meta(
        description=f"Values stand as they are; at most {MAX_BODY_BYTES >> 20} MB. Empty: the mail has no text",
        examples=["Hello {{name}}"],
    ),
]


class TemplateBody(Struct):
    """A template. `html` or `text` is needed."""

    subject: Subject = ""
    name: Name = ""
    html: Html = ""
    text: Text = ""


class TemplateItem(Struct):
    """A template."""

    temp_id: Annotated[int, Meta(description="What calls name it by", examples=[2])]
    name: Name
    subject: Subject
    html: Html
    text: Text
    variables: Annotated[
        list[str], Meta(description="Names of the variables in it, as they come", examples=[["name", "order_no"]])
    ]
    updated_at: Annotated[
        str, Meta(description="UTC; empty: the free-form template, as it came", examples=["2024-01-01 12:00:00"])
    ]


class TemplateList(Struct):
    """All templates of a credential."""

    templates: Annotated[list[TemplateItem], Meta(description=f"By `temp_id`; at most {MAX_TEMPLATES}")]


class TemplateQuery(Struct):
    credential: Annotated[
        int,
        Meta(
            description="Id of the mail_push credential whose templates are meant; 0: the only one there is",
            ge=0,
            le=MAX_ID,
            examples=[2],
        ),
    ] = 0


class TemplatePath(Struct):
    temp_id: Annotated[int, Meta(description="What calls name it by", ge=0, le=MAX_TEMPLATE_ID, examples=[2])] = 0


class LogQuery(Struct):
    before: Annotated[
        int, Meta(description="Only those with a lower id: the last one of the page before; 0: all", ge=0, le=MAX_ID)
    ] = 0
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=500)] = 100


class LogItem(Struct):
    """One call."""

    id: Annotated[int, Meta(description="Id of the entry", examples=[17])]
    credential: Annotated[
        int | None, Meta(description="Id of the credential; null: nobody has this appid (any more)", examples=[3])
    ]
    appid: Annotated[str, Meta(description="As given", examples=["aB3dE6gH9jK2"])]
    mail: Annotated[str, Meta(description="Recipient, as given", examples=["recipient@example.com"])]
    title: Annotated[str, Meta(description="Subject, as given", examples=["测试邮件标题"])]
    success: Annotated[bool, Meta(description="Whether the mail was taken", examples=[True])]
    code: Annotated[int, Meta(description="As answered", examples=[200])]
    data: Annotated[str, Meta(description="As answered", examples=["邮件发送成功"])]
    ip: Annotated[str, Meta(description="The caller's address", examples=["192.0.2.7"])]
    created_at: Stamp


class LogList(Struct):
    """A page of the log."""

    entries: Annotated[list[LogItem], Meta(description="Newest first")]


_NO_CREDENTIAL = Refusal(404, "no such sandbox credential")
_NO_TEMPLATE = Refusal(404, "no such template")
_WHICH = Refusal(400, "credential: there are several, so its id is needed")
_BAD = (
    MALFORMED,
    _WHICH,
    Refusal(400, f"subject: 1 to {MAX_SUBJECT_CHARS} characters"),
    Refusal(400, "html or text is needed"),
    Refusal(400, f"there are {MAX_TEMPLATES} templates already, which is the most: remove one first"),
    _NO_CREDENTIAL,
)


@endpoint(
    "GET /api/v1/sandboxes/mail_push/templates",
    action="sandbox.manage",
    tag="Sandboxes",
    errors=(_WHICH, _NO_CREDENTIAL),
)
async def mail_push_templates(call: Call, query: TemplateQuery) -> TemplateList:
    """List the templates of a mail_push credential.

    Template 1 is there from the beginning: its subject and bodies are the variables `subject`, `html` and `text`.
    """
    found = await call.services.sandbox_templates.all(query.credential)
    return TemplateList([_item(each) for each in found])


@endpoint("POST /api/v1/sandboxes/mail_push/templates", action="sandbox.manage", tag="Sandboxes", errors=_BAD)
async def add_mail_push_template(call: Call, query: TemplateQuery, body: TemplateBody) -> TemplateItem:
    """Make a template, under the next id."""
    return _item(await call.services.sandbox_templates.add(query.credential, _draft(body)))


@endpoint(
    "GET /api/v1/sandboxes/mail_push/templates/{temp_id}",
    action="sandbox.manage",
    tag="Sandboxes",
    errors=(_WHICH, _NO_CREDENTIAL, _NO_TEMPLATE),
)
async def mail_push_template(call: Call, path: TemplatePath, query: TemplateQuery) -> TemplateItem:
    """Show one template."""
    return _item(await call.services.sandbox_templates.get(query.credential, path.temp_id))


@endpoint(
    "PUT /api/v1/sandboxes/mail_push/templates/{temp_id}",
    action="sandbox.manage",
    tag="Sandboxes",
    errors=(*_BAD, Refusal(400, f"temp_id: from 1 to {MAX_TEMPLATE_ID}")),
)
async def put_mail_push_template(
    call: Call, path: TemplatePath, query: TemplateQuery, body: TemplateBody
) -> TemplateItem:
    """Put a template under an id of the caller's choice, such as the one that an app has already; what was there is
    replaced."""
    return _item(await call.services.sandbox_templates.put(query.credential, path.temp_id, _draft(body)))


@endpoint(
    "DELETE /api/v1/sandboxes/mail_push/templates/{temp_id}",
    action="sandbox.manage",
    tag="Sandboxes",
    errors=(_WHICH, _NO_CREDENTIAL, _NO_TEMPLATE),
)
async def remove_mail_push_template(call: Call, path: TemplatePath, query: TemplateQuery) -> Success:
    """Remove a template. Of template 1 that brings back the one that was there from the beginning."""
    await call.services.sandbox_templates.remove(query.credential, path.temp_id)
    return Success()


@endpoint("GET /api/v1/sandboxes/nobase/log", action="sandbox.manage", tag="Sandboxes")
async def nobase_log(call: Call, query: LogQuery) -> LogList:
    """The calls that the nobase sandbox got, taken or not. It keeps the newest 10000, and never a password."""
    found = await call.services.sandbox_log.page(before=query.before or None, limit=query.limit)
    return LogList(
        [
            LogItem(
                id=each.id,
                credential=each.credential_id,
                appid=each.appid,
                mail=each.mail,
                title=each.title,
                success=each.code == SENT,
                code=each.code,
                data=each.detail,
                ip=each.address,
                created_at=each.created_at,
            )
            for each in found
        ]
    )


def _draft(body: TemplateBody) -> TemplateDraft:
    return TemplateDraft(body.subject, body.name, body.html, body.text)


def _item(template: Template) -> TemplateItem:
    return TemplateItem(
        temp_id=template.temp_id,
        name=template.name,
        subject=template.subject,
        html=template.html,
        text=template.text,
        variables=list(variables_in(template)),
        updated_at=template.updated_at,
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    mail_push_templates,
    add_mail_push_template,
    mail_push_template,
    put_mail_push_template,
    remove_mail_push_template,
    nobase_log,
)
