"""Under a seed the package draws the same ids in every run, and afterwards from the system again."""

import os
from threading import Barrier, Thread

import pytest

from smsmfa import Enroller, FactorConfig, MemoryStore, codes
from smsmfa.codes import new_id, new_recovery_code
from smsmfa.testing import RecordingSender, deterministic


def drawn(seed):
    with deterministic(seed):
        return [new_id(), new_id(), new_recovery_code().reveal()]


@pytest.mark.parametrize("seed", [0, 7, "a name", "\ud800"])
def test_same_seed(seed):
    """The same seed gives the same ids and recovery codes, each of them another one."""
    first = drawn(seed)

    assert first == drawn(seed)
    assert 3 == len(set(first))
    assert 32 == len(first[0])


def test_other_seed():
    """Another seed, and a text instead of the number, give others."""
    assert not set(drawn(1)) & set(drawn(2))
    assert not set(drawn(1)) & set(drawn("1"))


def test_code_of_an_enrolment():
    """So the code of a challenge is the same in every run."""

    def code():
        outbox = RecordingSender()
        config = FactorConfig(app_name="Acme", secret="s" * 32, regions={"US"})
        with deterministic(7):
            Enroller(config, MemoryStore(), outbox).start("alice", "+14155552671")
        return outbox.last_code

    assert code() == code()


def test_system_afterwards():
    """Outside the block, after an error too, ids come from the system; inside it os.urandom is what it was."""
    system = os.urandom

    def fail():
        with deterministic(1):
            assert system is os.urandom
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert codes.urandom is system
    assert new_id() != new_id()


def test_inner_seed():
    """An inner seed counts while it lasts, and the outer one goes on where it was."""
    with deterministic(1):
        first = new_id()
        assert drawn(2)[0] == drawn(2)[0]
        second = new_id()

    assert drawn(1)[:2] == [first, second]


def test_ends_in_any_order():
    """Seeds of several threads may end in any order: the last one to end brings the system's bytes back."""
    both_in, first_out = Barrier(2), Barrier(2)

    def first():
        with deterministic(1):
            both_in.wait(10)
        first_out.wait(10)

    thread = Thread(target=first)
    thread.start()
    with deterministic(2):
        both_in.wait(10)
        first_out.wait(10)
        assert codes.urandom is not os.urandom
    thread.join()

    assert codes.urandom is os.urandom
