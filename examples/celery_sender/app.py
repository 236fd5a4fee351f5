"""Leave messages to a Celery worker: encrypted, sent at most once, and dropped when the code has expired."""

import json
import os
from datetime import UTC, datetime
from functools import cache

from celery import Celery
from cryptography.fernet import Fernet

from smsmfa import DeliveryUncertain, PhoneNumber, TwilioSender
from smsmfa.typing import Message, Receipt

app = Celery("acme", broker=os.environ.get("BROKER_URL", "memory://"))
#: The web server and the worker share this key.
box = Fernet(os.environ.get("QUEUE_KEY") or Fernet.generate_key())


@cache
def carrier():
    """Return the sender that the worker uses."""
    return TwilioSender.from_env()


class QueueSender:
    """Leaves messages to the worker."""

    def send(self, message):
        left = (message.expires_at - datetime.now(UTC)).total_seconds()
        try:
            task = deliver.apply_async([seal(message)], expires=max(left, 1), retry=False)
        except Exception as error:
            raise DeliveryUncertain(f"the queue failed: {type(error).__name__}") from None
        return Receipt(message_id=task.id, sender="queue")


@app.task(max_retries=0, acks_late=False, ignore_result=True)
def deliver(sealed):
    """Send a message, unless its code has expired while it waited."""
    message = unseal(sealed)
    if message.expires_at > datetime.now(UTC):
        carrier().send(message)


# These are functions of their own, so that no traceback with local variables shows the fields.


def seal(message):
    """Encrypt a message."""
    fields = {
        "to": [message.to.e164, message.to.region, message.to.type],
        "text": message.text,
        "code": message.code.reveal(),
        "kind": message.kind,
        "purpose": message.purpose,
        "channel": message.channel,
        "locale": message.locale,
        "language": message.language,
        "english": message.english,
        "details": message.details,
        "challenge_id": message.challenge_id,
        "expires_at": message.expires_at.isoformat(),
    }
    return box.encrypt(json.dumps(fields).encode()).decode()


def unseal(sealed):
    """Decrypt a message."""
    fields = json.loads(box.decrypt(sealed.encode()))
    fields["to"], fields["expires_at"] = PhoneNumber(*fields["to"]), datetime.fromisoformat(fields["expires_at"])
    fields["details"] = tuple(map(tuple, fields["details"]))
    return Message(**fields)
