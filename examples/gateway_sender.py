"""A sender for a gateway that accepts JSON over HTTPS."""

import json
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from urllib.parse import urlsplit

from smsmfa import DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from smsmfa.typing import Receipt

LONGEST_ANSWER = 65536


class GatewaySender:
    def __init__(self, url, token, *, timeout=timedelta(seconds=10)):
        self._url = urlsplit(url)
        self._token = token
        self._timeout = timeout.total_seconds()

    def send(self, message):
        connecting = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = connecting(self._url.netloc, timeout=self._timeout)
        try:
            connection.connect()
        except OSError:
            raise DeliveryRejected("the gateway cannot be reached", outage=True) from None
        try:
            status, message_id = self._post(connection, message)
        except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
            raise DeliveryUncertain(f"no usable answer: {type(error).__name__}") from None
        finally:
            connection.close()
        if status in {401, 403}:
            raise SenderMisconfigured("the gateway does not accept our token", outage=True)
        if 400 <= status < 500:
            raise DeliveryRejected(f"the gateway refuses the message: HTTP {status}")
        if status >= 300:
            raise DeliveryUncertain(f"the gateway is in trouble: HTTP {status}")
        return Receipt(message_id=message_id, sender="gateway")

    def _post(self, connection, message):
        body = {"to": message.to.e164, "text": message.text, "valid_until": message.expires_at.isoformat()}
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request("POST", "/messages", json.dumps(body), headers)
        with connection.getresponse() as response:
            answer = self._read(response)
        return response.status, json.loads(answer)["id"] if response.status < 300 else None

    def _read(self, response):
        # A socket's timeout starts anew with every byte. This one is for the whole answer.
        answer, until = b"", monotonic() + self._timeout
        while part := response.read1(LONGEST_ANSWER):
            answer += part
            if monotonic() > until or len(answer) > LONGEST_ANSWER:
                raise TimeoutError
        if response.length:
            raise HTTPException("half an answer")
        return answer
