"""A Django project with a user model of its own and an SMS second factor.

Run ``python examples/django_login/manage.py demo``, open http://127.0.0.1:8000/ and log in as ``alice@example.com``
with the password ``correct horse``. The messages that a real carrier would send are printed. Users and numbers are kept
in ``django_login.sqlite3``.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme.settings")
    execute_from_command_line(sys.argv)
