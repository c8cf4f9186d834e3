"""Which format a file is in, whatever it is called."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2esync.card import FORMATS, detect, read_file
from e2esync.card.foreign import write_google
from e2esync.errors import BadCard

from .helpers import SALT, one, vcard

FILES = {
    "vcard": [vcard("FN:a"), b"junk\r\n" + vcard("FN:a"), vcard("FN:a").decode().encode("utf-16-le"),
              b"begin : vcard\n", b"", b"nothing at all", "\ufeff".encode() + vcard("FN:a")],
    "jcard": [b'["vcard", []]', b'\xef\xbb\xbf [ ["vcard", []]]'],
    "jscontact": [b'{"uid":"a"}', b" [\n{}]", b"[]"],
    "google-csv": [b"First Name,Labels\n", write_google([])],
    "outlook-csv": [b"Primary Email\na@b.example\n", b'"First Name";"Last Name"\n', "Nachname\n".encode("utf-16")],
    "ldif": [b"# c\n\nversion: 1\n", b"dn: cn=a\n", b"DN:: YQ==\n"],
}


@pytest.mark.parametrize(("form", "data"), [(form, data) for form, all_ in FILES.items() for data in all_])
def test_detection(form: str, data: bytes) -> None:
    assert detect(data) == form
    assert form in FORMATS


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=60).map(str.encode),
                 st.lists(st.sampled_from([b'"', b",", b"\n", b"dn: a", b"First Name", b"Labels", b"=", b"\xff", b":: ",
                                           b"jpegPhoto", b"E-mail 1 - Value", b" ::: ", b"\0", b"\r"])).map(b"".join)),
       st.sampled_from(("auto", *FORMATS)))
def test_no_bytes_raise_anything_but_badcard(data: bytes, form: str) -> None:
    try:
        file = read_file(data, salt=SALT, form=form)
    except BadCard:
        return
    assert [(card.uid, card.ordinal) for card in file.cards] == list(
        dict.fromkeys((card.uid, card.ordinal) for card in file.cards))
    assert read_file(data, salt=SALT, form=form) == file


def test_a_format_that_does_not_exist() -> None:
    with pytest.raises(BadCard):
        read_file(vcard("FN:a"), salt=SALT, form="word")
    assert one("FN:a").uid == read_file(vcard("FN:a"), salt=SALT).cards[0].uid
