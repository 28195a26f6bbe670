"""What is refused, with which sentence, and what is written about it (specification, decision 6)."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.identity import Secret
from gateway.payments import PaymentState
from gateway.store.database import Transaction
from gateway.vault import Vault
from tests.e2e.world import World

INITIATE = "/payments/intasend/initiate/"

RECORDED: dict[str, tuple[dict[str, Any], int, str]] = {
    "too little": ({"amount": "49.99"}, 400, "Amount must match package price: 50.00 KES"),
    "too much": ({"amount": "51"}, 400, "Amount must match package price: 50.00 KES"),
    "nothing": ({"amount": "0"}, 400, "Amount must match package price: 50.00 KES"),
    "another method": ({"payment_method": "card"}, 400, 'Payment method "card" is not supported: use "mpesa"'),
}
UNRECORDED: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown package": ({"package_id": 99}, 404, "Package not found or not active for this router"),
    "package not on sale": ({"package_id": 5}, 404, "Package not found or not active for this router"),
    "unknown router": ({"router_id": 99}, 404, "Router not found or access denied"),
    "no phone number": ({"phone_number": "0712"}, 400, "Invalid phone number format"),
    "a name": ({"phone_number": "Amina"}, 400, "Invalid phone number format"),
    "a fixed line": ({"phone_number": "0202712345"}, 400, "Invalid phone number format"),
    "a Ugandan": ({"phone_number": "+256712345678"}, 400, "M-Pesa takes Kenyan mobile numbers only (07…, 01… or 254…)"),
    "no MAC": ({"mac_address": "AA:BB"}, 400, "mac_address: must be a MAC address such as AA:BB:CC:DD:EE:FF"),
    "no address": ({"ip_address": "::1"}, 400, "ip_address: must be an IPv4 address such as 192.168.1.100"),
    "no amount": ({"amount": None}, 400, "amount: this field is required"),
    "no number": ({"router_id": "one"}, 400, "router_id: must be a positive integer"),
    "a tenth of a cent": ({"amount": "50.001"}, 400, 'amount: must be an amount such as "50" or "50.00"'),
}


@pytest.mark.parametrize(("changes", "status", "sentence"), RECORDED.values(), ids=RECORDED)
async def test_a_refusal_is_recorded_as_a_failed_payment(world: World, changes: dict[str, Any], status: int, sentence: str):
    answered, answer = await world.initiate(world.amina, **changes)

    assert (answered, answer["error"]) == (status, sentence)
    payment = await world.payment(answer["payment_id"])
    assert (payment.state, payment.failed_reason) == (PaymentState.REFUSED, sentence)
    assert payment.phone.digits == world.amina.number
    _, told = await world.check(payment.id)
    assert (told["status"], told["payment"]["failed_reason"]) == ("failed", sentence)
    assert world.intasend.pushes == []


@pytest.mark.parametrize(("changes", "status", "sentence"), UNRECORDED.values(), ids=UNRECORDED)
async def test_what_names_no_sale_is_refused_and_leaves_nothing(world: World, changes: dict[str, Any], status: int, sentence: str):
    answered, answer = await world.initiate(world.amina, **changes)

    assert (answered, answer["error"]) == (status, sentence)
    assert "payment_id" not in answer
    assert await world.payments() == []
    assert world.intasend.pushes == []


@pytest.mark.parametrize("key", [None, "c1eb9fed9dabc57f61d56c26ef3870af", "c1eb9fed", "z" * 32])
async def test_a_stranger_is_refused(world: World, key: str | None):
    status, answer = await world.post(INITIATE, {}, key=key)

    assert status == 401
    assert set(answer) == {"error"}


async def test_every_faulty_field_is_named_at_once(world: World):
    status, answer = await world.initiate(world.amina, amount="-1", mac_address="00:00:00:00:00:00", ip_address="10.5.50")

    assert status == 400
    assert set(answer["fields"]) == {"amount", "mac_address", "ip_address"}


async def test_an_owner_without_keys_cannot_sell(world: World):
    def without_keys(document: dict[str, Any]) -> None:
        del document["owners"][0]["intasend"]

    world.edits.append(without_keys)
    await world.reload()
    status, answer = await world.initiate(world.amina)

    assert status == 404
    assert answer["error"] == "No active IntaSend credentials found. Please add your IntaSend API credentials first."
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED


async def test_keys_that_cannot_be_opened_are_named_and_nothing_more_is_told(world: World):
    def with_newer_keys(tx: Transaction) -> None:
        sealed = Vault((Secret(Fernet.generate_key().decode()),)).seal(Secret("ISSecretKey_test_other"))
        tx.execute(
            "INSERT INTO credential (owner_id, provider, environment, publishable_key, secret_sealed, managed_by, active) "
            "VALUES (1, 'instasend', 'sandbox', 'ISPubKey_test_other', ?, 'api', 1)",
            (sealed,),
        )

    await world.running.db.write(with_newer_keys)
    await world.reload()
    status, answer = await world.initiate(world.amina)

    assert (status, answer["error"]) == (500, "Failed to decrypt private key: Invalid encryption key")
    assert (await world.payment(answer["payment_id"])).state is PaymentState.REFUSED


@pytest.mark.parametrize("payment_id", ["550e8400-e29b-41d4-a716-446655440000", "1", "x' OR '1'='1"])
async def test_a_payment_that_is_not_there_is_not_found(world: World, payment_id: str):
    status, answer = await world.check(payment_id)

    assert (status, answer) == (404, {"error": "Payment not found or access denied"})


async def test_a_payment_of_another_owner_is_not_found(world: World):
    def with_second_owner(document: dict[str, Any]) -> None:
        document["owners"].append({"id": 2, "username": "wairimu", "name": "Wairimu WiFi", "public_key": "0" * 32})

    world.edits.append(with_second_owner)
    await world.reload()
    payment_id = await world.ask(world.amina)

    path = f"/payments/intasend/{payment_id}/check-status/"
    assert await world.post(path, key="0" * 32) == (404, {"error": "Payment not found or access denied"})
    status, answer = await world.post(
        INITIATE, {"router_id": 1, "package_id": 2, "phone_number": "0712345678", "amount": "50"}, "0" * 32
    )
    assert (status, answer["error"]) == (404, "Router not found or access denied")


async def test_a_payment_of_another_provider_is_not_checked_at_intasend(world: World):
    payment_id = await world.ask(world.amina)
    await world.running.db.write(lambda tx: tx.execute("UPDATE payment SET provider = 'kopokopo' WHERE id = ?", (payment_id,)))

    assert await world.check(payment_id) == (400, {"error": "This payment was not initiated through IntaSend"})
