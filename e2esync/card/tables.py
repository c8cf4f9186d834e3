"""The correspondences between vCard and JSContact words, each written once (RFC 9555).

Invariants: pure data; where both directions are needed, the second table is computed from the first.
"""

from __future__ import annotations

from typing import Final

CONTEXTS: Final = {"home": "private", "work": "work"}
ADDRESS_CONTEXTS: Final = CONTEXTS | {"billing": "billing", "delivery": "delivery"}
FEATURES: Final = {
    "cell": "mobile", "voice": "voice", "fax": "fax", "pager": "pager", "text": "text", "video": "video",
    "textphone": "textphone", "main-number": "main-number",
}
CONTEXT_TYPES: Final = {value: key for key, value in ADDRESS_CONTEXTS.items()}
FEATURE_TYPES: Final = {value: key for key, value in FEATURES.items()}

LEGACY_TYPES: Final = frozenset((
    "dom", "intl", "postal", "parcel", "msg", "bbs", "modem", "car", "isdn", "pcs", "x400", "internet",
    "other", "main", "iphone", "applelink", "attmail", "cis", "eworld", "ibmmail", "mcimail", "powershare",
    "prodigy", "tlx", "aol", "home", "work", "pref", "contact", "acquaintance", "friend", "met",
    "co-worker", "colleague", "co-resident", "neighbor", "child", "parent", "sibling", "spouse", "kin",
    "muse", "crush", "date", "sweetheart", "me", "agent", "emergency", "jpeg", "jpg", "png", "gif", "wave",
    "mp3", "x509", "pgp", "wmf", "bmp", "cgm", "met", "pmb", "dib", "pict", "tiff", "ps", "pdf", "mpeg",
    "mpeg2", "avi", "qtime", "pcm", "aiff", "voice", "fax", "cell", "pager", "text", "video", "textphone",
))
"""Types of old standards that are no one's own label."""

NAME_KINDS: Final = ("surname", "given", "given2", "title", "credential", "surname2", "generation")
"""The parts of N in their order (RFC 9554)."""

ADDRESS_KINDS: Final = (
    "postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country",
    "room", "apartment", "floor", "number", "name", "building", "block", "subdistrict", "district", "landmark",
    "direction",
)
"""The parts of ADR in their order; from the eighth on those of RFC 9554."""
ADDRESS_INDEX: Final = {kind: index for index, kind in reversed(tuple(enumerate(ADDRESS_KINDS)))}

PHONETIC_KINDS: Final = {
    "X-PHONETIC-FIRST-NAME": "given", "X-PHONETIC-MIDDLE-NAME": "given2", "X-PHONETIC-LAST-NAME": "surname",
}
PHONETIC_NAMES: Final = {kind: name for name, kind in PHONETIC_KINDS.items()}

SERVICES: Final = {
    "X-AIM": "AIM", "X-JABBER": "Jabber", "X-YAHOO": "Yahoo", "X-MSN": "MSN", "X-ICQ": "ICQ", "X-SKYPE": "Skype",
    "X-SKYPE-USERNAME": "Skype", "X-GTALK": "GoogleTalk", "X-GOOGLE-TALK": "GoogleTalk", "X-QQ": "QQ",
    "X-GADUGADU": "GaduGadu", "X-GROUPWISE": "GroupWise", "X-TWITTER": "Twitter", "X-SIP": "SIP",
    "X-MATRIX": "Matrix",
}
"""Properties of their own that messaging services have in old exports."""

APPLE_LABELS: Final = {
    "_$!<Home>!$_": "Home", "_$!<Work>!$_": "Work", "_$!<HomePage>!$_": "Home page", "_$!<Other>!$_": "Other",
    "_$!<Mobile>!$_": "Mobile", "_$!<Main>!$_": "Main", "_$!<HomeFAX>!$_": "Home fax",
    "_$!<WorkFAX>!$_": "Work fax", "_$!<Pager>!$_": "Pager", "_$!<Anniversary>!$_": "Anniversary",
    "_$!<Mother>!$_": "Mother", "_$!<Father>!$_": "Father", "_$!<Parent>!$_": "Parent",
    "_$!<Brother>!$_": "Brother", "_$!<Sister>!$_": "Sister", "_$!<Child>!$_": "Child",
    "_$!<Son>!$_": "Son", "_$!<Daughter>!$_": "Daughter", "_$!<Friend>!$_": "Friend",
    "_$!<Spouse>!$_": "Spouse", "_$!<Partner>!$_": "Partner", "_$!<Assistant>!$_": "Assistant",
    "_$!<Manager>!$_": "Manager", "_$!<School>!$_": "School", "_$!<iCloud>!$_": "iCloud",
}
"""Apple's own labels are tokens; they are shown by these words and written back as tokens."""
APPLE_TOKENS: Final = {word: token for token, word in APPLE_LABELS.items()}

RELATIONS: Final = {
    "Spouse": "spouse", "Child": "child", "Son": "child", "Daughter": "child", "Parent": "parent",
    "Mother": "parent", "Father": "parent", "Brother": "sibling", "Sister": "sibling", "Friend": "friend",
    "Partner": "sweetheart", "Assistant": "co-worker", "Manager": "co-worker",
}
RELATION_KINDS: Final = frozenset((
    "contact", "acquaintance", "friend", "met", "co-worker", "colleague", "co-resident", "neighbor", "child",
    "parent", "sibling", "spouse", "kin", "muse", "crush", "date", "sweetheart", "me", "agent", "emergency",
))
RELATION_PROPERTIES: Final = {
    "X-SPOUSE": "spouse", "X-EVOLUTION-SPOUSE": "spouse", "X-KADDRESSBOOK-X-SPOUSESNAME": "spouse",
    "X-CHILDREN": "child",
}

ANNIVERSARIES: Final = {
    "BDAY": "birth", "DEATHDATE": "death", "ANNIVERSARY": "wedding", "X-ANNIVERSARY": "wedding",
    "X-EVOLUTION-ANNIVERSARY": "wedding", "X-KADDRESSBOOK-X-ANNIVERSARY": "wedding", "X-MS-ANNIVERSARY": "wedding",
}

MEDIA: Final = {"PHOTO": "photo", "LOGO": "logo", "SOUND": "sound"}
MEDIA_TYPES: Final = {
    "jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "bmp": "image/bmp",
    "tiff": "image/tiff", "webp": "image/webp", "wave": "audio/wav", "wav": "audio/wav", "mp3": "audio/mpeg",
    "ogg": "audio/ogg", "basic": "audio/basic", "pgp": "application/pgp-keys", "x509": "application/pkix-cert",
}
MEDIA_WORDS: Final = {
    value: key.upper() for key, value in reversed(MEDIA_TYPES.items()) if key not in ("jpg", "wav")
}

PERSONAL: Final = {"EXPERTISE": "expertise", "HOBBY": "hobby", "INTEREST": "interest"}
PERSONAL_NAMES: Final = {value: key for key, value in PERSONAL.items()}
LEVELS: Final = {"beginner": "low", "average": "medium", "expert": "high"}
LEVEL_WORDS: Final = {value: key for key, value in LEVELS.items()}

LINKS: Final = {
    "URL": ("links", ""), "CONTACT-URI": ("links", "contact"), "CALURI": ("calendars", "calendar"),
    "FBURL": ("calendars", "freeBusy"), "CALADRURI": ("schedulingAddresses", ""),
    "SOURCE": ("directories", "entry"), "ORG-DIRECTORY": ("directories", "directory"),
}
"""Properties whose value is a URI: the JSContact property and the kind of the entry."""
LINK_NAMES: Final = {pair: name for name, pair in LINKS.items()}

TEXT_PROPERTIES: Final = frozenset(("LABEL", "CLASS", "MAILER", "AGENT", "X-CUSTOM"))
"""Properties without a place in JSContact whose value is known to be one text."""
