"""Documents lead where they say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
HTML_LINK = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
SKIPPED = {"node_modules", "dist", "build"}


def documents() -> list[Path]:
    found = ROOT.rglob("*.md")
    parts = ((path, path.relative_to(ROOT).parts) for path in found)
    return sorted(p for p, ps in parts if not any(q.startswith(".") or q in SKIPPED for q in ps))


def prose(text: str) -> str:
    """Return Markdown without its code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text: str) -> set[str]:
    """Return the fragments that a forge makes of the headings."""
    titles = (re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def leads_somewhere(document: Path, link: str) -> bool:
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return True  # tests use no network
    path, _, fragment = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not fragment or target.suffix != ".md" or fragment in anchors(target.read_text("utf-8"))


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    links = [*LINK.findall(prose(text)), *HTML_LINK.findall(prose(text))]
    broken = [link for link in links if not leads_somewhere(document, link)]
    assert not broken, f"{document.relative_to(ROOT)} links to what does not exist: {broken}"


def test_the_check_reads_links_and_headings() -> None:
    text = '# A `b` c!\n[x](a.md#b) ![y](c.png "t") `[z](d)`\n```\n[no](e)\n```\n'
    assert LINK.findall(prose(text)) == ["a.md#b", "c.png"]
    assert anchors(text) == {"a-b-c"}


def test_the_check_finds_what_is_broken(tmp_path: Path) -> None:
    here = ROOT / "CONTRIBUTING.md"
    assert leads_somewhere(here, "docs/adr/0000-template.md")
    assert leads_somewhere(here, "#am-i-done")
    assert not leads_somewhere(here, "docs/adr/none.md")
    assert not leads_somewhere(here, "#none")
    assert not leads_somewhere(here, str(tmp_path))


def test_decision_records_are_numbered_without_gaps_and_name_what_is_bad() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(len(records)))
    for path in records[1:]:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]}. ")
        for heading in ("## Context", "## Options", "## Decision", "## Consequences"):
            assert heading in text, f"{path.name} lacks {heading}"
        assert "- Bad:" in text, f"{path.name} names no negative consequence"
