"""``python -m semantic_guidance``: the command line."""

import sys

from semantic_guidance.cli import main

sys.exit(main())
