"""One challenge and one check, compared with the fastest Django peer: the phone device of django-two-factor-auth.

The peer is installed as its documentation says. Like its login, each of the two requests looks up the user's device,
without a session, a form or a message. The peer does not limit messages, and accepts a used code again for 150 seconds.
"""

import random
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from cycle import logging_in, numbers
from harness import Batch, Row, Size, Timings

from smsmfa.stores.sqlite import SqliteStore

PEER = "django-two-factor-auth"


def measure(size: Size) -> list[Row]:
    """Time our cycles in a SQLite file and in memory, and the peer's. Without the peer return no rows."""
    try:
        import django_project

        django_project.set_up()
    except ImportError as error:
        print(f"Django's peers are left out: {error}", file=sys.stderr)
        return []
    users = [f"user {number}" for number in range(size.users // 10)]
    random.Random(1).shuffle(users)
    theirs = peer(users)
    memory = Timings({"memory": logging_in(users), "peer": durable(theirs, "NORMAL")}, len(users), size.rounds)
    what = f"challenge + verify / {PEER}"
    return [
        *(row for mode in ("FULL", "NORMAL") for row in compare(size, users, theirs, mode)),
        memory.ratio(f"memory: {what} in a SQLite file, CPU alone", "memory", "peer", bar=1 / 30, stretch=1 / 60),
    ]


def compare(size: Size, users: Sequence[str], theirs: Batch, mode: Literal["FULL", "NORMAL"]) -> list[Row]:
    """Time our cycles and the peer's in a SQLite file, at the same durability."""
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder, "ours.db"), synchronous=mode)) as ours:
        sides = {"file": logging_in(users, ours), "peer": durable(theirs, mode)}
        timings = Timings(sides, len(users), size.rounds, clock=time.perf_counter_ns)
    what = f"SQLite file, synchronous={mode}: challenge + verify / {PEER} on one"
    return [timings.ratio(what, "file", "peer", bar=1 / 5, stretch=1 / 8)]


def durable(batch: Batch, mode: str) -> Batch:
    """Set whether the peer's file waits for the disk at each commit."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA synchronous = {mode}")
    return batch


def peer(users: Sequence[str]) -> Batch:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django_project import Gateway
    from two_factor.plugins.phonenumber.models import PhoneDevice
    from two_factor.utils import default_device

    call_command("migrate", verbosity=0)
    owners = [User.objects.create(username=user) for user in users]
    for owner, number in zip(owners, numbers(), strict=False):
        PhoneDevice.objects.create(user=owner, name="default", number=number, method="sms")
    known = [owner.pk for owner in owners]

    def batch() -> None:
        for user in known:
            default_device(User(pk=user)).generate_challenge()
            assert default_device(User(pk=user)).verify_token(Gateway.token)

    return batch
