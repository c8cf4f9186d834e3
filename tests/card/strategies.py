"""Cards such as phones, clouds and desktop programs write them, as files."""

from __future__ import annotations

from hypothesis import strategies as st

from e2esync.card.text import escape, quote_printable

WORDS = st.one_of(
    st.sampled_from(
        (
            "Bo",
            "Zoë",
            "山田",
            "ハナコ",
            "김",
            "O'Neil",
            "van Dam",
            "Дзвін",
            "نور",
            "a;b",
            "c,d",
            "e\\f",
            "g\nh",
            "🚕",
            "=41",
            "x:y",
        )
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
)
TYPES = ("HOME", "WORK", "CELL", "FAX", "VOICE", "PAGER", "pref", "OTHER", "x-boat", "My Label", "MAIN")
NUMBERS = st.from_regex(r"\+?[0-9 ()-]{3,14}", fullmatch=True)
DATES = st.sampled_from(
    (
        "1985-04-12",
        "19850412",
        "--0415",
        "--04-15",
        "1985-04",
        "",
        "1604-04-15",
        "19850412T101010Z",
        "someday",
    )
)


ALTERNATIVES = (
    ";ALTID=1", ";ALTID=1;LANGUAGE=fr", ";ALTID=1;LANGUAGE=ja;PHONETIC=script;SCRIPT=Kana", ";ALTID=1;PHONETIC=ipa",
    ';JSCOMPS=";1;0"', ';JSCOMPS="s,-;0;s,x;1"', ";PROP-ID=p1", ";SORT-AS=a,b", ";LANGUAGE=de",
)
ROWS = tuple(f"vnd.android.cursor.item/{row}" for row in (
    "nickname;Bo;1;;;", "contact_event;1985-04-12;1;;", "contact_event;--04-15;0;Boat day;", "relation;Al;14;;",
    "relation;Al;0;muse;;;", "odd;1;2",
))


PROPERTIES = (
    "TEL", "EMAIL", "ADR", "ORG", "NOTE", "BDAY", "CATEGORIES", "NICKNAME", "URL", "TITLE", "X-ABRELATEDNAMES",
    "X-ODD", "IMPP", "X-SKYPE", "GEO", "X-ABDATE", "LABEL", "X-SOCIALPROFILE", "X-PHONETIC-LAST-NAME",
    "X-PHONETIC-FIRST-NAME", "X-ANDROID-CUSTOM", "SORT-STRING", "RELATED", "ROLE", "PHOTO", "GRAMGENDER", "PRONOUNS",
    "X-CUSTOM", "FN", "N",
)


def _params(draw: st.DrawFn, version: str) -> str:
    """The parameters of a property, types first."""
    types = draw(st.lists(st.sampled_from(TYPES), max_size=3))
    if version == "2.1":
        params = "".join(f";{kind.replace(' ', '')}" for kind in types)
    elif draw(st.booleans()):
        params = "".join(f";TYPE={kind}" for kind in types)
    else:
        params = f";type={','.join(types)}" if types else ""
    if draw(st.integers(0, 5)) == 0:
        params += ";X-SLOT=7"
    if version == "4.0" and draw(st.integers(0, 2)) == 0:
        params += draw(st.sampled_from(ALTERNATIVES))
    return params


def _values(name: str, version: str) -> st.SearchStrategy[str]:
    """What may stand in a property."""
    word = (
        st.builds(lambda text: text.replace(";", "\\;").replace("\n", " "), WORDS)
        if version == "2.1"
        else st.builds(escape, WORDS)
    )
    return {
        "TEL": NUMBERS,
        "BDAY": DATES,
        "X-ABDATE": DATES,
        "GEO": st.just("1.5;2"),
        "X-ANDROID-CUSTOM": st.sampled_from(ROWS),
        "PHOTO": st.sampled_from(("data:image/png;base64,iVBORw0KGgo=", "https://photos.example/a,b", "")),
        "N": st.builds(";".join, st.lists(word, min_size=1, max_size=7)),
        "ADR": st.builds(";".join, st.lists(word, min_size=7, max_size=7)),
        "ORG": st.builds(";".join, st.lists(word, min_size=1, max_size=3)),
        "CATEGORIES": st.builds(",".join, st.lists(word, min_size=1, max_size=3)),
    }.get(name, word)


@st.composite
def content_lines(draw: st.DrawFn, version: str, number: int) -> list[str]:
    """One property, with its label line where it has one."""
    name = draw(st.sampled_from(PROPERTIES))
    params = _params(draw, version)
    text = draw(_values(name, version))
    if version == "2.1" and (not text.isascii() or draw(st.booleans())):
        head = f"{name}{params};CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
        return [f"{head}:{quote_printable(text, len(head) + 1, chr(13) + chr(10))}"]
    if draw(st.integers(0, 3)) == 0 and version != "2.1":
        group = f"item{number + draw(st.integers(0, 1)) * 7}"
        return [
            f"{group}.{name}{params}:{text}",
            f"{group}.X-ABLabel:{draw(st.sampled_from(('_$!<Spouse>!$_', 'Boat', 'Zoë')))}",
        ]
    return [f"{name}{params}:{text}"]


@st.composite
def cards(draw: st.DrawFn, version: str) -> bytes:
    """One card of a version."""
    lines = ["BEGIN:VCARD", f"VERSION:{version}"]
    if draw(st.booleans()):
        lines.append("N:Doe;Bo;;;")
    if draw(st.booleans()):
        lines.append("FN:Bo Doe")
    for number in range(draw(st.integers(0, 6))):
        lines += draw(content_lines(version, number + 1))
    if draw(st.booleans()):
        lines.append("UID:" + draw(st.sampled_from(("a-b", "urn:uuid:1", "C67C\\:x.vlf"))))
    lines += ["X-LAST:1", "END:VCARD", ""]
    return draw(st.sampled_from(("\r\n", "\n"))).join(lines).encode()


VERSION = st.sampled_from(("2.1", "3.0", "4.0"))
CARDS = VERSION.flatmap(cards)
BROKEN = st.lists(
    st.sampled_from(
        (
            b"BEGIN:VCARD\r\n",
            b"END:VCARD\r\n",
            b"VERSION:2.1\n",
            b"N:a;b\r\n",
            b'TEL;TYPE="x:1\n',
            b" fold\r\n",
            b"\r",
            b"\n",
            b"PHOTO;ENCODING=b:QU!D\r\n",
            b"NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\n",
            b"AGENT:\n",
            b"\xff\xfe",
            b"\0",
            b"item1.X-ABLabel:x\n",
            b"X;CHARSET=utf-7:+2AA-\n",
            b"UID:\n",
            b";:\n",
            b"REV:1\n",
            b"\xe2\x80\xa8TEL:1",
        )
    ),
    max_size=14,
).map(b"".join)
