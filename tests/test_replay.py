"""The memory of what clients drop is bounded, and keeps what is used."""

from __future__ import annotations

from piproxy.replay import ReplayMemory


def test_blocks_are_known_by_api_and_call() -> None:
    """Two APIs may use the same id."""
    memory = ReplayMemory()
    memory.keep("a", {"call": {"signature": 1}})
    memory.keep("b", {"call": 2})
    assert memory.recall("a", "call") == {"signature": 1}
    assert memory.recall("b", "call") == 2
    assert memory.recall("c", "call") is None


def test_the_least_recently_used_goes_first() -> None:
    """Reading an entry is using it."""
    memory = ReplayMemory(max_entries=2)
    memory.keep("a", {"1": "x", "2": "y"})
    assert memory.recall("a", "1") == "x"
    memory.keep("a", {"3": "z"})
    assert (memory.recall("a", "1"), memory.recall("a", "2"), memory.recall("a", "3")) == ("x", None, "z")
    assert len(memory) == 2


def test_the_size_is_bounded_too() -> None:
    """In bytes of JSON; what alone is too large is not kept, and an entry that is replaced counts once."""
    memory = ReplayMemory(max_bytes=100)
    memory.keep("a", {"big": "x" * 200})
    assert len(memory) == 0
    for _ in range(5):
        memory.keep("a", {"same": "x" * 60})
    assert memory.recall("a", "same") == "x" * 60
    memory.keep("a", {"other": "x" * 60})
    assert memory.ids("a") == ["other"]


def test_a_room_sees_its_own_entries_only() -> None:
    """As a mapping, read when it is asked."""
    memory = ReplayMemory()
    view = memory.view("a")
    memory.keep("a", {"1": "x"})
    memory.keep("b", {"2": "y"})
    assert dict(view) == {"1": "x"}
    assert len(view) == 1
    assert view.get("2") is None
