"""`e2esync labels list|add|remove|rename|delete`."""

from __future__ import annotations

import argparse

from ..context import Context
from ..parser import subcommands

ABOUT = """\
Categories (Google, Nextcloud, Outlook), Apple's groups and vCard's group cards are one thing here: labels. A change is
written the way the label, or else the book, does it already. Taking a label away never deletes a contact."""
EXAMPLES = """\
  e2esync labels                            every label, and how many contacts have it
  e2esync labels list ada                   the labels of Ada
  e2esync labels add Family ada adam
  e2esync labels remove Family adam
  e2esync labels delete Family              no contact loses more than the label
  e2esync labels rename Family "The family" """


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("list", "list the labels").add_argument("contact", nargs="?", metavar="CONTACT", help="only those of a contact")
    for name, text in (("add", "give contacts a label"), ("remove", "take a label from contacts")):
        action = add(name, text)
        action.add_argument("label", metavar="LABEL", help="the label's name")
        action.add_argument("contacts", nargs="+", metavar="CONTACT", help="the contacts")
    rename = add("rename", "give a label another name")
    rename.add_argument("label", metavar="LABEL", help="its name now")
    rename.add_argument("new", metavar="NEW", help="its new name")
    add("delete", "take a label from everybody").add_argument("label", metavar="LABEL", help="the label's name")


def run(context: Context) -> int:
    """List or change."""
    from e2esync.client import labels

    args, book = context.args, context.book()
    if args.action in ("add", "remove"):
        contacts = [context.find(selector).contact for selector in args.contacts]
        change = labels.add_label if args.action == "add" else labels.remove_label
        return _changed(context, change(book, args.label, contacts))
    if args.action == "rename":
        return _changed(context, labels.rename_label(book, args.label, args.new))
    if args.action == "delete":
        return _changed(context, labels.delete_label(book, args.label))
    return _list(context)


def _list(context: Context) -> int:
    from e2esync.client.labels import labels_of

    out = context.out
    contact = context.find(context.args.contact).contact if getattr(context.args, "contact", None) else None
    found = [label for label in labels_of(context.book()) if contact is None or contact in label.contacts]
    if out.json:
        out.result(labels=[{"name": label.name, "contacts": len(label.contacts), "kind": label.world.value}
                           for label in found])
    elif found:
        out.table(("LABEL", "CONTACTS"), [(label.name, f"{len(label.contacts):,}") for label in found])
    else:
        out.note("no labels")
    return 0


def _changed(context: Context, count: int) -> int:
    context.out.result(changed=count)
    context.out.note(f"{count:,} changed" if count else "nothing to change: it is like that already")
    return 0
