"""What was answered, as Prometheus metrics: the extra ``prometheus``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe.errors import ConfigError

try:
    from prometheus_client import registry
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
except ImportError as error:
    raise ConfigError('assetpipe.serve.metrics needs the extra: pip install "assetpipe[prometheus]"') from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from assetpipe.serve.counters import Snapshot


class Collector(registry.Collector):
    """Tells a Prometheus registry what was answered, whenever it is scraped.

    ``snapshot`` is that of a ``Server`` or of ``Counters``. ``per_asset`` adds a time series for every asset and form
    of its URL, and for up to a thousand paths that were answered 404: Prometheus keeps each of them for good, so it is
    to be asked for. ``assetpipe stats`` reads them.

    Every process counts for itself. The multiprocess mode of prometheus_client merges the metrics that it holds itself
    and no others, so with several workers each is to be scraped on a port of its own, or only one worker's is seen.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], *, per_asset: bool = False) -> None:
        self._snapshot = snapshot
        self._per_asset = per_asset

    def collect(self) -> Iterator[Metric]:
        """Count what was answered so far."""
        now = self._snapshot()
        replies = CounterMetricFamily(
            "assetpipe_replies", "Replies, by what was sent and status.", labels=("kind", "status")
        )
        for (kind, status), count in sorted(now.replies.items()):
            replies.add_metric((kind, str(status)), count)
        yield replies
        yield CounterMetricFamily("assetpipe_bytes", "Bytes of bodies.", now.bytes)
        yield CounterMetricFamily("assetpipe_saved_bytes", "Bytes spared by codings and renditions.", now.saved)
        yield CounterMetricFamily("assetpipe_stale", "Requests for URLs of older releases.", now.stale)
        yield CounterMetricFamily("assetpipe_not_found", "Requests that were answered 404.", now.not_found)
        memory = now.memory
        yield GaugeMetricFamily("assetpipe_memory_bytes", "Bytes of bodies held in memory.", memory.bytes)
        yield GaugeMetricFamily("assetpipe_memory_limit_bytes", "Bytes that may be held.", memory.limit)
        yield GaugeMetricFamily("assetpipe_memory_bodies", "Bodies held in memory.", memory.bodies)
        yield CounterMetricFamily("assetpipe_memory_reads", "Files read into memory.", memory.reads)
        yield CounterMetricFamily("assetpipe_memory_evictions", "Bodies dropped from memory.", memory.evictions)
        if self._per_asset:
            assets = CounterMetricFamily(
                "assetpipe_asset_replies", "Requests, by asset and form of its URL.", labels=("asset", "form")
            )
            for (asset, form), count in sorted(now.assets.items()):
                assets.add_metric((asset, form), count)
            yield assets
            missing = CounterMetricFamily("assetpipe_missing", "Requests answered 404, by path.", labels=("path",))
            for path, count in sorted(now.missing.items()):
                missing.add_metric((path,), count)
            yield missing
