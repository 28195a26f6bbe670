"""A merchant's account at the simulated IntaSend: keys, invoices, and the script by which customers behave.

Owns what happens, not how it is asked for: HTTP is `api`, sending webhooks is `webhooks`. Randomness comes from one seed and time
from the clock, so a run can be repeated.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable

from gateway.clock import Clock
from gateway.simulators.intasend.identifiers import Mint
from gateway.simulators.intasend.invoices import PROCESSING_AFTER_S, Change, Invoice, Order, Prompt
from gateway.simulators.intasend.outcomes import Outcome
from gateway.simulators.intasend.shapes import Json, Types, webhook_json
from gateway.simulators.intasend.webhooks import Webhooks


class Account:
    """One merchant's account and the phones that it asks for money."""

    def __init__(
        self,
        clock: Clock,
        *,
        publishable_key: str = "ISPubKey_test_demo",
        secret_key: str = "ISSecretKey_test_demo",  # noqa: S107 - opens a simulator
        challenge: str = "demo-challenge-0123456789",
        webhook_url: str | None = None,
        seed: int = 1,
    ) -> None:
        self.clock = clock
        self.publishable_key = publishable_key
        self.secret_key = secret_key
        self.webhooks = Webhooks(clock, challenge, webhook_url)
        self.mint = Mint(seed)
        self.pushes: list[Invoice] = []
        """Every push that was ever accepted, in order: what customers could have been charged for."""
        self.invoices: dict[str, Invoice] = {}
        """Every invoice by its id, in order; payments through links included."""
        self.links: dict[str, Json] = {}
        """Payment links by id, as the API shows them."""
        self.checkouts: dict[str, Json] = {}
        """Hosted checkouts by id, as the API shows them."""
        self.chargebacks: dict[str, Json] = {}
        """Refund requests by id, as the API shows them; set `status` to be IntaSend's staff."""
        self.on_prompt: Callable[[Prompt], None] | None = None
        """Called when a prompt reaches a phone."""
        self.types: Types = "2026"
        self.ignores_api_ref_filter = False
        """Whether `invoices/?api_ref=` answers with everything: that the real one filters is not proven (facts, payments 1.9)."""
        self._scripts: defaultdict[str, deque[Outcome]] = defaultdict(deque)
        self._default: Outcome | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def webhook_url(self) -> str | None:
        """Where webhooks go; None for nowhere. May be set at any time."""
        return self.webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.webhooks.url = url

    def script(self, phone_digits: str, *outcomes: Outcome) -> None:
        """What becomes of the next prompts to that phone (`254712345678`), one outcome each."""
        self._scripts[phone_digits].extend(outcomes)

    def default_outcome(self, outcome: Outcome | None) -> None:
        """What becomes of prompts that no script speaks of; None, as at the start, leaves them to `answer`."""
        self._default = outcome

    def prompts(self, phone_digits: str) -> list[Prompt]:
        """The prompts that are on that phone now."""
        now_s = self.clock.monotonic_s()
        found = (invoice.prompt_at(now_s) for invoice in self.invoices.values() if invoice.order.phone == phone_digits)
        return [prompt for prompt in found if prompt]

    def answer(self, invoice_id: str, outcome: Outcome) -> None:
        """The customer acts now, or M-Pesa does: overrides what was to come. KeyError when there is no such invoice."""
        invoice = self.invoices[invoice_id]
        for change in invoice.decide(outcome, self.clock.monotonic_s()):
            self._announce_later(invoice, change)

    def state(self, invoice_id: str) -> str:
        """The word for the invoice's state now. KeyError when there is no such invoice."""
        return self.change(self.invoices[invoice_id]).state

    def change(self, invoice: Invoice) -> Change:
        """The invoice's state now and since when."""
        return invoice.change_at(self.clock.monotonic_s())

    def accept_push(self, order: Order, host: str) -> Invoice:
        """Put a prompt on a phone for the merchant."""
        invoice = self.accept(order, host)
        self.pushes.append(invoice)
        return invoice

    def accept(self, order: Order, host: str = "https://sandbox.intasend.com") -> Invoice:
        """Put a prompt on a phone for whoever asks: every api_ref is taken, however often it comes (facts, payments 0.6)."""
        scripted = self._scripted(order.phone)
        invoice = Invoice(
            invoice_id=self.mint.short_id(),
            payment_id=self.mint.uuid(),
            customer_id=self.mint.short_id(),
            receipt=self.mint.receipt(),
            order=order,
            created_s=self.clock.monotonic_s(),
            created_wall_s=self.clock.wall_s(),
            host=host,
        )
        invoice.begin(scripted)
        self.invoices[invoice.invoice_id] = invoice
        for change in invoice.changes:
            self._announce_later(invoice, change)
        return invoice

    def resume(self) -> None:
        """After `close`: announce again what is still to come."""
        now_s = self.clock.monotonic_s()
        for invoice in self.invoices.values():
            for change in invoice.changes:
                if change.at_s > now_s:
                    self._announce_later(invoice, change)

    async def close(self) -> None:
        """Stop announcing what is still to come; states go on changing, because they need nobody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.webhooks.close()

    def _scripted(self, phone: str) -> Outcome | None:
        now_s = self.clock.monotonic_s()
        if any(other.order.phone == phone and other.holds_the_line_at(now_s) for other in self.invoices.values()):
            return Outcome.BUSY
        script = self._scripts[phone]
        return script.popleft() if script else self._default

    def _announce_later(self, invoice: Invoice, change: Change) -> None:
        task = asyncio.get_running_loop().create_task(self._announce(invoice, change))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce(self, invoice: Invoice, change: Change) -> None:
        """Tell phone and merchant when the moment has come, unless something else happened instead."""
        # IntaSend sends the webhook for PENDING together with the one for PROCESSING (facts, payments 2: a production trace).
        lag_s = PROCESSING_AFTER_S if change.state == "PENDING" else 0.0
        await self.clock.sleep(change.at_s + lag_s - self.clock.monotonic_s())
        if change not in invoice.changes:
            return
        prompt = invoice.prompt_at(self.clock.monotonic_s()) if change.state == "PROCESSING" else None
        if prompt and self.on_prompt:
            self.on_prompt(prompt)
        self.webhooks.send(webhook_json(invoice, change))
