"""`python -m attrax.cli`, where the command `attrax` is not on the path."""

import sys

from . import main

sys.exit(main())
