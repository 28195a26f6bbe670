"""Whoever paid is online, nobody pays twice, nobody stays on unpaid, whatever goes wrong: a few hundred seeds of it.

More of them: `make simulate SEEDS=100000`. A failure names its seed; `make simulate SEEDS=1 FIRST=<seed> SIZE=short` makes
it small and tells it.
"""

import gc
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway import settlement
from gateway.adoption import Adoption
from gateway.debts import Debt
from gateway.errors import PushOutcomeUnknown
from gateway.gate import Gate
from gateway.idempotency import Idempotency
from gateway.payments import PaymentState
from gateway.providers.base import RefundOrder
from gateway.providers.intasend import IntaSend
from gateway.refunds import Refunds
from tests.simulation.__main__ import main
from tests.simulation.faults import KINDS
from tests.simulation.plan import PRODUCTION, PRODUCTION_EVERY, SHORT, TYPICAL, VISITS, Entry, Size, draw
from tests.simulation.run import Result, run
from tests.simulation.shrinker import kind_of, shrink
from tests.simulation.story import story
from tests.simulation.visits import BEHAVIOURS
from tests.simulation.world import World

SEEDS, BATCH = 200, 20
"""How many seeds the suite runs, and how many in one test."""

FOUND_WITHIN = 60
"""A bug of this size is found within so many seeds, or the simulation is blind to it."""

SIZES = {"short": SHORT, "typical": TYPICAL}


def _that_failed_once() -> list[Any]:
    lines = (Path(__file__).parent / "seeds.txt").read_text("utf-8").splitlines()
    kept = [line.partition("#")[0].split() for line in lines]
    return [pytest.param(size, int(seed), marks=pytest.mark.long if size == "typical" else ()) for size, seed in filter(None, kept)]


def _demand_success(seed: int, size: Size) -> Result:
    result = run(draw(seed, size))
    assert result.violation is None, story(result)
    return result


@pytest.mark.parametrize(("size", "seed"), _that_failed_once())
def test_a_seed_that_failed_once_does_not_fail_again(size: str, seed: int):
    _demand_success(seed, SIZES[size])


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_nothing_is_lost_and_everything_comes_right(first: int):
    for seed in range(first, first + BATCH):
        _demand_success(seed, SHORT)


def test_some_seeds_run_at_the_rhythm_of_production():
    assert {draw(seed, SHORT).pace for seed in range(PRODUCTION_EVERY)} == {1.0, 12.0, 40.0}


def test_a_run_at_the_rhythm_of_production_is_shorter():
    plan = draw(PRODUCTION_EVERY, TYPICAL)

    assert plan.size == PRODUCTION
    assert (len(plan.visits), len(plan.faults)) == (PRODUCTION.visits, PRODUCTION.faults)
    assert draw(PRODUCTION_EVERY, SHORT).size == SHORT


@pytest.mark.long
def test_five_days_of_a_kiosk_sell_and_suffer():
    result = _demand_success(2, TYPICAL)

    assert result.simulated_s > TYPICAL.hours * 3_600
    assert result.counts["answered 201"] > 20
    assert len(KINDS.keys() & result.counts.keys()) > 5


def test_every_kind_of_fault_and_of_visit_is_drawn_by_the_seeds_of_the_suite():
    plans = [draw(seed, SHORT) for seed in range(SEEDS)]

    assert {entry.kind for plan in plans for entry in plan.faults} == KINDS.keys()
    assert {entry.kind for plan in plans for entry in plan.visits} == VISITS.keys() == BEHAVIOURS.keys()


# ── the same seed is the same run ──


def test_a_seed_gives_the_same_events_and_the_same_journal_every_time():
    first, second = (run(draw(7, SHORT)) for _ in range(2))

    assert first.events
    assert (first.events, first.journal) == (second.events, second.journal)


def test_another_seed_is_another_run():
    assert run(draw(7, SHORT)).digest != run(draw(8, SHORT)).digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_gives_the_same_run_in_another_process(hash_seed: str):
    code = "from tests.simulation.plan import SHORT, draw; from tests.simulation.run import run; print(run(draw(7, SHORT)).digest)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )

    assert process.stdout.split() == [run(draw(7, SHORT)).digest]


def test_an_entry_that_is_taken_out_leaves_the_others_as_they_were():
    plan = draw(5, SHORT)

    assert plan.only(faults=plan.faults[1:]).visits == plan.visits
    assert plan.only(faults=plan.faults[1:]).faults == plan.faults[1:]


def test_sigterm_is_obeyed_within_ten_seconds_while_the_answer_to_a_push_is_awaited():
    visits = (Entry(1, 80.0, "buy and poll", who=1), Entry(2, 102.0, "buy", who=2))
    faults = (Entry(1001, 100.0, "network: the uplink is down", for_s=300.0), Entry(1002, 110.0, "process: stopped and started"))

    result = run(draw(1, SHORT).only(visits=visits, faults=faults))

    assert result.violation is None, story(result)


@pytest.mark.parametrize("then", ["process: killed", "process: stopped and started", "process: power cut"])
def test_a_daemon_that_stands_still_can_be_ended_and_catches_up(then: str):
    visits = (Entry(1, 80.0, "buy and poll", who=1), Entry(2, 300.0, "watch", who=2))
    faults = (
        *(Entry(1001 + number, at_s, "process: stands still", for_s=90.0) for number, at_s in enumerate((81.0, 301.0))),
        Entry(1003, 340.0, then),
    )

    result = run(draw(1, SHORT).only(visits=visits, faults=faults))

    assert result.violation is None, story(result)
    assert result.counts["ending: complete"] > 0


def a_seed_with_a_kill() -> int:
    return next(seed for seed in range(SEEDS) if any(entry.kind == "process: killed" for entry in draw(seed, SHORT).faults))


def test_a_world_that_is_over_leaves_no_file_open():
    killed, descriptors = draw(a_seed_with_a_kill(), SHORT), Path("/proc/self/fd")
    run(killed)
    before = len(list(descriptors.iterdir()))
    run(killed)
    assert len(list(descriptors.iterdir())) == before


@pytest.mark.long
def test_a_world_that_is_over_leaves_nothing_in_the_memory():
    run(draw(a_seed_with_a_kill(), SHORT))

    gc.unfreeze()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, World)]


# ── planted bugs are found ──


@pytest.fixture
def disputed_money_buys(monkeypatch: pytest.MonkeyPatch) -> None:
    def owes(state: PaymentState, *, granted: bool) -> bool:
        return state in {PaymentState.PAID, PaymentState.DISPUTED} and not granted

    monkeypatch.setattr(settlement, "owes_grant", owes)


def _first_failure(*kinds: str) -> Result:
    """Of the first seeds in which one of these faults or visits is drawn; of the very first without any."""
    plans = (draw(seed, SHORT) for seed in itertools.count())
    chosen = (plan for plan in plans if not kinds or any(entry.kind in kinds for entry in (*plan.faults, *plan.visits)))
    for plan in itertools.islice(chosen, FOUND_WITHIN):
        result = run(plan)
        if result.violation is not None:
            return result
    raise AssertionError(f"{FOUND_WITHIN} seeds did not see it")


def test_a_push_that_is_repeated_after_a_lost_answer_is_found(monkeypatch: pytest.MonkeyPatch):
    real = IntaSend.push

    async def push(self: IntaSend, order: Any) -> Any:
        try:
            return await real(self, order)
        except PushOutcomeUnknown:
            return await real(self, order)

    monkeypatch.setattr(IntaSend, "push", push)

    assert kind_of(_first_failure().violation) == "Violation: a second prompt was sent for …"


def test_a_grant_for_money_that_is_not_what_was_asked_is_found(disputed_money_buys: None):
    assert _first_failure().violation == "Violation: a grant for a payment that is disputed"


def test_a_gate_that_is_not_closed_is_found(monkeypatch: pytest.MonkeyPatch):
    real = Gate._show

    async def show(self: Gate, mac: Any, ip: Any, queue: Any, now_s: float) -> Any:
        return await real(self, mac, ip, queue, now_s) if queue else None

    monkeypatch.setattr(Gate, "_show", show)

    assert "which is over" in str(_first_failure().violation) or "online unpaid" in str(_first_failure().violation)


def test_a_key_that_is_not_kept_is_found(monkeypatch: pytest.MonkeyPatch):
    async def once(self: Idempotency, claim: Any, work: Any, voice: Any) -> Any:
        return await self._first(claim, work, voice)

    monkeypatch.setattr(Idempotency, "once", once)

    assert "one key made the payments" in str(_first_failure("same key").violation)


def test_a_refund_that_is_asked_for_again_after_a_lost_answer_is_found(monkeypatch: pytest.MonkeyPatch):
    async def look_up(self: Refunds, payment: Any, debt: Debt) -> Debt:
        assert debt.invoice_id is not None
        assert debt.amount is not None
        await self._site.provider_of(payment).refunds.request(RefundOrder(debt.invoice_id, debt.amount, "once more"))
        return debt

    monkeypatch.setattr(Refunds, "_look_up", look_up)

    assert "was asked back twice" in str(_first_failure("refund").violation)


def test_money_that_the_card_has_lost_and_nobody_looks_for_is_found(monkeypatch: pytest.MonkeyPatch):
    async def adopt(*_: object) -> None:
        """Find nothing."""

    monkeypatch.setattr(Adoption, "adopt", adopt)

    assert "its payment is missing" in str(_first_failure("disk: its log is lost in a crash").violation)


def test_a_failure_is_made_small_and_told(disputed_money_buys: None):
    failed = _first_failure()

    small = shrink(failed)

    assert len(small.plan.visits) == 1
    assert not small.plan.faults
    told = story(small)
    assert f"seed {failed.plan.seed} " in told
    assert "M-Pesa shows a prompt" in told
    assert "payment.mismatch" in told


# ── the command ──


def test_the_command_counts_what_it_ran():
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "2", "--first", "1", "--size", "short", "--workers", "2"]

    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout

    assert "[##############################] 2/2" in printed
    assert "2 seeds, " in printed
    assert "hours per CPU minute" in printed


def test_the_command_fails_with_the_seed_and_its_story(
    disputed_money_buys: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    failed = _first_failure().plan.seed
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "1", "--first", str(failed), "--size", "short", "--workers", "1"])

    assert main() == 1
    printed = capsys.readouterr().out
    assert f"again: make simulate SEEDS=1 FIRST={failed} SIZE=short" in printed
    assert "Violation: a grant for a payment that is disputed" in printed
