"""A phone whose address changes between Pay and PIN, and two phones that swap theirs: whoever paid is online, soon.

Found by the simulation: the router still held the old host row, accepted a login at it, and kept the phone out at its new address
until the old login's keepalive-timeout.
"""

from pathlib import Path

import pytest

from gateway.gate import ACTIVATION_ALLOWANCE_S
from gateway.reconciler import COMPARE_S
from gateway.simulators.phones import SimulatedPhone
from tests.e2e.world import World

NEW_ADDRESS = "192.168.1.177"
NOTICED_S = COMPARE_S + ACTIVATION_ALLOWANCE_S
"""The comparison sees that the login is at an address that the phone has left."""

ways = pytest.mark.parametrize("way", ["user", "binding"])


def move(phone: SimulatedPhone, address: str) -> None:
    """Roam, or lose the lease: the phone is at another address, and its old host row is still there."""
    phone.ip = address
    phone.router.join(phone.mac, address)


@ways
async def test_a_phone_whose_address_changes_before_the_pin_is_online_within_a_comparison(tmp_path: Path, way: str):
    async with World(tmp_path, way=way) as world:
        await world.start()
        await world.ask(world.amina)
        await world.pass_time(15)
        move(world.amina, NEW_ADDRESS)
        world.amina.enter_pin()
        await world.pass_time_until(lambda: world.amina.online, within_s=15 + NOTICED_S)


@ways
async def test_a_phone_whose_address_changes_while_it_is_online_is_online_again_within_a_comparison(tmp_path: Path, way: str):
    async with World(tmp_path, way=way) as world:
        await world.start()
        await world.buy(world.amina)
        await world.pass_time(60)
        move(world.amina, NEW_ADDRESS)
        await world.pass_time_until(lambda: world.amina.online, within_s=NOTICED_S)


@ways
async def test_two_phones_that_swap_their_addresses_keep_what_each_has_bought(tmp_path: Path, way: str):
    """Each at the other's address at the same moment: who bought two minutes has two minutes, and the other the hour."""
    async with World(tmp_path, way=way) as world:
        await world.start()
        hour = await world.buy(world.amina)
        two_minutes = await world.buy(world.otieno, 1, "5")
        await world.pass_time(30)
        first, second = world.amina.ip, world.otieno.ip
        world.amina.leave()
        world.otieno.leave()
        world.amina.ip, world.otieno.ip = second, first
        world.amina.join()
        world.otieno.join()
        await world.pass_time_until(lambda: world.amina.online and world.otieno.online, within_s=NOTICED_S)
        ends_s = [grant.ends_s for payment_id in (two_minutes, hour) if (grant := await world.grant(payment_id))]
        await world.pass_time(ends_s[0] - world.clock.wall_s() - 1)
        assert (world.amina.online, world.otieno.online) == (True, True)
        await world.pass_time(1)
        assert (world.amina.online, world.otieno.online) == (True, False)
        await world.pass_time(ends_s[1] - world.clock.wall_s() - 1, 60)
        assert (world.amina.online, world.otieno.online) == (True, False)
        await world.pass_time(1)
        assert not world.amina.online
