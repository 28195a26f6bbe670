"""`hotspot-gateway refund`: asks the running gateway to have a payment given back, as its owner would.

The gateway is the only one that writes its database, so the command goes through its API: with a token of the payment's owner, made
with the key that only whoever runs the gateway can read. Nothing is decided here.
"""

from typing import Any

import aiohttp

from gateway.clock import MachineClock
from gateway.config import Config
from gateway.datadir import DATABASE_FILE
from gateway.errors import GatewayError, Internal
from gateway.heartbeat import KeptTime
from gateway.store import accounts
from gateway.store.database import peek
from gateway.tokens import Kind, Tokens
from gateway.vault import Vault, keys_in

DEADLINE_S = 60.0
"""IntaSend may take 30 s for the request, after 10 s each for whether it has one already and whether the money has come."""

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_SAID = {
    "due": "still owed: {refusal}",
    "unknown": "IntaSend may have the request or not: it is not in its list yet. Run the command again in a minute",
    "requested": "asked back from IntaSend as {refund_id}: {refund_state}. Its people decide; run the command again to see",
    "returned": "given back by IntaSend ({refund_id})",
    "declined": "IntaSend does not give it back ({refund_id}: {refund_state})",
}


async def refund(config: Config, payment_id: str, clock: MachineClock) -> str:
    """Ask for it; what became of it, for the operator. Raises GatewayError when it was not done, with the gateway's own words."""
    answer = await _post(config, f"/payments/{payment_id}/refund/", await _token(config, payment_id, clock))
    return "\n".join(_told(each) for each in answer["refunds"])


async def _token(config: Config, payment_id: str, clock: MachineClock) -> str:
    """A token of the owner of that payment. Raises NotFound."""
    data_dir = config.server.data_dir
    owner, time = await peek(data_dir / DATABASE_FILE, lambda tx: (accounts.owner_of_payment(tx, payment_id), KeptTime(tx, clock)))
    vault = Vault(config.security.encryption_keys or keys_in(data_dir))
    return Tokens(vault.derive("tokens"), time).make(Kind.ACCESS, *owner)[0]


async def _post(config: Config, path: str, token: str) -> dict[str, Any]:
    server = config.server
    host = _LOOPBACK.get(server.listen_host, server.listen_host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{server.listen_port}{path}"
    headers, deadline = {"Authorization": f"Bearer {token}"}, aiohttp.ClientTimeout(total=DEADLINE_S)
    try:
        async with aiohttp.ClientSession() as http, http.post(url, headers=headers, timeout=deadline) as response:
            answer: dict[str, Any] = await response.json()
    except (aiohttp.ClientConnectorError, TimeoutError):
        raise Internal(f"the gateway does not answer at {server.listen_host}:{server.listen_port}: is it running?") from None
    except (aiohttp.ClientError, ValueError) as fault:
        raise Internal(f"what answers at {server.listen_host}:{server.listen_port} is not the gateway: {fault}") from None
    if not response.ok:
        raise GatewayError(str(answer.get("error", response.reason)))
    return answer


def _told(refund: dict[str, Any]) -> str:
    amount = f"{refund['amount']} KES" if refund["amount"] else "the money"
    return f"{amount} of invoice {refund['invoice_id']} ({refund['why']}): " + _SAID[refund["status"]].format(**refund)
