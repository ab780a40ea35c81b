"""Private folders and files, for the programs that write on a host."""

import os


def secure_folder(path: str) -> None:
    """Makes a private folder in a private folder; one of somebody else under our name is refused, not used."""
    for one in (os.path.dirname(path), path):
        os.makedirs(one, mode=0o700, exist_ok=True)
        if os.path.islink(one) or os.stat(one).st_uid != os.getuid():
            raise SystemExit(f"{one} belongs to somebody else")
        os.chmod(one, 0o700)


def write_private(path: str, text: str) -> None:
    """Whole or not at all, and readable by us alone from the first byte on."""
    scratch = f"{path}.new"
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(scratch, path)


def remove_if_empty(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass
