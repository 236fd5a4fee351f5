"""A Django site for each test."""

import pytest
from stores.django import project as project  # it sets Django up
from web.django.site import Visitor, site


@pytest.fixture(name="site")
def _site(tmp_path):
    with site(tmp_path) as one:
        yield one


@pytest.fixture
def visitor(site):
    return Visitor(site)
