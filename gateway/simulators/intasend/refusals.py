"""How the API says no: the error bodies of drf-standardized-errors (facts, payments 3).

Owns the refusals, and reading the fields of a request body, which is where most of them come from.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from gateway.simulators.intasend.shapes import Json

CLIENT_ERROR = "client_error"
VALIDATION_ERROR = "validation_error"
SERVER_ERROR = "server_error"


class Refusal(Exception):
    """The request is answered with an error; `response` is what goes over the wire."""

    def __init__(self, status: int, type_: str, *errors: Json, retry_after_s: int | None = None) -> None:
        super().__init__(type_)
        self.status = status
        self.body = {"type": type_, "errors": list(errors)}
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}

    def response(self) -> web.Response:
        """The answer."""
        return web.json_response(self.body, status=self.status, headers=self.headers)


def error(code: str, detail: str, attr: str | None = None) -> Json:
    """One entry of `errors`; `attr` names the field of the request."""
    return {"code": code, "detail": detail, "attr": attr}


def bad_key() -> Refusal:
    """The documented example, word for word."""
    return Refusal(403, CLIENT_ERROR, error("authentication_failed", "Invalid api token"))


def not_found(detail: str = "Not found.") -> Refusal:
    """No such thing."""
    return Refusal(404, CLIENT_ERROR, error("not_found", detail))


def failure(status: int, retry_after_s: int | None = None) -> Refusal:
    """The service itself fails, or is asked too often."""
    if status == web.HTTPTooManyRequests.status_code:
        wait = "" if retry_after_s is None else f" Expected available in {retry_after_s} seconds."
        return Refusal(status, CLIENT_ERROR, error("throttled", f"Request was throttled.{wait}"), retry_after_s=retry_after_s)
    return Refusal(status, SERVER_ERROR, error("error", "A server error occurred."), retry_after_s=retry_after_s)


async def read_body(request: web.Request) -> Json:
    """The JSON object in the body; Refusal 400 for anything else."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError as fault:
        raise Refusal(400, CLIENT_ERROR, error("parse_error", f"JSON parse error - {fault}")) from None
    if not isinstance(body, dict):
        detail = f"Invalid data. Expected a dictionary, but got {type(body).__name__}."
        raise Refusal(400, VALIDATION_ERROR, error("invalid", detail, "non_field_errors"))
    return body


class Fields:
    """Reads a request body field by field and collects every fault, as a serializer does; absent and null mean the default."""

    def __init__(self, body: Json) -> None:
        self._body = body
        self._errors: list[Json] = []

    def check(self) -> None:
        """Refusal 400 with all faults found so far."""
        if self._errors:
            raise Refusal(400, VALIDATION_ERROR, *self._errors)

    def refuse(self, name: str, code: str, detail: str) -> None:
        """Note one fault."""
        self._errors.append(error(code, detail, name))

    def required(self, name: str) -> Any:
        """The value as it is; a fault when it is absent, null or blank."""
        if name not in self._body:
            self.refuse(name, "required", "This field is required.")
        elif self._body[name] is None:
            self.refuse(name, "null", "This field may not be null.")
        elif self._body[name] == "":
            self.refuse(name, "blank", "This field may not be blank.")
        else:
            return self._body[name]
        return None

    def text(self, name: str, default: str, max_length: int = 255) -> str:
        """A string, or a number written as one."""
        value = self._body.get(name)
        text = default if value is None else str(value)
        if isinstance(value, dict | list | bool):
            self.refuse(name, "invalid", "Not a valid string.")
        elif len(text) > max_length:
            self.refuse(name, "max_length", f"Ensure this field has no more than {max_length} characters.")
        return text

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of the given strings."""
        value = self._body.get(name)
        value = (self.required(name) if default is None else default) if value is None else value
        if value is not None and value not in choices:
            self.refuse(name, "invalid_choice", f'"{value}" is not a valid choice.')
        return str(value)

    def amount(self, name: str, least: int, most: int) -> Decimal:
        """Money between the limits, as a JSON number or as a string."""
        value = self.required(name)
        if value is None:
            return Decimal(0)
        amount = _decimal(value)
        if amount is None:
            self.refuse(name, "invalid", "A valid number is required.")
            return Decimal(0)
        if amount < least:
            self.refuse(name, "min_value", f"Ensure this value is greater than or equal to {least}.")
        elif amount > most:
            self.refuse(name, "max_value", f"Ensure this value is less than or equal to {most}.")
        return amount


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
