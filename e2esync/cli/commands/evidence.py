"""`e2esync evidence list|export|verify`."""

from __future__ import annotations

import argparse

from e2esync.errors import NotFound, WireError

from ..context import Context
from ..exits import OK
from ..files import read_input, write_private
from ..parser import subcommands
from ..times import ago

ABOUT = """\
A relay or a device that lies signs what it says. Where two of these signatures contradict each other this device keeps
both: proof for anybody who has the book's public chain. A file holds no contact and no key. `verify` needs nothing but
the file: no profile, no network."""
EXAMPLES = """\
  e2esync evidence list
  e2esync evidence export 3fa9c2d1 -o lie.evidence
  e2esync evidence verify lie.evidence"""
KINDS = {
    1: "the relay has signed two histories of epoch {epoch}, which part at position {position} or before",
    2: "the relay has signed position {epoch}/{position} later than a higher one: it went back",
    3: "two members have opened epoch {epoch}",
    4: "member {member} has signed two different changes numbered {position}",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions."""
    add = subcommands(parser)
    add("list", "list what this device keeps")
    export = add("export", "write evidence to a file, with the chain that it needs")
    export.add_argument("name", metavar="NAME", help="its name in the list, or the beginning of it")
    export.add_argument("-o", "--output", metavar="FILE", required=True, help="a new file")
    verify = add("verify", "check a file of evidence, offline")
    verify.add_argument("file", metavar="FILE", help="the file; - for stdin")
    verify.add_argument("--chain", metavar="FILE", help="the book's public chain, if the file does not hold it")


def run(context: Context) -> int:
    """List, export or verify."""
    if context.args.action == "verify":
        return _verify(context)
    from e2esync.client.naming import with_names
    from e2esync.replica.findings import EVIDENCE
    from e2esync.wire import decode

    rows = context.book().store.kept(EVIDENCE)
    if context.args.action == "export":
        found = [row for row in rows if row.key.hex().startswith(context.args.name.lower())]
        if len(found) != 1:
            raise NotFound(f"no evidence is named {context.args.name}, or more than one is", "`e2esync evidence list`")
        from e2esync.log.evidence import with_chain

        content = with_chain(decode(found[0].value)[2], context.book().replica.store.records())
        write_private(context.args.output, content, replace=False)
        context.out.result(name=found[0].key, bytes=len(content))
        context.out.note(f"{context.args.output}: anybody can check it with `e2esync evidence verify`")
        return OK
    items = [(row.key.hex(), *decode(row.value)[:2], row.time) for row in rows]
    context.out.result(evidence=[{"name": name, "code": code, "message": message, "time": moment}
                                 for name, code, message, moment in items])
    if not context.out.json and items:
        replica = context.book().replica
        context.out.data(*(f"{name}  {with_names(replica, message)} ({code}, {ago(moment, context.now())})"
                           for name, code, message, moment in items))
    elif not items:
        context.out.note("there is none: no two signatures contradict each other")
    return OK


def _verify(context: Context) -> int:
    from e2esync.epoch.shape import items
    from e2esync.limits import EVIDENCE_MAX
    from e2esync.log.evidence import verify_evidence
    from e2esync.wire import decode

    args = context.args
    try:
        chain = decode(read_input(args.chain), limit=EVIDENCE_MAX) if args.chain else []
        proof = verify_evidence(read_input(args.file), items(chain, EVIDENCE_MAX, "a chain"))
    except WireError as error:
        raise WireError(f"{args.file} is no evidence that `e2esync evidence export` wrote: {error.message}",
                        "ask whoever sent it for the file once more") from None
    says = KINDS[proof.kind].format(epoch=proof.epoch, position=proof.position, member=proof.member)
    context.out.result(kind=int(proof.kind), set_id=proof.set_id, epoch=proof.epoch, position=proof.position,
                       member=proof.member, key=proof.key, says=says)
    if not context.out.json:
        context.out.data(f"proved  {says}", f"book    {proof.set_id.hex()}", f"key     {proof.key.hex()}")
    return OK
