"""What becomes of a prompt, seen through the status that the stock SDK reads."""

import pytest

from gateway.simulators.intasend import OUTCOMES, Outcome
from gateway.simulators.intasend.outcomes import FAILED_REASONS

PHONE = "254712345678"


async def test_a_prompt_reaches_the_phone_two_seconds_after_the_push(sdk, sim, clock):
    invoice_id = await sdk.push_id()
    clock.advance(1.9)
    assert ((await sdk.status(invoice_id))["state"], sim.prompts(PHONE)) == ("PENDING", [])
    clock.advance(0.1)
    assert (await sdk.status(invoice_id))["state"] == "PROCESSING"
    assert [(prompt.invoice_id, prompt.amount, prompt.narrative) for prompt in sim.prompts(PHONE)] == [(invoice_id, 50, "WiFi")]


async def test_a_prompt_is_on_its_own_phone_only(sdk, sim, clock):
    await sdk.push()
    clock.advance(2)
    assert sim.prompts("254712345679") == []


async def test_whoever_watches_is_told_when_a_prompt_appears(sdk, sim, clock, settle):
    seen = []
    sim.on_prompt = lambda prompt: seen.append(prompt.invoice_id)
    invoice_id = await sdk.push_id()
    await settle()
    assert seen == []
    clock.advance(2)
    await settle()
    assert seen == [invoice_id]


async def test_an_unanswered_prompt_expires_after_a_minute(sdk, sim, clock):
    invoice_id = await sdk.push_id()
    clock.advance(61.9)
    assert (await sdk.status(invoice_id))["state"] == "PROCESSING"
    clock.advance(0.1)
    invoice = await sdk.status(invoice_id)
    assert (invoice["state"], invoice["failed_code"], sim.prompts(PHONE)) == ("FAILED", "1019", [])


async def test_an_answered_prompt_is_complete_with_receipt_charges_and_net_amount(sdk, sim, clock):
    invoice_id = await sdk.push_id()
    clock.advance(4)
    sim.answer(invoice_id, Outcome.COMPLETE)
    invoice = await sdk.status(invoice_id)
    assert (invoice["state"], invoice["value"], invoice["charges"], invoice["net_amount"]) == ("COMPLETE", 50.0, 1.5, "48.50")
    assert invoice["mpesa_reference"].startswith("T")
    assert len(invoice["mpesa_reference"]) == 10
    assert invoice["updated_at"] == "2025-08-25T13:30:04.000000+03:00"
    assert sim.prompts(PHONE) == []


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.CANCELLED, "1032"),
        (Outcome.WRONG_PIN, "2001"),
        (Outcome.NO_FUNDS, "1"),
        (Outcome.EXPIRED, "1019"),
        (Outcome.UNREACHABLE, "1037"),
        (Outcome.BUSY, "1001"),
        (Outcome.NOT_SENT, "1025"),
    ],
)
async def test_a_failure_carries_the_code_of_mpesa_as_a_string_and_its_text(sdk, sim, clock, outcome, code):
    sim.script(PHONE, outcome)
    invoice_id = await sdk.push_id()
    clock.advance(62)
    invoice = await sdk.status(invoice_id)
    assert (invoice["state"], invoice["failed_code"], invoice["failed_reason"]) == ("FAILED", code, FAILED_REASONS[code])
    assert (invoice["mpesa_reference"], invoice["charges"], invoice["net_amount"]) == (None, 0.0, "50.00")


@pytest.mark.parametrize(
    ("outcome", "after_s"), [(Outcome.CANCELLED, 7), (Outcome.UNREACHABLE, 62), (Outcome.BUSY, 2), (Outcome.NOT_SENT, 2)]
)
async def test_a_scripted_failure_takes_its_time(sdk, sim, clock, outcome, after_s):
    sim.script(PHONE, outcome)
    invoice_id = await sdk.push_id()
    clock.advance(after_s - 0.1)
    assert sim.state(invoice_id) != "FAILED"
    clock.advance(0.1)
    assert sim.state(invoice_id) == "FAILED"


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.NOT_SENT])
async def test_a_phone_that_cannot_be_reached_shows_nothing(sdk, sim, clock, outcome):
    sim.script(PHONE, outcome)
    await sdk.push()
    clock.advance(2)
    assert sim.prompts(PHONE) == []


async def test_a_stuck_invoice_stays_processing_for_ever(sdk, sim, clock):
    sim.script(PHONE, Outcome.STUCK)
    invoice_id = await sdk.push_id()
    clock.advance(86_400 * 30)
    assert (await sdk.status(invoice_id))["state"] == "PROCESSING"


async def test_a_late_complete_comes_minutes_after_the_pin(sdk, sim, clock):
    invoice_id = await sdk.push_id()
    clock.advance(2)
    sim.answer(invoice_id, Outcome.COMPLETE_LATE)
    clock.advance(299)
    assert (await sdk.status(invoice_id))["state"] == "PROCESSING"
    clock.advance(1)
    assert (await sdk.status(invoice_id))["state"] == "COMPLETE"


async def test_a_script_can_delay_any_outcome_beyond_the_life_of_the_prompt(sdk, sim, clock):
    sim.script(PHONE, Outcome.COMPLETE.after(120))
    invoice_id = await sdk.push_id()
    clock.advance(100)
    assert (sim.state(invoice_id), sim.prompts(PHONE)) == ("PROCESSING", [])
    clock.advance(22)
    assert sim.state(invoice_id) == "COMPLETE"


async def test_a_complete_invoice_may_never_have_a_receipt(sdk, sim):
    invoice_id = await sdk.push_id()
    sim.answer(invoice_id, Outcome.COMPLETE_WITHOUT_RECEIPT)
    invoice = await sdk.status(invoice_id)
    assert (invoice["state"], invoice["mpesa_reference"]) == ("COMPLETE", None)


@pytest.mark.parametrize(
    ("outcome", "name", "told"),
    [
        (Outcome.WRONG_VALUE, "value", (50.0, 1.0)),
        (Outcome.WRONG_CURRENCY, "currency", ("KES", "UGX")),
        (Outcome.WRONG_API_REF, "api_ref", ("HG-1", "API Request")),
    ],
)
async def test_a_complete_invoice_can_differ_from_what_was_ordered(sdk, clock, outcome, name, told):
    sdk.sim.script(PHONE, outcome)
    before = (await sdk.push())["invoice"]
    clock.advance(7)
    after = await sdk.status(before["invoice_id"])
    assert (after["state"], (before[name], after[name])) == ("COMPLETE", told)


async def test_a_failed_invoice_can_still_become_complete(sdk, sim, clock):
    sim.script(PHONE, Outcome.FAILED_THEN_COMPLETE)
    invoice_id = await sdk.push_id()
    clock.advance(7)
    assert (await sdk.status(invoice_id))["state"] == "FAILED"
    clock.advance(30)
    invoice = await sdk.status(invoice_id)
    assert (invoice["state"], invoice["failed_code"]) == ("COMPLETE", None)


async def test_a_state_can_be_a_word_that_nobody_has_documented(sdk, sim):
    invoice_id = await sdk.push_id()
    sim.answer(invoice_id, Outcome.UNKNOWN_WORD)
    assert (await sdk.status(invoice_id))["state"] == "ON-HOLD"


async def test_an_answer_overrides_the_script(sdk, sim, clock):
    sim.script(PHONE, Outcome.CANCELLED)
    invoice_id = await sdk.push_id()
    clock.advance(3)
    sim.answer(invoice_id, Outcome.COMPLETE)
    clock.advance(100)
    assert sim.state(invoice_id) == "COMPLETE"


async def test_a_script_gives_one_outcome_to_each_push_and_then_the_default(sdk, sim, clock):
    sim.default_outcome(Outcome.COMPLETE)
    sim.script(PHONE, Outcome.WRONG_PIN, Outcome.CANCELLED)
    states = []
    for _ in range(3):
        invoice_id = await sdk.push_id()
        clock.advance(7)
        invoice = await sdk.status(invoice_id)
        states.append(invoice["failed_code"] or invoice["state"])
    assert states == ["2001", "1032", "COMPLETE"]


def test_every_outcome_goes_by_its_name():
    assert len(OUTCOMES) == 16
    assert all(OUTCOMES[name].name == name for name in OUTCOMES)
