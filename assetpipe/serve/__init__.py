"""From a request to a reply, by the manifest alone: no parser, codec or image library is ever loaded here."""

from __future__ import annotations
