"""Which version of the agent writes an export."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """As it is installed; `0` where it runs from its source."""
    try:
        return installed("parity-agent")
    except PackageNotFoundError:
        return "0"
