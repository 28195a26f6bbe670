"""Figures for Prometheus: actions counted from the log, and gauges that forget who is gone."""

import logging
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from gateway.metrics import Metrics
from gateway.providers.base import Circuit


@pytest.fixture
def log() -> logging.Logger:
    made = logging.getLogger(f"{__name__}.log")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    return made


@pytest.fixture
def metrics(log: logging.Logger) -> Iterator[Metrics]:
    made = Metrics()
    log.addHandler(made)
    yield made
    log.removeHandler(made)


def shown(metrics: Metrics) -> dict[str, float]:
    """What Prometheus reads, by name and labels; the times of creation aside."""
    lines = [line for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines) if "_created" not in name}


def test_each_record_with_an_action_counts_one(metrics: Metrics, log: logging.Logger):
    for action in ("paid", "online", "paid"):
        log.info("it happened", extra={"action": action})
    actions = {name: value for name, value in shown(metrics).items() if "actions" in name}
    assert actions == {
        'hotspot_gateway_actions_total{action="paid"}': 2,
        'hotspot_gateway_actions_total{action="online"}': 1,
    }


def test_a_record_without_an_action_and_a_whisper_count_nothing(metrics: Metrics, log: logging.Logger):
    log.info("a sentence")
    log.debug("a whisper", extra={"action": "absent"})
    assert [name for name in shown(metrics) if "actions" in name] == []


def test_no_label_is_made_of_an_id(metrics: Metrics, log: logging.Logger):
    for number in range(50):
        log.warning("payment %s", number, extra={"action": "failed", "payment": f"payment-{number}"})
    assert len([name for name in shown(metrics) if "actions" in name]) == 1


def test_the_gauges_show_how_things_stand_now(metrics: Metrics):
    metrics.show(routers={1: True, 2: False}, clock_trusted=True, grants={"owed": 3, "active": 0}, circuits={1: Circuit.OPEN})
    metrics.show_database(writable=True)
    metrics.show_what_is_owed({"due": 1}, 3_000.0)
    assert {name: value for name, value in shown(metrics).items() if "actions" not in name} == {
        'hotspot_gateway_router_up{router="1"}': 1,
        'hotspot_gateway_router_up{router="2"}': 0,
        "hotspot_gateway_clock_trusted": 1,
        "hotspot_gateway_database_writable": 1,
        'hotspot_gateway_grants{state="owed"}': 3,
        'hotspot_gateway_grants{state="active"}': 0,
        'hotspot_gateway_provider_circuit{owner="1"}': 2,
        'hotspot_gateway_refunds{status="due"}': 1,
        "hotspot_gateway_given_back_seconds": 3_000,
        "hotspot_gateway_audit_timestamp_seconds": 0,
    }


def test_the_audit_shows_what_is_broken_and_when_it_looked(metrics: Metrics):
    metrics.show_audit({"one_push_per_payment": 0, "paid_is_served": 2}, 1_756_117_800.0)
    assert {name: value for name, value in shown(metrics).items() if "invariant" in name or "audit" in name} == {
        'hotspot_gateway_invariant{name="one_push_per_payment"}': 0,
        'hotspot_gateway_invariant{name="paid_is_served"}': 2,
        "hotspot_gateway_audit_timestamp_seconds": 1_756_117_800.0,
    }


def test_a_router_that_is_out_of_service_is_not_shown_any_more(metrics: Metrics):
    metrics.show(routers={1: True, 2: True}, clock_trusted=True, grants={}, circuits={})
    metrics.show(routers={2: True}, clock_trusted=False, grants={}, circuits={})
    assert [name for name in shown(metrics) if "router_up" in name] == ['hotspot_gateway_router_up{router="2"}']
    assert shown(metrics)["hotspot_gateway_clock_trusted"] == 0


def test_two_gateways_in_one_process_count_apart(log: logging.Logger):
    one, other = Metrics(), Metrics()
    log.addHandler(one)
    log.info("paid", extra={"action": "paid"})
    log.removeHandler(one)
    assert len([name for name in shown(one) if "actions" in name]) == 1
    assert [name for name in shown(other) if "actions" in name] == []
