from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trio
from fakes.processes import count_up, run_together

from piproxy.pi.lock import BEAT, STALE, DirectoryLock, LockBusy, LockImpossible, held, lock_paths


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "auth.json"
    path.write_text("{}")
    return path


def aged(path: Path, seconds: float) -> None:
    """Make ``path`` a lock whose holder gave its last sign of life so long ago."""
    path.mkdir()
    then = time.time() - seconds
    os.utime(path, (then, then))


def beside(target: Path) -> Path:
    return target.with_name("auth.json.lock")


def test_the_lock_is_an_empty_directory_beside_the_file(target: Path) -> None:
    """It exists exactly as long as it is held."""
    with DirectoryLock(target):
        assert list(beside(target).iterdir()) == []
    assert not beside(target).exists()


def test_a_lock_that_is_held_is_waited_for(target: Path) -> None:
    """The second holder gets it when the first gives it back."""
    order: list[str] = []
    first = DirectoryLock(target)
    first.acquire()

    def second() -> None:
        with DirectoryLock(target):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    time.sleep(0.1)
    order.append("first")
    first.release()
    thread.join(5)
    assert order == ["first", "second"]


def test_waiting_ends_with_words_that_help(target: Path) -> None:
    """The directory is named; it stays, as it is not ours."""
    beside(target).mkdir()
    with pytest.raises(LockBusy, match=r"auth\.json\.lock is held"), DirectoryLock(target, wait=0.05):
        pass
    assert beside(target).exists()


def test_a_lock_of_31_seconds_is_stale_and_taken(target: Path) -> None:
    """Its holder is gone."""
    aged(beside(target), STALE + 1)
    with DirectoryLock(target, wait=0.05):
        assert time.time() - beside(target).stat().st_mtime < 5


def test_a_lock_of_20_seconds_is_waited_for(target: Path) -> None:
    """pi itself gives a sign of life only every 15 seconds."""
    aged(beside(target), 20)
    with pytest.raises(LockBusy), DirectoryLock(target, wait=0.05):
        pass


def test_a_time_in_the_future_is_a_living_holder(target: Path) -> None:
    """pi's precision probe leaves such times; they are no error."""
    aged(beside(target), -1)
    with pytest.raises(LockBusy), DirectoryLock(target, wait=0.05):
        pass


def test_a_stale_lock_with_something_in_it_is_not_cleared(target: Path) -> None:
    """Only empty directories are removed."""
    aged(beside(target), 100)
    (beside(target) / "x").write_text("")
    os.utime(beside(target), (0, 0))
    with pytest.raises(LockBusy), DirectoryLock(target, wait=0.05):
        pass
    assert (beside(target) / "x").exists()


def test_a_stale_lock_that_may_not_be_cleared_is_said(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory belongs to somebody else, for one."""
    aged(beside(target), 100)

    def refuse(_self: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", refuse)
        with pytest.raises(LockImpossible, match="Cannot clear the stale lock"), DirectoryLock(target):
            pass


def test_a_lock_that_vanishes_while_it_is_looked_at_is_free(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder gave it back between two steps of ours."""
    aged(beside(target), 100)
    real = Path.rmdir
    vanished: list[Path] = []

    def vanish(self: Path) -> None:
        real(self)
        if not vanished:
            vanished.append(self)
            raise FileNotFoundError

    monkeypatch.setattr(Path, "rmdir", vanish)
    with DirectoryLock(target, wait=0.05):
        assert vanished == [beside(target)]


def test_of_two_that_find_a_stale_lock_one_gets_it(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one clears the new lock of the faster one, which notices and waits in line."""
    aged(beside(target), 100)
    remove, make, look_again = Path.rmdir, Path.mkdir, DirectoryLock._settled
    slow_is_there, fast_has_it, fast_lost_it = threading.Event(), threading.Event(), threading.Event()
    slow: list[int] = []
    inside: list[str] = []

    def rmdir(self: Path) -> None:
        if threading.get_ident() in slow and not slow_is_there.is_set():
            slow_is_there.set()
            fast_has_it.wait(5)
            remove(self)
            fast_lost_it.set()
        else:
            remove(self)

    def mkdir(self: Path) -> None:
        make(self)
        if threading.get_ident() not in slow:
            fast_has_it.set()

    def settled(self: DirectoryLock) -> bool:
        fast_lost_it.wait(5)
        return look_again(self)

    def take(name: str) -> None:
        if name == "slow":
            slow.append(threading.get_ident())
        with DirectoryLock(target):
            inside.append(name)
            time.sleep(0.3)
            inside.append(name)

    monkeypatch.setattr(Path, "rmdir", rmdir)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(DirectoryLock, "_settled", settled)
    threads = [threading.Thread(target=take, args=(name,)) for name in ("slow", "fast")]
    threads[0].start()
    slow_is_there.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    assert inside in (["slow", "slow", "fast", "fast"], ["fast", "fast", "slow", "slow"])
    assert not beside(target).exists()


def test_a_lock_made_anew_in_the_same_instant_is_another_one(target: Path) -> None:
    """A file system gives the same inode number again, and its clock may stand still in between."""

    def frozen() -> float:
        return 1_700_000_000.0

    with DirectoryLock(target, clock=frozen) as first:
        beside(target).rmdir()
        with DirectoryLock(target, clock=frozen) as second:
            assert first.compromised
            assert not second.compromised
    assert not beside(target).exists()


def test_a_file_in_the_lock_s_place_is_not_touched(target: Path) -> None:
    """It is busy for ever, and said so."""
    beside(target).write_text("")
    os.utime(beside(target), (0, 0))
    with pytest.raises(LockBusy), DirectoryLock(target, wait=0.05):
        pass
    assert beside(target).is_file()


def test_a_missing_directory_cannot_be_locked(tmp_path: Path) -> None:
    """The operating system's reason is in the message."""
    with pytest.raises(LockImpossible, match="No such file"), DirectoryLock(tmp_path / "no" / "auth.json"):
        pass


def test_the_holder_gives_signs_of_life(target: Path) -> None:
    """With the beat of the class, a starting pi (10 seconds) never takes the lock from us."""
    assert 2 <= BEAT <= 4
    with DirectoryLock(target, beat=0.02) as lock:
        first = beside(target).stat().st_mtime_ns
        deadline = time.monotonic() + 5
        while beside(target).stat().st_mtime_ns == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert beside(target).stat().st_mtime_ns > first
        assert not lock.compromised
        assert list(beside(target).iterdir()) == []


def test_a_lock_that_somebody_took_over_is_lost_and_left_alone(target: Path) -> None:
    """A holder that slept too long notices, and does not remove the new holder's directory."""
    with DirectoryLock(target) as lock:
        beside(target).rmdir()
        assert lock.compromised
        aged(beside(target), 0)
        assert lock.compromised
    assert beside(target).exists()


def test_the_beat_stops_when_the_lock_is_lost(target: Path) -> None:
    """The new holder's time is not touched."""
    with DirectoryLock(target, beat=0.01) as lock:
        beside(target).rmdir()
        aged(beside(target), 5)
        mark = beside(target).stat().st_mtime_ns
        time.sleep(0.1)
        assert beside(target).stat().st_mtime_ns == mark
        assert lock.compromised


def test_the_lock_is_given_back_after_an_error(target: Path) -> None:
    """And can be taken again by the same object."""
    lock = DirectoryLock(target)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock:
            assert beside(target).exists()
            raise ZeroDivisionError
        assert not beside(target).exists()


def test_a_symlink_is_locked_by_both_names(tmp_path: Path) -> None:
    """Some pi releases lock the path as given, others the one behind the link: given first, given back in reverse."""
    real = tmp_path / "real" / "auth.json"
    real.parent.mkdir()
    real.write_text("{}")
    link = tmp_path / "auth.json"
    link.symlink_to(real)
    assert lock_paths(link) == (tmp_path / "auth.json.lock", tmp_path / "real" / "auth.json.lock")
    with DirectoryLock(link):
        assert beside(link).is_dir()
        assert beside(real).is_dir()
        for other in (link, real):
            with pytest.raises(LockBusy), DirectoryLock(other, wait=0.05):
                pass
    assert not beside(link).exists()
    assert not beside(real).exists()


def test_half_of_a_double_lock_is_given_back_when_the_other_half_is_busy(tmp_path: Path) -> None:
    """Nobody is left waiting for somebody who gave up."""
    real = tmp_path / "real.json"
    real.write_text("{}")
    link = tmp_path / "auth.json"
    link.symlink_to(real)
    (tmp_path / "real.json.lock").mkdir()
    with pytest.raises(LockBusy), DirectoryLock(link, wait=0.05):
        pass
    assert not beside(link).exists()


def test_a_symlinked_directory_is_locked_once(tmp_path: Path) -> None:
    """Both names lead to the same lock: taking it twice would be a deadlock with oneself."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "auth.json").write_text("{}")
    (tmp_path / "link").symlink_to("real")
    assert lock_paths(tmp_path / "link" / "auth.json") == (tmp_path / "real" / "auth.json.lock",)
    with DirectoryLock(tmp_path / "link" / "auth.json", wait=0.05):
        assert beside(tmp_path / "real" / "auth.json").is_dir()


async def test_a_task_that_is_cancelled_gives_the_lock_back(target: Path) -> None:
    """Also while it holds it."""
    with trio.CancelScope() as scope:
        async with held(DirectoryLock(target)):
            assert beside(target).exists()
            scope.cancel()
            await trio.sleep_forever()
    assert not beside(target).exists()


async def test_waiting_in_a_task_can_be_cancelled(target: Path) -> None:
    """The thread that waits gives up, and the other's lock stays."""
    beside(target).mkdir()
    with trio.move_on_after(0.1) as scope:
        async with held(DirectoryLock(target)):
            raise AssertionError
    assert scope.cancelled_caught
    assert beside(target).exists()


def test_a_process_that_ends_gives_back_its_lock(target: Path) -> None:
    """As pi's exit hook does."""
    program = (
        "import sys; from pathlib import Path; from piproxy.pi.lock import DirectoryLock;"
        "DirectoryLock(Path(sys.argv[1])).acquire()"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=True, timeout=30)
    assert not beside(target).exists()


def test_processes_exclude_each_other(target: Path) -> None:
    """Four processes, 25 read-modify-writes each, none lost."""
    target.write_text("0")
    assert run_together([(count_up, (target, 25))] * 4) == [0] * 4
    assert target.read_text() == "100"


def test_links_that_lead_in_a_circle_have_a_lock_all_the_same(tmp_path: Path) -> None:
    """Nobody can read that file; whoever asks about its lock gets no traceback."""
    path = tmp_path / "auth.json"
    path.symlink_to(path.name)
    assert tmp_path / "auth.json.lock" in lock_paths(path)
