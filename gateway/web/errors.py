"""Every error as JSON: one table from code to status, one place that answers.

A failure that nobody expected is answered with an id and nothing else; the id stands in the log beside the detail.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from gateway.errors import Code, GatewayError
from gateway.web.replies import Problem, reply

log = logging.getLogger(__name__)

STATUS = {
    Code.INVALID: HTTPStatus.BAD_REQUEST,
    Code.DENIED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.UNPROCESSABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    Code.REFUSED: HTTPStatus.BAD_GATEWAY,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The contract's status for each kind of failure."""


@web.middleware
async def answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer whatever the handler raises."""
    try:
        return await handler(request)
    except GatewayError as fault:
        return answer_to(fault)
    except web.HTTPException as fault:
        if fault.status < HTTPStatus.BAD_REQUEST:
            raise
        allow = {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else {}
        return reply(Problem(_sentence(fault)), HTTPStatus(fault.status), allow)
    except Exception as fault:  # noqa: BLE001 - noted with everything that is known
        sentence = f"Something went wrong here. Quote {note_failure(request, fault)} when you ask for help."
        return reply(Problem(sentence), HTTPStatus.INTERNAL_SERVER_ERROR)


def note_failure(request: web.Request, fault: Exception) -> str:
    """Log a failure that nobody expected; the id under which it stands there."""
    error_id = secrets.token_hex(8)
    log.error(
        "unexpected failure in %s %s",
        request.method,
        request.rel_url.raw_path,
        exc_info=fault,
        extra={"action": "failed", "error_id": error_id},
    )
    return error_id


def answer_to(fault: GatewayError) -> web.Response:
    """What a caller is told of an expected failure."""
    problem = Problem(fault.message, fault.payment_id, fault.fields, fault.retry_after_s)
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    if fault.code is Code.DENIED:
        headers["WWW-Authenticate"] = "Bearer"  # a 401 must name a way in (RFC 9110, section 15.5.2)
    return reply(problem, STATUS[fault.code], headers)


def _sentence(fault: web.HTTPException) -> str:
    if fault.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "The body is too large: 64 KiB at most"
    return {
        HTTPStatus.NOT_FOUND: "There is nothing at this address",
        HTTPStatus.REQUEST_TIMEOUT: "The body did not come in time: send the request again",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method: see the Allow header",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send JSON, uncompressed, with Content-Type: application/json",
    }.get(HTTPStatus(fault.status), fault.reason)
