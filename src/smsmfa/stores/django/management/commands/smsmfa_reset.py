"""``manage.py smsmfa_reset USER``: for users who lost their phone and their recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from .....exceptions import SmsMfaError
from ... import settings
from ...users import find, user_id


class Command(BaseCommand):
    """Forgets a user's numbers and recovery codes. Check first who asks for it: the next login needs no code."""

    help = "Forgets the numbers and recovery codes of a user, who can then enrol anew. No limit is reset."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user."""
        parser.add_argument("user", help="the user name, as people log in with it, or the primary key")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset."""
        try:
            key = user_id(find(options["user"]))
            settings.enroller().reset(key)
        except (SmsMfaError, LookupError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"user {key}: numbers and recovery codes are forgotten")
