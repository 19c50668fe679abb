"""The tour's scripts (docs/api.md) run as printed, and print what it says."""

import pytest

from support.pages import Page

TOUR = Page("api.md")


@pytest.mark.parametrize("title", TOUR.scripts)
def test_a_stop_of_the_tour_prints_what_the_page_says(title, start_service, capabilities):
    TOUR.run(title, start_service(), capabilities["supports"])
