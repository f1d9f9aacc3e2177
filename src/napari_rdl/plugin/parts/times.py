"""Spans of time as a user reads them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a span with as much detail as one wants to know."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    if hours < 36:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days"
