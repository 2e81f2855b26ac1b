"""``python -m rag``: the command, where it is not on the PATH."""

from rag.cli import main

main()
