"""A page that Twilio's delivery reports are posted to, as a WSGI application."""

import logging
import os

from smsmfa.senders.twilio import CallbackRejected, StatusCallback

PAGE = "https://login.example.com/twilio"  # as Twilio calls it, whatever a proxy makes of it

audit = logging.getLogger("audit")
latest = {}  # message id -> report; any cache


def twilio_status(environ, start_response):
    callback = StatusCallback(os.environ["TWILIO_AUTH_TOKEN"])
    query = environ.get("QUERY_STRING")
    url = f"{PAGE}?{query}" if query else PAGE
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        report = callback.read(
            url,
            body,
            environ.get("HTTP_X_TWILIO_SIGNATURE"),
            environ.get("HTTP_X_TWILIO_WEBHOOKS_SIGNATURE_SETTINGS"),  # if a shared key signs
        )
    except CallbackRejected:
        start_response("403 Forbidden", [])
        return []
    if report.supersedes(latest.get(report.message_id)):
        latest[report.message_id] = report
        audit.info("%s", report.event)
    start_response("204 No Content", [])
    return []
