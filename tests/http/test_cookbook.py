"""The cookbook's scripts run as printed, and print what it says."""

import pytest

from support.pages import Page

COOKBOOK = Page("cookbook.md")


def test_the_cookbook_has_what_services_build():
    wanted = ["Rate limiter", "Session store", "Single-flight cache fill", "Leader lock with fencing", "Feature flags",
              "Request de-duplication", "Recent activity", "Cache warming"]
    assert [title for title in wanted if title not in COOKBOOK.scripts] == []
    assert [title for title in COOKBOOK.titles if title not in COOKBOOK.scripts] == [], "each has a script"


@pytest.mark.parametrize("title", COOKBOOK.scripts)
def test_a_recipe_prints_what_the_page_says(title, start_service, capabilities):
    COOKBOOK.run(title, start_service(), capabilities["supports"], unordered=title == "Single-flight cache fill")
