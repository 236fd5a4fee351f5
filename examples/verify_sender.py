"""Send this library's codes through Twilio Verify, for an account that may use custom codes."""

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from smsmfa import DeliveryRejected, DeliveryUncertain, RateLimited, RecipientRejected, SenderMisconfigured
from smsmfa.typing import Receipt

RECIPIENTS = {60205, 60238, 60410}  # a landline, blocked, fraud
PAUSES = {20429, 60203, 60212}


class VerifySender:
    def __init__(self, account_sid, auth_token, service_sid):
        http = TwilioHttpClient(timeout=10)  # without it there is no timeout
        self.client = Client(account_sid, auth_token, http_client=http)
        self._service = service_sid

    def send(self, message):
        outcome = self._outcome(message)
        if isinstance(outcome, Exception):
            raise outcome  # here, where no frame holds the code
        return outcome

    def _outcome(self, message):
        verifications = self.client.verify.v2.services(self._service).verifications
        channel = {"voice": "call"}.get(message.channel, message.channel)
        try:
            made = verifications.create(to=message.to.e164, channel=channel, custom_code=message.code.reveal())
        except TwilioRestException as error:
            return refusal(error)
        except Exception as error:
            return DeliveryUncertain(f"Verify gave no usable answer ({type(error).__name__})")
        return Receipt(made.sid, "verify") if made.sid else DeliveryUncertain("Verify gave no id")


def refusal(error):
    """Return what to raise for an error of Verify."""
    told = f"Verify: HTTP {error.status}, {error.code}"
    if not 400 <= error.status < 500 or error.status == 408:
        return DeliveryUncertain(told)
    if error.status == 429 or error.code in PAUSES:
        return RateLimited("carrier")
    if error.code in RECIPIENTS:
        return RecipientRejected(told)
    if error.status in {401, 403, 404} or error.code == 60204:
        return SenderMisconfigured(told)
    return DeliveryRejected(told)
