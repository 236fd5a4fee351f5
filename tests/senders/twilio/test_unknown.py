"""Codes that this version does not know are counted and logged."""

import threading

from smsmfa.senders.twilio.unknown import UnknownCodes


def test_unknown_codes(caplog):
    """Unknown codes are counted, each is logged once, and no more than a hundred are remembered."""
    codes = UnknownCodes()
    for code in (None, 21610, 29_999, 29_999, *range(40_000, 40_200)):
        codes.note(code)

    assert (2, 1, 100) == (codes.counted()[29_999], codes.counted()[40_000], len(codes.counted()))
    assert 100 == len(caplog.messages)
    assert caplog.messages[0].startswith("Twilio 29999: this version does not know the code")


def test_unknown_codes_of_threads():
    """Codes that come in many threads are counted one by one."""
    codes = UnknownCodes()
    threads = [threading.Thread(target=lambda: [codes.note(29_999) for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {29_999: 800} == codes.counted()
