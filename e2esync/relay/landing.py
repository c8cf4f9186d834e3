"""The page that a browser sees at a relay's address: what this is, what it can see, and the key it signs with."""

from __future__ import annotations

from html import escape
from typing import Final

from e2esync.transports.http import Page

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}
code{{overflow-wrap:anywhere}}</style>
<h1>{name}</h1>
<p>This is an e2esync relay. It keeps address books in step between the devices of people who use it, and stores them
encrypted, under keys that it never has. There is no account and nothing to log in to here; in the program, give this
page's address as the relay.</p>
<h2>What it can see</h2>
<p>Which devices, by their public keys, belong to one book; when they connect, and from where; how many encrypted pieces
there are, their rounded sizes, and when they came.</p>
<h2>What it cannot see</h2>
<p>Names, numbers, addresses, photos; what a book or a device is called; which contact was changed. It can lose data or
refuse to serve. It cannot read or change a contact, and if it shows an older or another state, devices notice.</p>
<h2>Its key</h2>
<p>Every state that it serves is signed with this key. A recovery sheet for a book here has the same:</p>
<p><code>{key}</code></p>
<p>New books: {registration}.{operator}</p>
</html>
"""

REGISTRATION: Final = {
    "open": "anybody may make one", "invitation": "with an invitation from who runs it", "closed": "none are taken",
}


def landing_page(key: bytes, *, name: str = "", operator: str = "", registration: str = "open") -> Page:
    """The page, for a relay with this verify key (32 bytes)."""
    text = key.hex()
    spaced = " ".join(text[start:start + 8] for start in range(0, len(text), 8))
    whom = f" Who runs it: {escape(operator)}." if operator else ""
    return Page(
        _PAGE.format(name=escape(name or "An e2esync relay"), key=spaced, operator=whom,
                     registration=REGISTRATION[registration]),
        "text/html; charset=utf-8",
    )
