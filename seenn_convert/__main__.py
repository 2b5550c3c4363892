"""``python -m seenn_convert`` is the command line."""

from seenn_convert.cli.main import main

main()
