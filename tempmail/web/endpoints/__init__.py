"""Every endpoint of the server; the busiest first, as routes are tried in order."""

from tempmail.web.endpoint import Endpoint
from tempmail.web.endpoints import extraction, mail, mailboxes, messages, rules, server, session

ALL: tuple[Endpoint, ...] = (
    *mail.ENDPOINTS,
    *messages.ENDPOINTS,
    *mailboxes.ENDPOINTS,
    *session.ENDPOINTS,
    *server.ENDPOINTS,
    *extraction.ENDPOINTS,
    *rules.ENDPOINTS,
)
