"""Every endpoint of the server; the busiest first, as routes are tried in order."""

from tempmail.web.endpoint import Endpoint
from tempmail.web.endpoints import (
    audit,
    extraction,
    mail,
    mailbox_batches,
    mailbox_logins,
    mailbox_settings,
    mailboxes,
    messages,
    own_password,
    rules,
    server,
    session,
    tokens,
    user_mailboxes,
    users,
)

ALL: tuple[Endpoint, ...] = (
    *mail.ENDPOINTS,
    *messages.ENDPOINTS,
    *mailboxes.ENDPOINTS,
    *mailbox_settings.ENDPOINTS,
    *mailbox_logins.ENDPOINTS,
    *mailbox_batches.ENDPOINTS,
    *user_mailboxes.ENDPOINTS,
    *users.ENDPOINTS,
    *session.ENDPOINTS,
    *own_password.ENDPOINTS,
    *server.ENDPOINTS,
    *extraction.ENDPOINTS,
    *rules.ENDPOINTS,
    *tokens.ENDPOINTS,
    *audit.ENDPOINTS,
)
