"""``manage.py smsmfa_purge``: run it once a day."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ...store import DjangoStore


class Command(BaseCommand):
    """Deletes all expired records, 1,000 in a transaction."""

    help = "Deletes expired records of the SMS second factor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option for the database, as other commands have it."""
        parser.add_argument("--database", help="the alias of the database; by default, the routers choose it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete, and print the number of records."""
        store = DjangoStore(using=options["database"])
        deleted = sum(iter(store.purge, 0))
        self.stdout.write(f"{deleted} expired records deleted")
