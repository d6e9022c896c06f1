"""Attributes in one line and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.core.attributes import joined_attributes, split_attributes
from decaf_gui.core.entities import Expression


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("brown; on the left", ("brown", "on the left")),
        ("brown, on the  left.", ("brown", "on the left")),
        ('1. "brown"\n2) **on the left**\n- brown', ("brown", "on the left")),
        ("<red>; <small>", ("red", "small")),
        ("1,5 m tall, T-shirt", ("1,5 m tall", "T-shirt")),
        (" ; ,, -- ", ()),
        ("", ()),
    ],
)
def test_lines_and_lists_are_split(text, found):
    assert split_attributes(text) == found


@given(st.text())
def test_what_was_split_stays_as_it_is(text):
    found = split_attributes(text)
    assert split_attributes(joined_attributes(found)) == found


@given(st.lists(st.text()))
def test_an_expressions_attributes_are_tidy(parts):
    given_ = Expression("the dog", tuple(parts)).attributes
    assert Expression("the dog", given_).attributes == given_
    assert all(part == " ".join(part.split()) and part for part in given_)


def test_none_and_none_at_all_are_told_apart():
    assert Expression("the dog").attributes is None
    assert Expression("the dog", ()).attributes == ()
