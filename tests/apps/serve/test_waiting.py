"""Who is next, and what followers see."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from semantic_guidance.apps.serve.live import Feed
from semantic_guidance.apps.serve.waiting import Waiting


def test_one_visitors_many_pictures_do_not_starve_anothers_one():
    waiting = Waiting()
    for number in range(60):
        waiting.add("many", f"m{number}")
    assert waiting.take() == "m0"  # and now somebody else comes
    waiting.add("one", "o")
    assert waiting.order()[:3] == ["o", "m1", "m2"]
    assert [waiting.take() for _ in range(3)] == ["o", "m1", "m2"]


def test_what_is_removed_does_not_wait_any_more():
    waiting = Waiting()
    for name in "abc":
        waiting.add("v", name)
    assert waiting.remove("b")
    assert not waiting.remove("b")
    assert [waiting.take(), waiting.take(), waiting.take()] == ["a", "c", None]
    assert len(waiting) == 0


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), max_size=30))
def test_the_order_that_is_told_is_that_in_which_they_are_served(steps):
    waiting, number = Waiting(), 0
    for visitor, served in steps:
        waiting.add(visitor, f"{visitor}{(number := number + 1)}")
        if served:
            waiting.take()
    told = waiting.order()
    assert [waiting.take() for _ in told] == told
    assert waiting.take() is None
    for visitor in "xyz":  # each one's own stay in their order
        own = [int(name[1:]) for name in told if name[0] == visitor]
        assert own == sorted(own)


def test_slow_followers_skip_and_everybody_sees_the_end():
    async def seen() -> tuple[list, list]:
        feed = Feed()

        async def follow(pause: float) -> list:
            found = []
            async for event in feed.follow():
                found.append((event.name, event.data["n"]))
                await asyncio.sleep(pause)
            return found

        feed.tell("state", {"n": 0})
        quick, slow = asyncio.ensure_future(follow(0)), asyncio.ensure_future(follow(0.03))
        for number in range(1, 21):
            feed.tell("strokes", {"n": number})
            await asyncio.sleep(0.002)
        feed.tell("state", {"n": 21})
        feed.tell("end", {"n": 21})
        return await quick, await slow

    quick, slow = asyncio.run(seen())
    assert len(slow) < len(quick) / 2
    for each in (quick, slow):
        strokes = [number for name, number in each if name == "strokes"]
        assert strokes == sorted(set(strokes))
        assert each[:2] == [("strokes", 1), ("state", 0)]
        assert each[-2:] == [("state", 21), ("end", 21)]


def test_who_comes_late_sees_what_is_there_and_then_what_comes():
    async def seen() -> list:
        feed = Feed()
        feed.tell("canvas", {"width": 3})
        feed.tell("strokes", {"count": 1})
        feed.tell("strokes", {"count": 2})
        feed.tell("state", {"state": "running"})
        found = []
        async for event in feed.follow(ping=0.01):
            found.append((event.name, event.data))
            if event.name == "ping" and len(found) == 4:
                feed.tell("canvas", {"width": 4})  # other strokes will follow
            elif event.name == "canvas" and event.data == {"width": 4}:
                feed.tell("end", {})
        return found

    found = asyncio.run(seen())
    assert found[:4] == [
        ("canvas", {"width": 3}),
        ("strokes", {"count": 2}),
        ("state", {"state": "running"}),
        ("ping", {}),
    ]
    assert found[4:] == [("canvas", {"width": 4}), ("end", {})]


def test_nothing_but_the_end_is_kept_of_a_painting_that_has_ended():
    async def seen() -> list:
        feed = Feed()
        for name in ("canvas", "strokes", "state", "end"):
            feed.tell(name, {})
        return [event.name async for event in feed.follow()]

    assert asyncio.run(seen()) == ["state", "end"]
