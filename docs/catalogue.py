"""The texts of the pages, for translators: ``python docs/catalogue.py`` writes ``src/smsmfa/web/locale/smsmfa.pot``.

It needs Babel and Jinja2. The catalogue has no dates, so that it changes only with the texts.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

import smsmfa

WEB = Path(smsmfa.__file__).parent / "web"
CATALOGUE = WEB / "locale" / "smsmfa.pot"
KEYWORDS = {"_": None, "ngettext": (1, 2)}
HEADER = """\
# The texts of smsmfa's pages, written by docs/catalogue.py. To translate them into German, with Babel:
#   pybabel init --domain smsmfa --input-file smsmfa.pot --output-dir translations --locale de
#   pybabel compile --domain smsmfa --directory translations
# Then pass translate=catalogues("translations") from smsmfa.web.words to SecondStep.
"""


def texts() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Return where each text of the modules and the templates stands, in order, with its plural if it has one."""
    methods = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
    for name, _, message, _, _ in extract_from_dir(WEB, methods, keywords=KEYWORDS, comment_tags=()):
        yield Path(name).as_posix(), message


def written() -> str:
    """Return the catalogue."""
    catalogue = Catalog(fuzzy=False)
    for name, message in sorted(texts(), key=lambda one: one[0]):
        catalogue.add(message, locations=[(name, None)])
    file = BytesIO()
    write_po(file, catalogue, omit_header=True, width=110, include_lineno=False)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    return HEADER + head + file.getvalue().decode().strip() + "\n"


if __name__ == "__main__":
    CATALOGUE.write_text(written(), encoding="utf-8")
