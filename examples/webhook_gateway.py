"""The receiving end of HttpSender: a gateway, as a WSGI application."""

import os

from smsmfa.senders.webhook import WebhookRejected, read_webhook


class Gateway:
    """Checks each request and hands its message over.

    Args:
        hand_over: called with the number and the text.
        seen: called with a request's id; whether it has come before. Remember an id for ten minutes.
    """

    def __init__(self, hand_over, seen):
        self._hand_over = hand_over
        self._seen = seen

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        status = "202 Accepted"
        try:
            fields = read_webhook(body, headers, os.environ["GATEWAY_SECRET"])
        except WebhookRejected:
            status = "401 Unauthorized"
        else:
            if not self._seen(headers["WEBHOOK-ID"]):  # a proxy or an attacker may repeat a request
                self._hand_over(fields["recipient"], fields["text"])
        start_response(status, [("Content-Length", "0")])
        return []
