"""Which of a remote's two tokens is later, and what a merge may restore. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from pluton_rclone.remote.pairs import MARK, drive_of
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.token_text import SIGN_IN, TOKEN, is_later, is_whole, token_digest

from .ini import Document

# If one of these has changed, an earlier token belongs to another account or app.
_BELONGS_TO = ("type", "client_id", "tenant", "region", "drive_id", "token_url", SIGN_IN)


def _owner(section: Mapping[str, str]) -> list[str]:
    """What the section's token is for, in a comparable form: a repair writes the drive's id as
    Microsoft spells it now, and the region, which rclone omits."""
    alike = {"drive_id": normal_drive_id(section.get("drive_id", ""))}
    alike["region"] = section.get("region") or "global"
    return [alike.get(key) or section.get(key, "") for key in _BELONGS_TO]


def is_same_storage(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a name that had the section `before` still means that storage. With only a new drive,
    or only a new sign-in, it is the same storage; with both, it is another one."""
    if before.get(SIGN_IN) and before.get(SIGN_IN) == now.get(SIGN_IN):
        return True
    (drive, account), others = (
        (normal_drive_id(one.get("drive_id", "")), one.get("pluton_account_id", ""))
        for one in (before, now)
    )
    return (drive, account) == others


def later_token(
    current: Mapping[str, str], candidate: Mapping[str, str], *, base: str | None = None
) -> str | None:
    """The candidate's token if it is later, and for the same account and app. `base` is the digest
    of the token that the candidate was refreshed from, if known: while the current section still
    has that token, the candidate is later, even if its times are not."""
    token = candidate.get(TOKEN)
    present = current.get(TOKEN)
    if token is None or token == present or token_digest(token) == base or not is_whole(token):
        return None
    if _owner(current) != _owner(candidate):
        return None
    if present is None or not is_whole(present) or token_digest(present) == base:
        return token
    return token if is_later(token, present) else None


def with_later_tokens(
    document: Document, source: Document, *, bases: Mapping[str, str] | None = None
) -> Document:
    """The document with every later token of the source; `bases` has the `base` for `later_token`
    by name. A remote that was renamed meanwhile is found by its sign-in, or by the mark of its
    pair."""
    for name, candidate in source.sections.items():
        targets, sign_in = [drive_of(document.sections, name)], candidate.get(SIGN_IN)
        if name not in document:
            known = {one: its.get(SIGN_IN) for one, its in document.sections.items()}
            targets = [other for other, its in known.items() if sign_in and its == sign_in]
            owner = candidate.get(MARK, "").partition(":")[0]
            targets = targets or [owner] * (owner in document)
        for target in targets:
            if candidate.get(TOKEN) in (None, document.sections[target].get(TOKEN)):
                continue
            present, base = document.whole_section(target), (bases or {}).get(name)
            # whole, because a loan contains inherited keys and expanded variables
            token = later_token(present, source.whole_section(name), base=base)
            if token is not None:
                document = document.changed(target, {TOKEN: token})
    return document


def adopted(mine: Document, *, ancestor: Document, theirs: Document) -> Document:
    """`mine` with the changes from `ancestor` to `theirs`: new sections, changed keys, later
    tokens. Nothing is removed: they may have read the file before we added it."""
    result = with_later_tokens(mine, theirs)
    for name, section in theirs.sections.items():
        if name in ancestor and name in mine:
            old, now = ancestor.sections[name], mine.sections[name]
            theirs_alone = [key for key in section if key != TOKEN and now.get(key) == old.get(key)]
            result = result.changed(name, {key: section[key] for key in theirs_alone})
        elif name not in ancestor and name not in result and section:
            result = result.with_section(name, section)
    return result


def repaired_section(
    document: Document, name: str, *, before: Document, after: Document
) -> Document:
    """The document with our change from `before` to `after` repeated where it has been undone. A
    third value is a later change of another program, and stays."""
    old, new, now = (one.sections.get(name) for one in (before, after, document))
    if now == new:
        return document
    if new is None:
        is_old = {**(now or {}), TOKEN: ""} == {**(old or {}), TOKEN: ""}
        return document.without_section(name) if is_old else document
    if now is None:
        return document.with_section(name, new) if old is None else document
    token = later_token(now, new)
    fallen = {
        key: new.get(key)
        for key in {**(old or {}), **new}
        if new.get(key) != (old or {}).get(key) == now.get(key)
    }
    return document.changed(name, fallen if token is None else {**fallen, TOKEN: token})
