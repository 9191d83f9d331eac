"""The server about itself: alive, ready, metrics, documentation. Open to everybody, as probes and scrapers have no
credential; what they show names no mailbox and no user."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Raw, Refusal, endpoint
from tempmail.web.problems import NotReady


class Health(Struct):
    """The HTTP side answers."""

    status: Annotated[str, Meta(description="Always `ok`", examples=["ok"])] = "ok"


class Readiness(Struct):
    """Mail can be taken."""

    ready: Annotated[bool, Meta(description="Always true; otherwise the status is 503", examples=[True])] = True


_NOT_READY = Refusal(503, "服务暂时不可用，请稍后重试", such_as={"ready": False, "reasons": ["no process takes mail"]})
_METRICS = "# TYPE tempmail_smtp_sessions gauge\ntempmail_smtp_sessions 3.0\n"


@endpoint("GET|HEAD /healthz", action="server.read", tag="Server")
async def healthz(_: Call) -> Health:
    """Whether the HTTP side answers at all. Touches neither database nor object store."""
    return Health()


@endpoint("GET|HEAD /readyz", action="server.read", tag="Server", errors=(_NOT_READY,))
async def readyz(call: Call) -> Readiness:
    """Whether mail can be taken now. If not: 503, and `reasons` says why."""
    reasons = await call.services.not_ready()
    if reasons:
        raise NotReady(reasons)
    return Readiness()


@endpoint(
    "GET /metrics",
    action="server.read",
    tag="Server",
    media_type="text/plain; version=0.0.4; charset=utf-8",
    answer_example=_METRICS,
)
async def metrics(call: Call) -> Raw:
    """All metrics in the Prometheus text format."""
    return Raw(call.services.metrics_page(), "text/plain; version=0.0.4; charset=utf-8")


ENDPOINTS: tuple[Endpoint, ...] = (healthz, readyz, metrics)
