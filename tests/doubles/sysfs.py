"""A tree of files that stands for the kernel's ``/sys`` and ``/proc``."""


def tree(root, files):
    """Write texts by path from ``/`` below ``root``; return it."""
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root
