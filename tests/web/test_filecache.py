import datetime

from eyewall.web.filecache import ENTRY_BYTES, FileCache, FileEntry


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def entry(size):
    """An entry that costs `size`."""
    size -= ENTRY_BYTES
    when = datetime.datetime.fromtimestamp(0, datetime.UTC)
    return FileEntry("/x", size, when, "", "text/plain", None, b"x" * size)


def test_entries_are_fresh_for_a_while():
    clock = Clock()
    cache = FileCache(clock, 10_000, 2.0)
    one = entry(2000)
    cache.put("a", one)
    clock.now += 1.9
    assert cache.get("a") is one
    clock.now += 0.1
    assert cache.get("a") is None
    assert cache.size == 0
    assert cache.get("b") is None


def test_the_least_recently_used_go_first():
    cache = FileCache(Clock(), 10_000, 2.0)
    for name in "abc":
        cache.put(name, entry(4000))
        if name == "b":
            assert cache.get("a")
    assert cache.get("b") is None
    assert cache.get("a")
    assert cache.get("c")
    assert cache.size == 8000


def test_replacing_and_clearing():
    cache = FileCache(Clock(), 10_000, 2.0)
    cache.put("a", entry(4000))
    cache.put("a", entry(5000))
    assert cache.size == 5000
    cache.put("a", entry(10_001))
    assert cache.get("a") is None
    assert cache.size == 0
    cache.put("a", entry(2000))
    cache.clear()
    assert (cache.get("a"), cache.size) == (None, 0)


def test_many_empty_files_are_bounded_too():
    cache = FileCache(Clock(), 10 * ENTRY_BYTES, 2.0)
    for number in range(100):
        cache.put(number, entry(ENTRY_BYTES))
    assert sum(cache.get(number) is not None for number in range(100)) == 10


def test_nothing_is_kept_without_time_or_room():
    for limit, fresh in ((1000, 1.0), (10_000, 0.0)):
        cache = FileCache(Clock(), limit, fresh)
        cache.put("a", entry(2000))
        assert cache.get("a") is None
        assert cache.size == 0
