"""edgewright: from a data set and devices to verified networks inside measured latency budgets."""

__version__ = "0.1.0"
