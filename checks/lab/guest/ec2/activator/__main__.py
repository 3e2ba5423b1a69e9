"""`python3 -m activator SYSTEM`: becomes what system.nix evaluated to."""

import json
import sys
from pathlib import Path

from .accounts import BadAccount
from .run import Failed
from .switch import switch


def main() -> int:
    try:
        return switch(json.loads(Path(sys.argv[1]).read_text()))
    except (BadAccount, Failed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


sys.exit(main())
