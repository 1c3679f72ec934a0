"""What Prometheus scrapes, read back with its own parser."""

from __future__ import annotations

import subprocess
import sys

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assetpipe.serve.bodies import Held
from assetpipe.serve.counters import Snapshot
from assetpipe.serve.metrics import Collector
from tests.conftest import Command, Project, write

SNAPSHOT = Snapshot(
    replies={("br", 200): 7, ("webp", 200): 2, ("identity", 304): 3, ("none", 404): 2},
    bytes=12_345,
    saved=54_321,
    assets={
        ("/static/a.css", "tagged"): 6,
        ("/static/a.css", "stale"): 1,
        ("/static/b.css", "plain"): 3,
        ("/static/robots.txt", "plain"): 1,
        ("/reports/r.pdf", "private"): 1,
    },
    missing={'/static/x"\\\n.css': 2},
    memory=Held(bodies=3, bytes=4000, limit=16_000, reads=5, evictions=2),
)


def scrape(snapshot: Snapshot, *, per_asset: bool = False) -> str:
    # As the default registry does, this one asks for the names when the collector is registered.
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Collector(lambda: snapshot, per_asset=per_asset))
    return generate_latest(registry).decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_tells_what_was_answered() -> None:
    assert samples(scrape(SNAPSHOT)) == {
        ("assetpipe_replies_total", "br", "200"): 7,
        ("assetpipe_replies_total", "webp", "200"): 2,
        ("assetpipe_replies_total", "identity", "304"): 3,
        ("assetpipe_replies_total", "none", "404"): 2,
        ("assetpipe_bytes_total",): 12_345,
        ("assetpipe_saved_bytes_total",): 54_321,
        ("assetpipe_stale_total",): 1,
        ("assetpipe_not_found_total",): 2,
        ("assetpipe_memory_bytes",): 4000,
        ("assetpipe_memory_limit_bytes",): 16_000,
        ("assetpipe_memory_bodies",): 3,
        ("assetpipe_memory_reads_total",): 5,
        ("assetpipe_memory_evictions_total",): 2,
    }


def test_assets_and_missing_paths_are_named_where_they_are_asked_for() -> None:
    told = samples(scrape(SNAPSHOT, per_asset=True))
    assert told.items() - samples(scrape(SNAPSHOT)).items() == {
        (("assetpipe_asset_replies_total", "/static/a.css", "tagged"), 6),
        (("assetpipe_asset_replies_total", "/static/a.css", "stale"), 1),
        (("assetpipe_asset_replies_total", "/static/b.css", "plain"), 3),
        (("assetpipe_asset_replies_total", "/static/robots.txt", "plain"), 1),
        (("assetpipe_asset_replies_total", "/reports/r.pdf", "private"), 1),
        (("assetpipe_missing_total", '/static/x"\\\n.css'), 2),
    }


def test_the_metrics_are_a_log_for_assetpipe_stats(project: Project, assetpipe: Command) -> None:
    write(project.folder, {"assetpipe.toml": "plain = ['robots.txt']"})
    project.write({"a.css": "a{}", "b.css": "b{}", "c.css": "c{}", "robots.txt": ""})
    assert assetpipe("build").code == 0
    foreign = '# HELP python_info x\npython_info{version="3.11",x="} 1"} 1.0\nprocess_cpu_seconds_total 1.5e-05\n'
    write(project.folder, {"metrics": foreign + scrape(SNAPSHOT, per_asset=True)})
    told = assetpipe("stats", "metrics", "--json")
    assert told.err == ""
    assert (told.json["requests"], told.json["bytes"]) == (14, 12_345)
    assert told.json["statuses"] == {"200": 9, "304": 3, "404": 2}
    assert told.json["never"] == ["/static/c.css"]
    assert told.json["plain"] == [{"path": "/static/b.css", "count": 3, "referers": []}]
    assert told.json["stale"] == [{"path": "/static/a.css", "count": 1, "referers": []}]
    assert told.json["missing"] == [{"path": '/static/x"\\\n.css', "count": 2, "referers": []}]


def test_metrics_that_name_no_assets_are_refused_by_assetpipe_stats(project: Project, assetpipe: Command) -> None:
    project.write({"a.css": "a{}"})
    project.publish()
    write(project.folder, {"metrics": scrape(SNAPSHOT)})
    done = assetpipe("stats", "metrics")
    assert (done.code, done.out) == (2, "")
    assert "Collector(…, per_asset=True)" in done.err


def test_without_prometheus_client_the_message_says_what_to_install() -> None:
    script = """
import sys
sys.modules["prometheus_client"] = None
from assetpipe.errors import ConfigError
try:
    import assetpipe.serve.metrics
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == 'assetpipe.serve.metrics needs the extra: pip install "assetpipe[prometheus]"\n'
