"""The links of all pages lead somewhere, and the files and folders that their text names are there."""

import pathlib
import re

import pytest
from support.pages import PAGES
from support.service import ROOT

ROOT = pathlib.Path(ROOT)
ALL = {str(path.relative_to(ROOT)): path for pattern in PAGES for path in ROOT.glob(pattern)}
FOLDERS = "service|http|routes|engines|openapi|deploy|tests|docs|cmake"
# The reader's to make.
TO_BE_MADE = ("deploy/kubernetes/overlays/shop",)


def text_of(page):
    """Without blocks of code: support/printed.py has an eye on those."""
    return re.sub(r"^```.*?^```$", "", ALL[page].read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted(ALL))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        at = (ALL[page].parent / file).resolve() if file else ALL[page]
        assert at.exists() and ROOT in at.parents, target
        if anchor:
            assert anchor in anchors(text_of(str(at.relative_to(ROOT)))), target


@pytest.mark.parametrize("page", sorted(ALL))
def test_what_the_text_names_is_there(page):
    """Names in backquotes that begin with a folder of the project's (of `service/`, for `http/`), or stand beside the page."""
    for name in re.findall(rf"`((?:{FOLDERS})/[\w./*-]+)`", text_of(page)):
        if not name.startswith(TO_BE_MADE):
            found = [list(at.glob(name)) for at in (ROOT, ROOT / "service", ALL[page].parent)]
            assert any(found), name
