"""The command line: a thin skin over :mod:`edgewright.pipeline`."""
