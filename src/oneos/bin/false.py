#!/usr/bin/env python3
"""Usage: false

Do nothing, unsuccessfully; every argument is ignored.
"""

import sys

sys.exit(1)
