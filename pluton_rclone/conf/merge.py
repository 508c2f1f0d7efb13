"""Which of two tokens of one remote is the later one, and what a merge may bring back. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pluton_rclone.remote.pairs import MARK, drive_of
from pluton_rclone.values.drive_ids import normal_drive_id
from pluton_rclone.values.token_text import SIGN_IN, TOKEN, is_later, is_whole, token_digest

from .ini import Document

# If one of these changed, a token that was refreshed before is another account's or app's.
_BELONGS_TO = ("type", "client_id", "tenant", "region", "drive_id", "token_url", SIGN_IN)


def _owner(section: Mapping[str, str]) -> list[str]:
    """What its token is for, in the one form in which two sections can be compared: a repair spells
    the drive's id as Microsoft does now, and writes the region that rclone leaves out."""
    alike = {"drive_id": normal_drive_id(section.get("drive_id", ""))}
    alike["region"] = section.get("region") or "global"
    return [alike.get(key) or section.get(key, "") for key in _BELONGS_TO]


def is_same_storage(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a name that had the section `before` still stands for that storage. A new drive alone
    or a new sign-in alone changes a storage; both together make another one."""
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
    """The candidate section's token if it is a later one for the same account and app. `base` is
    the digest of the token that the candidate was refreshed from, where that is known: while the
    current section still has that one, the candidate is later, also if its times are not."""
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
    """The document with every token of the source that was issued later; `bases` as in
    `later_token`, by name. A remote that was renamed meanwhile is found by its sign-in, or by what
    became of its pair."""
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
            # whole: in a loan, what a section inherits and expands is written out
            token = later_token(present, source.whole_section(name), base=base)
            if token is not None:
                document = document.changed(target, {TOKEN: token})
    return document


def adopted(mine: Document, *, ancestor: Document, theirs: Document) -> Document:
    """`mine` with the changes in `theirs` to `ancestor`: new sections, changed keys, later tokens.
    Nothing is taken away: they may have read the file before it was there."""
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
    """The document with our change from `before` to `after` made again where it fell back to what
    was before. What has a third value was changed by another program since, and stays."""
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
