"""``manage.py demo`` makes the tables and alice, and serves the project."""

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    """Shows the project."""

    help = "makes the tables and alice, and serves the project"

    def add_arguments(self, parser):
        parser.add_argument("address", nargs="?", default="127.0.0.1:8000")

    def handle(self, **options):
        call_command("migrate", verbosity=0)
        people = get_user_model().objects
        if not people.filter(email="alice@example.com").exists():
            people.create_superuser("alice@example.com", "correct horse")
        self.stdout.write("Log in as alice@example.com with the password: correct horse")
        call_command("runserver", options["address"], use_reloader=False)
