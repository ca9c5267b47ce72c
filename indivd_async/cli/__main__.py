"""``python -m indivd_async.cli`` is ``indivd``."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
