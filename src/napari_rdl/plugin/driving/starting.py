"""How long napari takes until a widget can be used: run as a process of its own, tells JSON on stdout."""

from __future__ import annotations

import json
import sys
from time import perf_counter


def main() -> None:
    """Open a window with **Segment tumour**, close it, and write what took how long."""
    laps: dict[str, float] = {}
    since = perf_counter()

    def lap(what: str) -> None:
        nonlocal since
        now = perf_counter()
        laps[what] = now - since
        since = now

    import napari

    lap("imports")
    viewer = napari.Viewer(show=False)
    lap("the viewer")
    from napari_rdl.plugin.driving.driver import Driver, main_window
    from napari_rdl.plugin.segment.demo import dock_segment

    widget = dock_segment(viewer, device="cpu")
    lap("the widget")
    main_window(widget).show()
    Driver(viewer, widget).drawn()
    lap("drawn, to be used")
    laps["all of it"] = sum(laps.values())
    widget.shut_down()
    viewer.close()
    sys.stdout.write(json.dumps(laps) + "\n")


if __name__ == "__main__":
    main()
