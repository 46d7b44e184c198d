"""Files that carry a digest of themselves, as tables and models do, changed by a test."""

import json

from edgewright.files import digest_of


def changed(path, change, *, to=None, sign=True):
    """Have ``change`` alter a file's JSON; with ``sign`` give it a digest that matches, as a forger would.

    Return the path of what was written: ``to``, or the file itself.
    """
    data = json.loads(path.read_text("utf-8"))
    change(data)
    if sign:
        data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    written = path if to is None else to
    written.write_text(json.dumps(data), "utf-8")
    return written


def rewrite(path, **keys):
    """Change keys of a file and sign it again, as if it had been measured so."""
    return changed(path, lambda data: data.update(keys))
