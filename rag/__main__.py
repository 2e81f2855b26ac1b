"""The command ``rag``, and ``python -m rag``."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the command. Ctrl-C while its modules load ends it like Ctrl-C later."""
    try:
        from rag.cli import cli
        from rag.options import run
    except KeyboardInterrupt:
        sys.stderr.write("rag: interrupted\n")
        sys.exit(130)
    sys.exit(run(cli))


if __name__ == "__main__":
    main()
