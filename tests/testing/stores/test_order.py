"""An order of updates is found if there is one, and otherwise the few updates that contradict each other are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.testing.stores.order import Witness, explain


def update(tag, began=0.0, ended=None, keep_for=None, **keys):
    """Return an update that did ``append=""`` to a key under which it saw the tags in the text.

    ``a="append: x y"`` means that it appended to ``a``, under which it saw ``x`` and ``y``.
    """
    acts = {key: act.partition(":") for key, act in keys.items()}
    return Witness(
        tag=tag,
        began=began,
        ended=ended,
        saw={key: tuple(tags.split()) for key, (_, _, tags) in acts.items()},
        did={key: deed for key, (deed, _, _) in acts.items()},
        keep_for=keep_for or {},
    )


def at(time, tag, **given):
    """Return an update that began at a time, and ended a little later."""
    return update(tag, time, time + 0.5, **given)


def order(*history):
    """Return the tags of the updates, in the order that explains them."""
    return [one.tag for one in explain(history)]


def test_serial():
    """Updates one after the other are explained by that order, whatever they did."""
    assert ["x", "y", "z", "v", "w"] == order(
        at(4, "v", a="append:", b="rewrite:y"),
        at(1, "x", a="append:"),
        at(3, "z", a="remove:x y", b="look:y"),
        at(2, "y", a="append:x", b="append:"),
        at(5, "w", a="look:v", b="remove:y"),
    )


def test_concurrent():
    """What updates saw orders them if their times do not."""
    history = [
        update("z", 0, 9, a="append:x y"), update("y", 0, 9, a="append:x"), update("x", 0, 9, a="append:"),
        update("r", 0, 9, a="look:"), update("s", 0, 9, a="look:x"),
    ]  # fmt: skip

    assert ["r", "x", "s", "y", "z"] == order(*history)


def test_nothing():
    """An empty history is explained by nothing."""
    assert [] == order()


#: For each broken promise: updates that show it, and what the message says.
BROKEN = {
    "a lost update": ([at(1, "x", a="append:"), update("y", 0, 9, a="append:")], "each began a list under a"),
    "a lost append": (
        [at(1, "x", a="append:"), update("y", 2, 9, a="append:x"), update("z", 2, 9, a="append:x")],
        "both changed the same list under a",
    ),
    "an append to a removed list": (
        [at(1, "x", a="append:"), update("y", 2, 9, a="remove:x"), update("z", 2, 9, a="append:x")],
        "both changed the same list under a",
    ),
    "a list of nobody": ([at(1, "x", a="look:w")], "no update that was stored left what is seen under a"),
    "a write of a run that lost its race": (
        [at(1, "x.1", a="append:"), at(2, "y", a="look:x.0")],
        "no update that was stored left what is seen under a",
    ),
    "a tag in another place": (
        [at(1, "x", a="append:"), at(2, "y", a="append:x"), at(3, "z", a="look:y")],
        "no update that was stored left",
    ),
    "a stale read": (
        [at(1, "x", a="append:"), at(2, "y", a="append:x"), at(3, "z", a="look:x")],
        "y had ended when z began",
    ),
    "a list that is gone": ([at(1, "x", a="append:"), at(2, "y", a="look:")], "is gone that nobody removed"),
    "a list forgotten early": (
        [at(1, "x", a="append:", keep_for={"a": 60}), at(2, "y", a="look:")],
        "is gone that nobody removed, or was forgotten early",
    ),
    "a list that comes back": (
        [at(1, "x", a="append:"), at(2, "y", a="remove:x"), at(3, "z", a="look:x")],
        "y had ended when z began",
    ),
    "a forgotten list that comes back": (
        [at(1, "x", a="append:", keep_for={"a": 0}), at(2, "y", a="look:"), at(3, "z", a="look:x")],
        "the list that z met under a was gone for y",
    ),
    "half an update": (
        [update("x", 0, 9, a="append:", b="append:"), update("y", 0, 9, a="look:x", b="look:")],
        "y saw b absent before x appended to it",
    ),
    "two decisions on old values": (
        [update("x", 0, 9, a="append:", b="rewrite:"), update("y", 0, 9, a="rewrite:", b="append:")],
        "x saw b absent before y appended to it",
    ),
    "a rewrite that undoes an append": (
        [at(1, "x", a="append:"), update("y", 2, 3, a="append:x"), update("r", 2, 4, a="rewrite:x"),
         at(5, "z", a="look:x")],
        "y had ended when z began",
    ),
    "two updates that each missed the other": (
        [at(1, "x", a="append:", b="append:"), update("y", 2, 9, a="append:x", b="look:x"),
         update("z", 2, 9, a="look:x", b="append:x")],
        "y saw b before z changed it",
    ),
    "half an update in doubt": (
        [at(1, "x", a="append:", b="append:"), update("y", a="append:x", b="append:x"), at(2, "z", a="look:x y"),
         at(3, "v", b="append:x")],
        "both changed the same list under b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_broken(broken):
    """A history that no order explains is refused, with what is wrong."""
    history, said = BROKEN[broken]
    with pytest.raises(AssertionError) as caught:
        order(*history)

    assert said in str(caught.value)


def test_message():
    """The message shows the updates of a shortest circle, with what they saw, and why each comes before the next."""
    history = [at(n, f"other{n}", b=f"append:{' '.join(f'other{m}' for m in range(n))}") for n in range(5)]
    stale = [at(6, "x", a="append:"), at(7, "y", a="append:x"), at(8, "z", a="look:x")]
    with pytest.raises(AssertionError) as caught:
        order(*history, *stale)

    lines = str(caught.value).split("\n    ")
    assert "no order of these updates explains what they saw:" == lines[0]
    assert {
        "y (7.000000 to 7.500000): append a, seen as [x]",
        "z (8.000000 to 8.500000): look a, seen as [x]",
        "z saw a before y changed it",
        "y had ended when z began",
    } == set(lines[1:])


#: For each history that is sound: its updates.
SOUND = {
    "in doubt and stored": [update("x", a="append:"), at(1, "y", a="look:x")],
    "in doubt and not stored": [update("x", a="append:"), at(1, "y", a="look:")],
    "stored long after the error": [update("x", a="append:"), at(1, "y", a="look:"), at(2, "z", a="look:x")],
    "in doubt, seen by another in doubt": [
        update("x", a="append:"), update("y", a="append:x"), at(1, "z", a="look:x y"),
    ],
    "in doubt, and it removed the list": [
        at(1, "x", a="append:"), update("y", 2, a="remove:x"), at(3, "z", a="append:"),
    ],
    "in doubt, and it let the list be forgotten": [
        at(1, "x", a="append:"), update("y", 2, a="append:x", keep_for={"a": 0}), at(3, "z", a="look:"),
    ],
    "forgotten in time": [at(1, "x", a="append:", keep_for={"a": 5}), at(7, "y", a="append:")],
    "kept for longer": [
        at(1, "x", a="append:", keep_for={"a": 0}), at(2, "y", a="rewrite:x"), at(99, "z", a="look:x"),
    ],
    "removed and begun anew": [
        at(1, "x", a="append:"), at(2, "y", a="remove:x"), at(3, "z", a="append:"), at(4, "v", a="look:z"),
    ],
    "seen by many as absent": [
        update("r", 0, 9, a="look:"), update("s", 0, 9, a="remove:"), update("x", 0, 9, a="append:"),
        update("t", 0, 9, a="rewrite:"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("sound", SOUND)
def test_sound(sound):
    """Doubt, time and removal explain what would otherwise be a broken promise."""
    order(*SOUND[sound])


def test_removed_twice():
    """Two lists that were both removed leave open which was first."""
    history = [
        update("x", 0, 9, a="append:"), update("y", 0, 9, a="remove:x"),
        update("v", 0, 9, a="append:"), update("w", 0, 9, a="remove:v"), update("r", 0, 9, a="look:"),
    ]  # fmt: skip

    assert order(*history).index("x") < order(*history).index("y")


@given(st.data())
def test_every_serial_history(data):
    """A history that one caller after the other made is explained, in whatever order it is told."""
    lists, history = {"a": (), "b": ()}, []
    for number in range(data.draw(st.integers(0, 12))):
        deeds = data.draw(
            st.dictionaries(st.sampled_from("ab"), st.sampled_from(["append", "remove", "rewrite", "look"]), min_size=1)
        )
        seen = {key: f"{deed}:{' '.join(lists[key])}" for key, deed in deeds.items()}
        history.append(at(number, str(number), **seen))
        lists |= {key: history[-1].leaves(key) for key in deeds}

    assert [one.tag for one in history] == order(*data.draw(st.permutations(history)))
