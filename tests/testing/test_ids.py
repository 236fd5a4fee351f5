"""Under a seed the package draws the same ids in every run; afterwards it draws from the system again."""

import os

import pytest
from support import SECRET

from smsmfa import Enroller, FactorConfig, MemoryStore, codes
from smsmfa.codes import new_id, new_recovery_code
from smsmfa.testing import RecordingSender, deterministic


def drawn(seed):
    with deterministic(seed):
        return [new_id(), new_id(), new_recovery_code().reveal()]


@pytest.mark.parametrize("seed", [0, 7, "a name", "\ud800"])
def test_same_seed(seed):
    """The same seed gives the same ids and recovery codes, all of them different from each other."""
    first = drawn(seed)

    assert first == drawn(seed)
    assert 3 == len(set(first))
    assert 32 == len(first[0])


def test_other_seed():
    """Another seed gives other ids, and so does a text instead of the number."""
    assert not set(drawn(1)) & set(drawn(2))
    assert not set(drawn(1)) & set(drawn("1"))


def test_code_of_an_enrolment():
    """Under a seed the code of a challenge is the same in every run."""

    def code():
        outbox = RecordingSender()
        config = FactorConfig(app_name="Acme", secret=SECRET, regions={"US"})
        with deterministic(7):
            Enroller(config, MemoryStore(), outbox).start("alice", "+14155552671")
        return outbox.last_code

    assert code() == code()


def test_system_afterwards():
    """After the block, even if it raised, ids come from the system; os.urandom itself never changes."""
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
    """An inner seed applies while its block lasts; then the outer one continues where it was."""
    with deterministic(1):
        first = new_id()
        assert drawn(2)[0] == drawn(2)[0]
        second = new_id()

    assert drawn(1)[:2] == [first, second]


def test_ends_in_any_order():
    """Blocks of several threads may end in any order: the last one entered applies, then the system again."""
    alone = drawn(2)[:2]
    seeds = [deterministic(seed) for seed in (1, 2, 3)]
    for seed in seeds:
        seed.__enter__()
    first, second, third = seeds

    third.__exit__(None, None, None)
    assert alone[0] == new_id()
    first.__exit__(None, None, None)
    assert alone[1] == new_id()
    second.__exit__(None, None, None)
    assert codes.urandom is os.urandom
