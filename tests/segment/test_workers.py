"""Pieces of work side by side: in their order, in threads that share nothing, ended when nobody listens."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest
import torch

from napari_rdl.segment.workers import in_order

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_their_pieces(threads):
    assert list(in_order(lambda piece: piece**2, range(50), CPU)) == [piece**2 for piece in range(50)]


def test_each_piece_has_one_thread_and_everyone_else_keeps_theirs(threads):
    seen = set(in_order(lambda _: (threading.get_ident(), torch.get_num_threads()), range(50), CPU))
    assert {count for _, count in seen} == {1}
    assert (threading.get_ident() in {who for who, _ in seen}) == (threads == 1)
    assert torch.get_num_threads() == threads
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_a_gpus_pieces_are_done_where_they_are_asked_for(threads):
    found = list(in_order(lambda _: threading.get_ident(), range(3), torch.device("meta")))
    assert found == [threading.get_ident()] * 3


def test_what_fails_is_raised_and_no_more_is_begun(threads):
    begun = []

    def work(piece: int) -> int:
        begun.append(piece)
        if piece == 2:
            raise ValueError("the third")
        return piece

    with pytest.raises(ValueError, match="the third"):
        list(in_order(work, range(100), CPU))
    assert len(begun) < 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(in_order(abs, range(9), CPU)) == list(range(9))
        child = multiprocessing.get_context("fork").Process(target=_ended_well)
        child.start()
        child.join(60)
        child.kill()
    finally:
        torch.set_num_threads(before)
    assert child.exitcode == 7


def _ended_well() -> None:
    # Without what a whole program does at its end.
    os._exit(7 if list(in_order(abs, range(9), CPU)) == list(range(9)) else 1)
