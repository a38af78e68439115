"""``python -m semantic_guidance``: the command line."""

import sys

from semantic_guidance.apps.cli.main import main

sys.exit(main())
