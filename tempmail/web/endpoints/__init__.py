"""Every endpoint of the server; the busiest first, as routes are tried in order."""

from tempmail.web.endpoint import Endpoint
from tempmail.web.endpoints import mail, mailboxes, server, session

ALL: tuple[Endpoint, ...] = (*mail.ENDPOINTS, *mailboxes.ENDPOINTS, *session.ENDPOINTS, *server.ENDPOINTS)
