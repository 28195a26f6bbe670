"""One conversation at a time: order, deadlines, broken sentences, patience."""

import asyncio

import pytest

from gateway.errors import RouterRefused, RouterUnreachable
from gateway.hotspot.link import Link
from gateway.hotspot.wire import Trap
from gateway.identity import Secret
from tests.fakeclock import FakeClock
from tests.unit.hotspot.scripted import CUT, DONE, HANG, PRINT, linked, login_to, sentence


async def test_one_connection_and_one_login_serve_all_questions(scripted):
    async with linked(scripted) as link:
        assert link.reachable is None
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        await link.ask(PRINT)
        assert link.reachable is True
    assert scripted.connections == 1
    assert [words[0] for words in scripted.asked] == ["/login", PRINT, PRINT]


async def test_values_stay_the_text_that_the_router_sent(scripted):
    scripted.answers[PRINT] = [("!re", "=.id=*1", "=name=123", "=disabled=yes", "=comment=a=b", "=empty="), DONE]
    async with linked(scripted) as link:
        assert await link.ask(PRINT) == [{".id": "*1", "name": "123", "disabled": "yes", "comment": "a=b", "empty": ""}]


async def test_text_beyond_ascii_passes_in_both_directions(scripted):
    scripted.answers[PRINT] = lambda words: [("!re", words[1]), DONE]
    async with linked(scripted) as link:
        assert await link.ask(PRINT, "=comment=Müller ☕ Nyeri") == [{"comment": "Müller ☕ Nyeri"}]


async def test_words_longer_than_one_length_byte_are_read(scripted):
    scripted.answers[PRINT] = [("!re", "=comment=" + "x" * 5_000), DONE]
    async with linked(scripted) as link:
        [row] = await link.ask(PRINT)
        assert len(row["comment"]) == 5_000


async def test_tags_and_empty_answers_are_passed_over(scripted):
    scripted.answers[PRINT] = [("!empty", ".tag=7"), ("!done", ".tag=7")]
    async with linked(scripted) as link:
        assert await link.ask(PRINT) == []


async def test_the_attributes_of_done_come_last(scripted):
    scripted.answers[PRINT] = [("!done", "=ret=*1F")]
    async with linked(scripted) as link:
        assert await link.ask(PRINT) == [{"ret": "*1F"}]


async def test_a_trap_is_raised_after_its_answer_was_read_to_the_end_and_the_connection_goes_on(scripted):
    scripted.answers["/x"] = [("!trap", ".tag=3", "=category=0", "=message=no such item\r\n", "=ret=?"), ("!trap",), DONE]
    async with linked(scripted) as link:
        with pytest.raises(Trap) as caught:
            await link.ask("/x")
        assert (caught.value.text, caught.value.category) == ("no such item", 0)
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.reachable is True
    assert scripted.connections == 1


async def test_whoever_lacks_a_right_logs_in_anew_for_the_next_question(scripted):
    scripted.answers["/x"] = [("!trap", "=message=not enough permissions (9)"), DONE]
    async with linked(scripted) as link:
        with pytest.raises(Trap, match="permissions"):
            await link.ask("/x")
        assert link.reachable is True
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert scripted.connections == 2


async def test_a_trap_without_a_message_is_a_trap(scripted):
    scripted.answers["/x"] = [("!trap",), DONE]
    async with linked(scripted) as link:
        with pytest.raises(Trap, match="no reason given"):
            await link.ask("/x")


@pytest.mark.parametrize("answer", [sentence("!fatal", "not logged in"), sentence("!fatal"), b"\0", b"\xff\xff", CUT])
async def test_a_conversation_that_broke_is_never_used_again(scripted, answer):
    scripted.answers["/x"] = answer
    async with linked(scripted) as link:
        with pytest.raises(RouterUnreachable, match="Kiosk"):
            await link.ask("/x")
        assert link.reachable is False
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.reachable is True
    assert scripted.connections == 2


async def test_silence_ends_at_the_deadline_and_costs_the_connection(scripted):
    scripted.answers["/x"] = HANG
    async with linked(scripted) as link:
        with pytest.raises(RouterUnreachable):
            await link.ask("/x", deadline_s=0.02)
        assert link.reachable is False
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert scripted.connections == 2


async def test_a_caller_who_gives_up_in_mid_sentence_leaves_no_half_read_answer_behind(scripted):
    asked = asyncio.Event()

    def hang(words):
        asked.set()
        return HANG

    scripted.answers["/x"] = hang
    async with linked(scripted) as link:
        caller = asyncio.create_task(link.ask("/x", deadline_s=60))
        await asked.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert scripted.connections == 2


async def test_a_connection_that_was_cut_while_idle_is_replaced_without_a_failure(scripted):
    async with linked(scripted) as link:
        await link.ask(PRINT)
        scripted.cut()
        assert link._conversation
        await link._conversation._reader.read()  # until its end
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
        assert link.generation == 2


async def test_questions_that_come_together_are_asked_one_after_the_other(scripted):
    scripted.answers["/x"] = lambda words: [("!re", words[1]), DONE]
    async with linked(scripted) as link:
        answers = await asyncio.gather(*(link.ask("/x", f"=n={n}") for n in range(20)))
    assert answers == [[{"n": str(n)}] for n in range(20)]
    assert scripted.connections == 1


async def test_after_a_failed_connection_calls_fail_at_once_until_the_pause_is_over(scripted):
    clock = FakeClock()
    async with linked(scripted, clock) as link:
        await scripted.stop()
        with pytest.raises(RouterUnreachable):
            await link.ask(PRINT)
        await scripted.start()
        with pytest.raises(RouterUnreachable, match="a moment ago"):
            await link.ask(PRINT)
        clock.advance(0.5)
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]


async def test_the_pause_doubles_up_to_five_seconds_and_starts_small_again_after_a_success(scripted):
    clock = FakeClock()
    async with linked(scripted, clock) as link:
        await scripted.stop()
        pauses = []
        for _ in range(6):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
            pauses.append(link._retry_at_s - clock.monotonic_s())
            clock.advance(5)
        assert pauses == [0.5, 1, 2, 4, 5, 5]
        await scripted.start()
        await link.ask(PRINT)
        await scripted.stop()
        for _ in ("the connection is lost", "and cannot be replaced"):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
        assert link._retry_at_s - clock.monotonic_s() == 0.5


async def test_the_pause_is_shortened_at_random_by_up_to_half(scripted):
    clock = FakeClock()
    await scripted.stop()
    link = Link(login_to(scripted), clock, random_share=lambda: 1.0)
    with pytest.raises(RouterUnreachable):
        await link.ask(PRINT)
    assert link._retry_at_s - clock.monotonic_s() == 0.25
    await scripted.start()


async def test_a_wrong_password_is_a_refusal_and_is_not_tried_again_before_the_pause_is_over(scripted):
    scripted.answers["/login"] = [("!trap", "=message=invalid user name or password (6)"), DONE]
    async with linked(scripted) as link:
        for _ in range(3):
            with pytest.raises(RouterRefused, match="user name or password"):
                await link.ask(PRINT)
        assert link.reachable is False
    assert scripted.connections == 1


async def test_an_unanswered_login_is_an_unreachable_router(scripted):
    scripted.answers["/login"] = HANG
    async with linked(scripted) as link:
        with pytest.raises(RouterUnreachable):
            await link.ask(PRINT)
        assert link.reachable is False


async def test_an_old_router_gets_the_answer_to_its_challenge(scripted):
    challenge, expected = "259e0bc05acd6f46926dc2f809ed1bba", "00c7fd865183a43a772dde231f6d0bff13"
    scripted.answers["/login"] = lambda words: [DONE if f"=response={expected}" in words else ("!done", f"=ret={challenge}")]
    async with linked(scripted, password=Secret("test")) as link:
        assert await link.ask(PRINT) == [{"name": "MikroTik"}]
    assert scripted.asked[2] == ("/login", "=name=gateway", f"=response={expected}")


async def test_a_router_that_stays_away_is_logged_once(scripted, caplog):
    clock = FakeClock()
    async with linked(scripted, clock) as link:
        await scripted.stop()
        for _ in range(3):
            with pytest.raises(RouterUnreachable):
                await link.ask(PRINT)
            clock.advance(5)
        assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
        await scripted.start()
        await link.ask(PRINT)


async def test_the_password_is_in_no_log(scripted, caplog):
    caplog.set_level("DEBUG")
    async with linked(scripted) as link:
        await link.ask(PRINT)
    assert "connected" in caplog.text
    assert "s3cret" not in caplog.text
