"""A sender that keeps its promises, and many that break one, as people have written them."""

import asyncio
import json
import logging
import urllib.request
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from time import monotonic
from urllib.parse import urlsplit

from smsmfa import DeliveryRejected, DeliveryUncertain, SenderMisconfigured
from smsmfa.testing import Answer, AsyncSenderConformance, SenderConformance
from smsmfa.typing import Receipt

TOKEN = "token-of-the-gateway"
NUMBER = SenderConformance.message.to.e164


class GoodSender:
    """Posts JSON to a gateway. The broken senders override a method of it."""

    def __init__(self, url, timeout):
        self._host = urlsplit(url).netloc
        self._timeout = timeout.total_seconds()

    def send(self, message):
        try:
            status, message_id = self._post(message)
        except ConnectionRefusedError:
            raise DeliveryRejected("the gateway cannot be reached") from None
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryUncertain(f"no usable answer: {type(error).__name__}") from None
        return self._judge(status, message_id)

    def _judge(self, status, message_id):
        if status in {401, 403}:
            raise SenderMisconfigured("the gateway does not accept our token")
        if 400 <= status < 500:
            raise DeliveryRejected(f"the gateway refuses the message: HTTP {status}")
        if status >= 300:
            raise DeliveryUncertain(f"the gateway is in trouble: HTTP {status}")
        return Receipt(message_id, "gateway")

    def _post(self, message):
        connection = HTTPConnection(self._host, timeout=self._timeout)
        try:
            return self._exchange(connection, message)
        finally:
            connection.close()

    def _exchange(self, connection, message):
        connection.request("POST", "/messages", self._form(message), {"Authorization": f"Bearer {TOKEN}"})
        with connection.getresponse() as response:
            body = self._read(response)
        return response.status, json.loads(body)["id"] if response.status < 300 else None

    def _read(self, response):
        until, body = monotonic() + self._timeout, b""
        while part := response.read1(1024):
            body += part
            if monotonic() > until:
                raise TimeoutError
        if response.length:
            raise HTTPException
        return body

    def _form(self, message):
        return json.dumps({"to": message.to.e164, "text": message.text})


# --- what it returns or raises


class SwallowsErrors(GoodSender):
    def send(self, message):
        try:
            return super().send(message)
        except Exception:
            logging.getLogger(__name__).warning("a message was not sent")
            return Receipt()


class ReturnsNothing(GoodSender):
    def send(self, message):
        super().send(message)


class CallsServerErrorsRefusals(GoodSender):
    def _judge(self, status, message_id):
        return super()._judge(400 if status >= 500 else status, message_id)


class CallsTimeoutsRefusals(GoodSender):
    def send(self, message):
        try:
            return super().send(message)
        except DeliveryUncertain as error:
            raise DeliveryRejected(str(error)) from None


class CallsRefusalsUncertain(GoodSender):
    def _judge(self, status, message_id):
        return super()._judge(500 if status >= 400 else status, message_id)


class CallsEveryRefusalTheSame(GoodSender):
    def _judge(self, status, message_id):
        return super()._judge(400 if status in {401, 403} else status, message_id)


class BelievesTheStatus(GoodSender):
    def send(self, message):
        connection = HTTPConnection(self._host, timeout=self._timeout)
        try:
            connection.request("POST", "/messages", self._form(message))
            with connection.getresponse() as response:
                status = response.status
        except ConnectionRefusedError:
            raise DeliveryRejected("the gateway cannot be reached") from None
        except (OSError, HTTPException) as error:
            raise DeliveryUncertain(type(error).__name__) from None
        finally:
            connection.close()
        return self._judge(status, "unknown")


class FollowsRedirects(GoodSender):
    def _post(self, message):
        request = urllib.request.Request(f"http://{self._host}/messages", self._form(message).encode())
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return response.status, json.loads(self._read(response))["id"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None
        except urllib.error.URLError as error:
            raise error.reason from None


class SendsToNobody(GoodSender):
    def _form(self, message):
        return json.dumps({"to": message.to.masked, "text": message.text})


# --- how long it takes, and how many requests it makes


class RetriesPosts(GoodSender):
    def send(self, message):
        try:
            return super().send(message)
        except DeliveryUncertain:
            return super().send(message)


class RetriesTimeouts(GoodSender):
    def _post(self, message):
        try:
            return super()._post(message)
        except TimeoutError:
            return super()._post(message)


class RetriesKeptConnections(GoodSender):
    """Retries as many HTTP clients do when a pooled connection turns out to be dead."""

    kept = None

    def _post(self, message):
        connection, self.kept = self.kept or HTTPConnection(self._host, timeout=self._timeout), None
        reused = connection.sock is not None
        try:
            result = self._exchange(connection, message)
        except RemoteDisconnected:
            connection.close()
            if not reused:
                raise
            return super()._post(message)
        except BaseException:
            connection.close()
            raise
        self.kept = connection
        return result

    def close(self):
        if self.kept is not None:
            self.kept.close()


class NeverTimesOut(GoodSender):
    def _post(self, message):
        self._timeout = None
        return super()._post(message)

    def _read(self, response):
        return response.read()


class TimesOutEachRead(GoodSender):
    def _read(self, response):
        return response.read()


class MixesMessages(GoodSender):
    def send(self, message):
        self._message = message
        return super().send(message)

    def _exchange(self, connection, message):
        connection.connect()
        return super()._exchange(connection, self._message)


# --- what it reveals


class QuotesTheMessage(GoodSender):
    def send(self, message):
        try:
            return super().send(message)
        except DeliveryUncertain:
            raise DeliveryUncertain(f"may have been sent: {message.text}") from None


class QuotesTheCarrier(GoodSender):
    def _exchange(self, connection, message):
        connection.request("POST", "/messages", self._form(message))
        with connection.getresponse() as response:
            answer = json.loads(self._read(response)) if response.status < 500 else {}
        if response.status == 400:
            raise DeliveryRejected(answer["error"])
        return response.status, answer.get("id")


class LeavesTheAnswerInItsLocals(GoodSender):
    """Its message is plain, but a traceback with locals shows what the carrier said."""

    def _exchange(self, connection, message):
        connection.request("POST", "/messages", self._form(message))
        with connection.getresponse() as response:
            body = self._read(response).decode()
        return response.status, json.loads(body)["id"] if response.status < 300 else body


class KeepsTheCause(GoodSender):
    def send(self, message):
        try:
            return super().send(message)
        except DeliveryUncertain:
            raise
        except DeliveryRejected as error:
            form = self._form(message)
            raise type(error)(f"{len(form)} bytes") from error


class LogsTheForm(GoodSender):
    def _form(self, message):
        form = super()._form(message)
        logging.getLogger(__name__).debug("sending %s", form)
        return form


class ShowsItsToken(GoodSender):
    def __repr__(self):
        return f"ShowsItsToken({TOKEN!r})"


# --- for asyncio


class AsyncGoodSender(GoodSender):
    async def send(self, message):
        return await asyncio.to_thread(super().send, message)


class AsyncBlocksTheLoop(GoodSender):
    async def send(self, message):
        return super().send(message)


class AsyncRetriesPosts(RetriesPosts):
    async def send(self, message):
        return await asyncio.to_thread(super().send, message)


def suite(sender, base=SenderConformance):
    """Return the suite for a sender."""

    class Suite(base):
        accepted = Answer(201, '{"id": "m1"}')
        rejected = Answer(400, json.dumps({"error": f"{NUMBER} is no number"}))
        misconfigured = Answer(401, '{"error": "no such token"}')
        secrets = (TOKEN,)
        time_limit = 60.0

        def make_sender(self, url, timeout):
            return sender(url, timeout)

    return Suite


def async_suite(sender):
    return suite(sender, AsyncSenderConformance)
