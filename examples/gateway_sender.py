"""A sender for a gateway that accepts JSON over HTTPS."""

import json
from datetime import timedelta

from smsmfa import DeliveryRejected, DeliveryUncertain, RateLimited, SenderMisconfigured
from smsmfa.senders.building import Poster
from smsmfa.typing import Receipt


class GatewaySender:
    def __init__(self, url, token, *, timeout=timedelta(seconds=10)):
        self._poster = Poster(f"{url}/messages", timeout=timeout)
        self._token = token

    def send(self, message):
        # No connection raises DeliveryRejected here, and no whole answer in time DeliveryUncertain.
        answer = self._poster.post(self._body(message), {"Authorization": f"Bearer {self._token}"})
        if answer.status in {401, 403}:
            raise SenderMisconfigured("the gateway does not accept our token", outage=True)
        if answer.status == 429:
            raise RateLimited("carrier", answer.pause())
        if 400 <= answer.status < 500 and answer.status != 408:
            raise DeliveryRejected(f"the gateway refuses the message: HTTP {answer.status}")
        if answer.status >= 300:
            raise DeliveryUncertain(f"the gateway is in trouble: HTTP {answer.status}")
        message_id = (answer.fields or {}).get("id")
        if not isinstance(message_id, str):
            raise DeliveryUncertain("the gateway's answer has no id")
        return Receipt(message_id=message_id, sender="gateway")

    def _body(self, message):
        fields = {"to": message.to.e164, "text": message.text, "valid_until": message.expires_at.isoformat()}
        return json.dumps(fields).encode()
