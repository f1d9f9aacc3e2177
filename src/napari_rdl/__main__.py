"""``python -m napari_rdl``: the program ``napari-rdl``."""

import sys

from napari_rdl.cli import main

sys.exit(main())
