"""THE table from errors to HTTP answers. Every error answer of the server is made here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tempmail import errors

RETRY_AFTER_S = 5
INTERNAL = "Internal Server Error"

ENVELOPED = "/api/v1/mails"
"""Answers at this path and below it, errors of whatever layer among them, stand in the envelope of seed 002."""


@dataclass(frozen=True, slots=True)
class Row:
    """`text`: what the caller reads; None: the error's own words, which are public."""

    status: int
    text: str | None = None


# An error's row is that of the nearest class in its MRO. Transient errors speak of disks and buckets, so their own
# words stay in the log.
PROBLEMS: Mapping[type[BaseException], Row] = MappingProxyType(
    {
        errors.Transient: Row(503, "服务暂时不可用，请稍后重试"),
        errors.StoreUnavailable: Row(503, "数据库连接失败"),
        errors.StoreFull: Row(503, "存储空间不足，请稍后重试"),
        errors.ObjectsUnavailable: Row(503, "原始邮件暂时无法读取，请稍后重试"),
        errors.NoRoom: Row(503, "存储空间不足，请稍后重试"),
        errors.Overloaded: Row(503, "服务繁忙，请稍后重试"),
        errors.Throttled: Row(429),
        errors.Permanent: Row(400),
        errors.BadRequest: Row(400),
        errors.Unauthenticated: Row(401),
        errors.Forbidden: Row(403),
        errors.NotFound: Row(404),
        errors.Conflict: Row(409),
        errors.Unprocessable: Row(422),
        errors.QuotaReached: Row(400, "已达到邮箱上限"),
        errors.TooLarge: Row(413),
        errors.NotServed: Row(400),
        errors.UnknownMailbox: Row(404),
        errors.ConfigError: Row(500, INTERNAL),
        # The contract's status for what a provider did not do (freemail contract, appendix A).
        errors.SendFailed: Row(500),
        **dict.fromkeys(
            (
                errors.ProviderError,
                errors.ProviderAuthFailed,
                errors.ProviderDenied,
                errors.InvalidOutbound,
                errors.ProviderRateLimited,
                errors.ProviderExhausted,
                errors.ProviderUnavailable,
                errors.ProviderRefused,
                errors.OutcomeUnknown,
                errors.CannotDo,
            ),
            Row(500),
        ),
    }
)

_NAMES: Mapping[int, str] = MappingProxyType(
    {
        400: "bad_request",
        401: "unauthorized",
        403: "forbidden",
        404: "not_found",
        409: "conflict",
        413: "too_large",
        422: "unprocessable",
        429: "too_many_requests",
        500: "internal_error",
        503: "unavailable",
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is answered: `body` is `{"error": …}`, with more keys where the error carries them."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Malformed(errors.BadRequest):
    """A request body that is not the JSON that was asked for. `detail` says where and what, in public words."""

    def __init__(self, detail: str) -> None:
        super().__init__("Bad Request")
        self.detail = detail


class NotReady(errors.Transient):
    """Mail cannot be taken now, for `reasons`."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def row_of(error: BaseException) -> Row | None:
    """The row of the nearest class in the MRO; None for an error that is a fault of this program."""
    return next((PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS), None)


def problem_of(error: BaseException, *, request_id: str) -> Problem:
    """How `error` is answered. Unknown errors show the request's id and nothing else."""
    row = row_of(error) or Row(500, INTERNAL)
    body: dict[str, Any] = {"error": row.text if row.text is not None else str(error)}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if row.status == 500:
        body["request_id"] = request_id
    elif row.status == 401:
        headers = ((b"www-authenticate", b'Bearer realm="tempmail"'),)
    elif row.status in (429, 503):
        wait_s = error.retry_after_s if isinstance(error, errors.Throttled) else RETRY_AFTER_S
        headers = ((b"retry-after", str(wait_s).encode()),)
    if isinstance(error, Malformed):
        body["detail"] = error.detail
    elif isinstance(error, errors.SendFailed) and error.mail_uuid is not None:
        body["id"] = error.mail_uuid
    elif isinstance(error, NotReady):
        body |= {"ready": False, "reasons": error.reasons}
    return Problem(row.status, body, headers)


def is_enveloped(path: str) -> bool:
    """Whether answers at `path` stand in the envelope."""
    return path == ENVELOPED or path.startswith(f"{ENVELOPED}/")


def enveloped(body: Mapping[str, Any], status: int, error: str | None = None) -> dict[str, Any]:
    """The body of an error in the envelope: the text is its `message`, and `error` names it for programs, by default
    by the status.

    >>> enveloped({"error": "no such mail"}, 404)
    {'code': 404, 'message': 'no such mail', 'data': None, 'error': 'not_found'}
    """
    rest = {key: value for key, value in body.items() if key != "error"}
    return {"code": status, "message": body["error"], "data": None, "error": error or _NAMES[status], **rest}
