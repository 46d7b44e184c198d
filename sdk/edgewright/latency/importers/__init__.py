"""Readers of other people's lookup tables: one module a format, one registry.

An importer turns a file into a :class:`~edgewright.latency.importers.base.Reading`: entries by the
source's own key in the source's own unit, and what is wrong with it. :mod:`edgewright.latency.imported`
makes a table of it.
"""

from edgewright.latency.importers.base import Importer, Reading, SourceEntry
from edgewright.latency.importers.registry import IMPORTERS, find_importer

__all__ = ["IMPORTERS", "Importer", "Reading", "SourceEntry", "find_importer"]
