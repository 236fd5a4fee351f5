"""The tutorial keeps its promises."""

import re

from test_docs import DOCS

PAGE = (DOCS / "tutorial/login.md").read_text(encoding="utf-8")


def test_lines():
    """A Flask login with the whole second step takes at most 25 lines beside the password page."""
    block = PAGE.partition("<!-- the second step")[2].partition("<!-- end of the second step -->")[0]
    lines = [line for line in re.search(r"```python\n(.*?)```", block, re.DOTALL)[1].splitlines() if line.strip()]

    assert 15 <= len(lines) <= 25
