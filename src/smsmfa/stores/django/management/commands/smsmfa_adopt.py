"""``manage.py smsmfa_adopt``: takes over numbers that users enrolled with another package."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from .....exceptions import SmsMfaError
from ...adoption import adopt, of_dump, of_tables


class Command(BaseCommand):
    """Prints what became of each number, and counts."""

    help = (
        "Enrols the confirmed numbers of django-two-factor-auth or django-otp-twilio, without messages. Without a "
        "file, they are read from the project's own tables."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and the dry run."""
        parser.add_argument("file", nargs="?", type=Path, help="what manage.py dumpdata wrote, as JSON")
        parser.add_argument("--dry-run", action="store_true", help="store nothing, and print what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        """Adopt, and print a line for each number that was not adopted."""
        counts: Counter[str] = Counter()
        try:
            devices = of_dump(options["file"]) if options["file"] else of_tables()
            for outcome, whose in adopt(devices, dry_run=options["dry_run"]):
                counts[outcome] += 1
                if outcome != "adopted" or options["verbosity"] > 1:
                    self.stdout.write(f"user {whose}: {outcome}")
        except (SmsMfaError, OSError) as error:
            raise CommandError(str(error)) from error
        for outcome, count in sorted(counts.items()):
            self.stdout.write(f"{count} {outcome}")
        self.stdout.write("nothing was stored" if options["dry_run"] else f"{counts['adopted']} numbers were enrolled")
