"""``manage.py smsmfa_purge``, to be run once a day."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ...store import DjangoStore


class Command(BaseCommand):
    """Deletes expired records, in transactions of 1,000, until there are none."""

    help = "Deletes expired records of the SMS second factor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the database, as other commands do."""
        parser.add_argument("--database", help="its alias; by default the one that the project's routers name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge, and say how many records it was."""
        store = DjangoStore(using=options["database"])
        deleted = sum(iter(store.purge, 0))
        self.stdout.write(f"{deleted} expired records deleted")
