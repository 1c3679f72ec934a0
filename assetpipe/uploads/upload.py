"""One upload, as pages and views see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from assetpipe.manifest import Asset, Manifest, Rendition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from assetpipe.serve.markup import Page


class Upload(Struct, frozen=True):
    """What was published of a file: the one to keep in your database is its ``id``.

    ``url`` and those of the ``renditions`` are immutable. ``width`` and ``height`` are in pixels as displayed (0 for a
    document), ``size`` is in bytes. ``base`` is what stands before each URL's path: a CDN's host, a mount point.
    """

    id: str
    media_type: str
    size: int
    width: int
    height: int
    path: str
    renditions: tuple[Rendition, ...] = ()
    base: str = ""

    @property
    def url(self) -> str:
        """The URL of the original, which answers with a rendition of its size where the client takes that."""
        return self.base + self.path

    def srcset(self, format: str = "", widths: Sequence[int] = ()) -> str:  # noqa: A002 (what everybody calls it)
        """The value of a ``srcset`` attribute, for other markup than ``picture``: of a format, and of some widths."""
        return self._page().srcset(self.path, format=format, widths=widths)

    def picture(
        self, *, alt: str | None = None, sizes: str = "", widths: Sequence[int] = (), **attributes: Any
    ) -> Markup:
        """Write ``<picture>``, as ``asset.picture`` does for pictures of the site; ``alt`` is required.

        Raises TagError without it, and for what is no picture.
        """
        return self._page().picture(self.path, alt=alt, sizes=sizes, widths=widths, **attributes)

    def _page(self) -> Page:
        from assetpipe.serve.markup import Page, View

        asset = Asset(
            url=self.path,
            type=self.media_type,
            size=self.size,
            sha256="",
            width=self.width,
            height=self.height,
            renditions=self.renditions,
        )
        manifest = Manifest(format=1, release="uploads", assets={self.path: asset})
        return Page(View(manifest, self.base, "", "/", lambda _: b""))
