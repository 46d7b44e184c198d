"""``python -m edgewright`` is the command ``edgewright``: torchrun starts modules."""

from edgewright.cli.main import main

if __name__ == "__main__":
    main()
