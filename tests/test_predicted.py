"""Predicted answers: the changes that a prompt asks for, and how much of a prediction came true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.simulation.predicted import edited, shared
from mockserver.simulation.tokens import count_text

CODE = "class User {\n  username: string;\n  usernames: string[];\n}\n"


@pytest.mark.parametrize(
    "prompt",
    [
        "Replace the username property with an email property.",
        "Rename `username` to `email`, please.",
        "Change the field 'username' into \"email\".",
        "replace username by email",
    ],
    ids=str,
)
def test_a_name_is_changed_and_no_longer_one(prompt: str) -> None:
    assert edited(prompt, CODE) == CODE.replace("username:", "email:")


def test_a_prompt_that_wants_no_change_changes_nothing() -> None:
    assert edited("Add a comment.", CODE) == CODE


def test_a_name_with_special_signs_is_taken_as_it_is() -> None:
    assert edited(r"replace a.b with c$1", "a.b axb") == "c$1 axb"


@given(st.text())
def test_a_prediction_that_comes_true_is_accepted_whole(text: str) -> None:
    assert shared(text, text) == (count_text(text), 0)


def test_a_long_prediction_with_a_change_in_its_middle_is_accepted_but_for_that() -> None:
    lines = [f"line {number};\n" for number in range(2000)]
    changed = [*lines[:900], "something else;\n", *lines[901:]]
    accepted, rejected = shared("".join(changed), "".join(lines))
    assert 0 < rejected <= 6 and accepted + rejected == count_text("".join(lines))


@given(st.text(), st.text())
def test_each_token_of_a_prediction_is_accepted_or_rejected(text: str, prediction: str) -> None:
    accepted, rejected = shared(text, prediction)
    assert accepted + rejected == count_text(prediction)
    assert 0 <= accepted <= count_text(text)
