"""The cookbook's scripts run as printed, and print what it says."""

import pytest

from support.pages import Page, need

COOKBOOK = Page("cookbook.md")


def test_the_cookbook_has_what_services_build():
    wanted = ["Rate limiter", "Session store", "Single-flight cache fill", "Leader lock with fencing", "Feature flags",
              "Request de-duplication", "Recent activity", "Cache warming"]
    assert [title for title in wanted if title not in COOKBOOK.scripts] == []
    assert [title for title in COOKBOOK.titles if title not in COOKBOOK.scripts] == [], "each has a script"


def test_a_machine_without_curl_is_told_so_at_once(monkeypatch, tmp_path):
    """Scripts that try until they are answered would never end."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="curl is not installed"):
        COOKBOOK.run("Single-flight cache fill", None, {})
    need("/bin/sh")


@pytest.mark.parametrize("title", COOKBOOK.scripts)
def test_a_recipe_prints_what_the_page_says(title, start_service, capabilities):
    COOKBOOK.run(title, start_service(), capabilities["supports"], unordered=title == "Single-flight cache fill")
