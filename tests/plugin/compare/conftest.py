"""Waiting for what Compare subsets shows."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import WAIT_MS


@pytest.fixture
def rest(qtbot, compare, encoded):
    """Wait until every layer shows what was asked for."""
    workers = [compare.pair.worker, compare.worth.worker, *compare.agreement.workers.values()]

    def wait() -> None:
        runner = compare.comparison.runner
        qtbot.waitUntil(
            lambda: (
                not any(worker.busy for worker in workers) and not runner.busy and not encoded.updater.pending
            ),
            timeout=WAIT_MS,
        )

    return wait
