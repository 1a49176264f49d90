"""Names of Debian's packages pass through here and become a lock, with all that they depend on."""

import hashlib
import logging
import os
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from vnb.errors import HostError, UsageError
from vnb.images import lock as locks
from vnb.images import mirror as mirrors
from vnb.images import release
from vnb.images.lock import Lock, Package

log = logging.getLogger(__name__)

# What only the scripts of other packages need, which dpkg runs when it sets them up; here no
# package is set up, and busybox serves for the shell and its commands.
_FOR_SCRIPTS = frozenset({"adduser", "cdebconf", "debconf", "dpkg", "init-system-helpers", "ucf"})


def chosen(
    packages: Iterable[str],
    path: str | os.PathLike[str] | None,
    mirror: str | None,
    progress: bool = True,
) -> Lock:
    """The lock in force with those packages in it and all that they depend on.

    What they depend on is looked up in the mirror's lists once, and recorded: in the file at path,
    else for this user, by the lock in force and the names. What is recorded counts from then on.
    UsageError where the archive has no such package, or the file at path does not name it.
    """
    names, base = _checked(packages), locks.current()
    if not names and path is None:
        return base
    record = Path(path).expanduser() if path is not None else _recorded(base, names)
    if record.exists():
        found = locks.read(record)
        if lacking := sorted(names - {package.name for package in found.packages}):
            raise UsageError(
                f"lock={str(record)!r} names no {', '.join(lacking)}: without that file it is "
                "written anew, with the packages that there are now"
            )
        return found
    found = _extended(base, names, mirror, progress) if names else base
    locks.write(found, record)
    return found


def _checked(packages: Iterable[str]) -> frozenset[str]:
    if isinstance(packages, str) or not isinstance(packages, Iterable):
        raise UsageError(f'packages={packages!r}: names of Debian packages, as ("e2fsprogs",)')
    names = frozenset(packages)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"packages: {name!r} is no name of a package")
    return names


def _recorded(base: Lock, names: Collection[str]) -> Path:
    key = hashlib.sha256(" ".join([base.digest, *sorted(names)]).encode()).hexdigest()
    return locks.updated().with_name(f"debian-{key[:16]}.lock.json")


def _extended(base: Lock, names: Collection[str], mirror: str | None, progress: bool) -> Lock:
    found = release.lists(mirrors.find(mirror), progress)
    if not found.signature.startswith("verified"):
        log.warning("the list in which packages were looked up is %s", found.signature)
    have = {package.name for package in base.packages}
    more = [package for package in closure(found.packages, names) if package.name not in have]
    return replace(base, packages=(*base.packages, *more))


def closure(index: release.Index, names: Collection[str]) -> list[Package]:
    """The named packages and all that they need to run, sorted by name.

    Of alternatives, one that is in already, else the first that there is. Versions are not
    compared: an archive has one of each package, and they go together. [Debian Policy 7]
    """
    found: dict[str, Package] = {}
    pending = sorted(names)
    for name in pending:
        if name not in index:
            raise UsageError(f"packages: {_unknown(index, name)}")
    while pending:
        name = pending.pop(0)
        if name in found:
            continue
        facts = index.facts(name)
        found[name] = release.package(facts)
        for clause in release.clauses(f"{facts.get('Pre-Depends', '')},{facts.get('Depends', '')}"):
            able = [one for alternative in clause for one in index.named(alternative)]
            if not _FOR_SCRIPTS.union(found, pending).isdisjoint([*clause, *able]):
                continue
            if not able:
                raise HostError(f"the archive has no {' or '.join(clause)}, which {name} needs")
            pending.append(able[0])
    return [found[name] for name in sorted(found)]


def _unknown(index: release.Index, name: str) -> str:
    if providers := index.named(name):
        return f"{name!r} is no package; it is provided by {', '.join(providers)}: name one"
    there_is = f"; there is {', '.join(like)}" if (like := index.like(name)) else ""
    return f"Debian {release.SUITE} for {release.ARCHITECTURE} has no package {name!r}{there_is}"
