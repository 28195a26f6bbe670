"""The official SDK made awaitable: its requests, our transport.

The SDK builds every request and hands it to its own `send_request`, which blocks, waits for ever and reports many failures as
success. `AwaitableSdk` replaces that one method; all else stays the SDK's.
"""

from typing import Any

from intasend import Chagebacks, Collect, PaymentLinks
from intasend.client import APIBase

from gateway.errors import GatewayError, ProviderUnreachable
from gateway.providers.base import Environment, ProviderAccount
from gateway.providers.upstream import Line


class AwaitableSdk(APIBase):  # type: ignore[misc]  # the SDK carries no types
    """Mixed in before a class of the SDK (`Collect`, `PaymentLinks`, later `Chagebacks`), makes all its methods awaitable.

    Each of them ends in `return self.send_request(...)`: what they return is what there is to await.
    """

    def __init__(self, transport: Line, account: ProviderAccount) -> None:
        super().__init__(
            token=account.secret_key.reveal(),
            publishable_key=account.publishable_key,
            test=account.environment is Environment.SANDBOX,
        )
        self._transport = transport

    async def send_request(self, request_type: str, service_endpoint: str, payload: Any, noauth: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - the SDK's signature
        """The SDK's way out, over our transport; raises what `Line.exchange` raises instead of the SDK's exceptions."""
        return await self._transport.exchange(request_type, service_endpoint, payload, self.get_headers(noauth))


class AwaitableCollect(AwaitableSdk, Collect):  # type: ignore[misc]
    """The SDK's pushes and status reads."""


class AwaitableLinks(AwaitableSdk, PaymentLinks):  # type: ignore[misc]
    """The SDK's payment links."""


class AwaitableChargebacks(AwaitableSdk, Chagebacks):  # type: ignore[misc]
    """The SDK's requests for refunds, whose class it misspells."""


def read_lost(what: str) -> GatewayError:
    """The error for a question that got no usable answer."""
    return ProviderUnreachable(f"IntaSend gave no usable answer ({what})")
