"""Run nnrun as ``python -m nnrun``."""

from nnrun.cli.app import main

if __name__ == "__main__":
    main()
