"""The main job, from the tap to the end of the hour."""

from tests.e2e.world import World


async def test_a_customer_who_pays_is_online_for_an_hour_and_then_out(world: World):
    payment_id = await world.buy(world.amina)

    assert not world.otieno.online
    await world.pass_time(3_590, step_s=10)
    assert world.amina.online
    await world.pass_time_until(lambda: not world.amina.online, within_s=11)

    grant = await world.grant(payment_id)
    assert grant is not None
    assert grant.ends_s <= world.clock.wall_s() <= grant.ends_s + 1
    assert len(world.intasend.pushes) == 1
    assert [row for row in world.router.hotspot.users if row.get("comment", "").startswith("hotspot-gateway")] == []
