"""``manage.py smsmfa_status USER``: what an operator may see of a user."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from .....exceptions import SmsMfaError
from ... import settings
from ...users import find, user_id


class Command(BaseCommand):
    """Prints masked numbers and what the limits still allow."""

    help = "Prints the second factor of a user, with masked numbers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the user."""
        parser.add_argument("user", help="the user name, as people log in with it, or the primary key")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the status."""
        try:
            key = user_id(find(options["user"]))
            status = settings.verifier().status(key)
        except (SmsMfaError, LookupError) as error:
            raise CommandError(str(error)) from error
        phones = ", ".join(phone.masked for phone in status.phones)
        self.stdout.write(f"user {key}: {phones or 'no number'}{'' if status.enabled else ' (the factor is off)'}")
        if status.locked:
            self.stdout.write("locked: no code is accepted now; smsmfa_reset lets the user enrol anew")
        self.stdout.write(
            f"{status.recovery_codes_left} recovery codes, {status.sends_left} messages and {status.guesses_left} "
            "wrong codes are left"
        )
