"""What is counted, and that what clients choose does not grow it."""

from __future__ import annotations

from assetpipe.serve.bodies import Held
from assetpipe.serve.counters import Counters
from assetpipe.serve.resource import PRIVATE, Reply, Resource, Source, Terms

HELD = Held(bodies=0, bytes=0, limit=0, reads=0, evictions=0)


def generated(name: str) -> Reply:
    terms = Terms(name, "text/csv", "generated", PRIVATE)
    return Resource([(Source(1, '"x"', data=b"1"), "text/csv", "identity")], terms).original.whole


def test_names_that_clients_may_choose_are_bounded_in_number_and_length() -> None:
    counters = Counters()
    for number in range(1500):
        name = f"{number}{'x' * 1000}"
        counters.add(Reply("404 Not Found", []), f"/static/{name}")
        counters.add(generated(name), "/rows")
    told = counters.snapshot(HELD)
    for names in ([*told.missing], [name for name, _ in told.assets]):
        assert len(names) == 1000
        assert {len(name) for name in names} == {500}
    assert told.replies == {("none", 404): 1500, ("identity", 200): 1500}
