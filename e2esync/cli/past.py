"""What `history`, `diff`, `undo`, `restore` and `trash` share: naming what is gone, showing a plan, carrying it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from e2esync.errors import Ambiguous, NotFound

from .guard import check_removal
from .output import clean

if TYPE_CHECKING:
    from e2esync.client.history import Reversal, Trashed
    from e2esync.client.importing import Planned

    from .context import Context

_LISTED: Final = 20


def find_all(context: Context, selectors: list[str]) -> list[bytes]:
    """The contacts that selectors name, also such as were deleted. Raises NotFound, Ambiguous."""
    return [find(context, selector) for selector in selectors]


def find(context: Context, selector: str) -> bytes:
    """The contact that a selector names, in the book or else in the trash."""
    try:
        return context.find(selector).contact
    except Ambiguous:
        raise
    except NotFound:
        gone = in_trash(context, selector)
        if not gone:
            raise
        return gone[0].contact


def in_trash(context: Context, selector: str) -> list[Trashed]:
    """The one deleted contact that a selector names: part of a name, or the start of a uid; none if none fits.

    Raises Ambiguous where several do.
    """
    from e2esync.client.history import trash
    from e2esync.stores.index import fold

    wanted = fold(selector.strip())
    items = trash(context.book())
    found = [one for one in items if fold(one.name) == wanted or one.uid.removeprefix("urn:uuid:") == selector]
    found = found or [one for one in items if wanted in fold(one.name)
                      or one.uid.removeprefix("urn:uuid:").startswith(selector)]
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} deleted contacts fit {selector!r}", candidates=found)
    return found


def device_names(context: Context) -> dict[int, str]:
    """Who is meant by a member index, for people."""
    return {device.member: "this device" if device.this else device.name for device in context.book().devices()}


def carry_out(context: Context, plan: Reversal) -> int:
    """Show a reversal, ask where it removes much, and carry it out unless it is a dry run."""
    out, dry = context.out, context.args.dry_run
    out.note(*plan_lines(plan))
    if not plan.empty and not dry:
        check_removal(context, [name for _contact, name in plan.gone], ask=False)
        context.book().carry_out(plan)
        out.note("`e2esync undo` takes this back; `e2esync sync` sends it to your other devices")
    out.result(back=_names(plan.back), changed=_names(plan.changed), removed=[name for _contact, name in plan.gone],
               kept=plan.kept, applied=not dry and not plan.empty)
    return 0


def plan_lines(plan: Reversal) -> list[str]:
    """A reversal in words: how many come back, change and leave, and who."""
    if plan.empty and not plan.kept:
        return ["nothing to do: the book is like that already"]
    lines = [f"{len(plan.back):,} come back, {len(plan.changed):,} change, {len(plan.gone):,} leave"]
    for sign, names in (("+", _names(plan.back)), ("~", _names(plan.changed)), ("-", [name for _, name in plan.gone])):
        lines += [f"  {sign} {clean(name, 60) or '(no name)'}" for name in names[:_LISTED]]
        lines += [f"  {sign} and {len(names) - _LISTED:,} more"] if len(names) > _LISTED else []
    if plan.kept:
        shown = ", ".join(clean(name, 60) or "(no name)" for name in plan.kept[:_LISTED])
        lines.append(f"changed since, and left as they are: {shown}"
                     + (f" and {len(plan.kept) - _LISTED:,} more" if len(plan.kept) > _LISTED else ""))
    return lines


def _names(items: list[Planned]) -> list[Any]:
    return [item.name for item in items]
