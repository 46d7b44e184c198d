"""The formats that `edgewright table import` knows."""

from __future__ import annotations

from edgewright.errors import TableError, UsageError
from edgewright.latency.importers.base import Importer
from edgewright.latency.importers.fasterseg import FasterSegJson
from edgewright.latency.importers.fbnet import FbnetCsv
from edgewright.latency.importers.ofa import OfaYaml
from edgewright.latency.importers.own_csv import OwnCsv
from edgewright.latency.importers.proxylessnas import ProxylessYaml
from edgewright.latency.importers.single_path import SinglePathJson

_ALL: tuple[Importer, ...] = (
    OwnCsv(),
    OfaYaml(),
    ProxylessYaml(),
    FbnetCsv(),
    FasterSegJson(),
    SinglePathJson(),
)
IMPORTERS: dict[str, Importer] = {importer.name: importer for importer in _ALL}


def find_importer(name: str | None, text: str) -> Importer:
    """Return the importer of that name, or the one whose format ``text`` looks like.

    Raises:
        UsageError: no format has that name.
        TableError: ``text`` looks like none of them.
    """
    known = ", ".join(IMPORTERS)
    if name is not None:
        if name not in IMPORTERS:
            raise UsageError(f"unknown format {name!r}; known: {known}")
        return IMPORTERS[name]
    for importer in IMPORTERS.values():
        if importer.matches(text):
            return importer
    raise TableError(f"looks like none of the known formats ({known}); name one with --format")
