"""The worker that editors talk to; docs/bridge.md has the protocol."""

from __future__ import annotations

__all__: list[str] = []
