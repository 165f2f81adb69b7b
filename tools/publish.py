"""`make publish`: sets the repository's address, and what follows from it.

The address and the tag stand in one place, `repository` of `_config.yml`;
the badges and links of every notebook are made from it.
"""

import argparse
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import environment
from tools.stop import Stop

ADDRESS = re.compile(
    r"https://github\.com/[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"/[A-Za-z0-9._-]+"
)
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
UNPUBLISHED_BRANCH = "main"


def main(arguments: Sequence[str]) -> int:
    """Set or remove the address, then make the notebooks' badges again."""
    parser = argparse.ArgumentParser(prog="python -m tools publish")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="https://github.com/ORG/REPO")
    where.add_argument(
        "--withdraw", action="store_true", help="remove the address"
    )
    parser.add_argument("--tag", help="default: v and the library's version")
    options = parser.parse_args(arguments)
    url = "" if options.withdraw else checked_address(options.url)
    tag = UNPUBLISHED_BRANCH if options.withdraw else checked_tag(options.tag)
    environment.enter("all")
    require_in_step()
    publish(environment.ROOT, url, tag, remake_notebooks)
    return 0


def publish(
    root: Path, url: str, tag: str, remake: Callable[[], object]
) -> None:
    """Write the address and the tag into `_config.yml`, then remake.

    Args:
        root: the checkout.
        url: the repository's address; empty withdraws it.
        tag: what the links are pinned to.
        remake: makes the notebooks again; on an error the file is restored.
    """
    config = root / "_config.yml"
    before = config.read_text(encoding="utf-8")
    config.write_text(with_repository(before, url, tag), encoding="utf-8")
    try:
        remake()
    except BaseException:
        config.write_text(before, encoding="utf-8")
        raise
    if url:
        print(f"Badges and links now lead to {url} at {tag}. Next: commit,")
        print(f"`git tag {tag}`, push both; the links work from then on.")
    else:
        print("The address is gone, and with it all badges and links.")


def require_in_step() -> None:
    """Stop unless every notebook is what its source gives.

    Only then can the badges change alone, without running anything.
    """
    from tools.notebooks import cli

    if cli.main(["--check"]):
        raise Stop(
            "Not every notebook is what its source gives (see above): run "
            "`make notebooks` first. Nothing was changed."
        )


def remake_notebooks() -> None:
    """Call the builder on every source; it may run no code for this."""
    from tools.notebooks import cli

    if cli.main(["--no-execute"]):
        raise Stop(
            "The notebooks could not be made (see above): _config.yml is "
            "as it was."
        )


def checked_address(url: str) -> str:
    """Return the address in its plain form.

    Raises:
        Stop: it is not the address of a repository on GitHub, the only
            place that the notebook hosts' links can open from.
    """
    plain = url.strip().removesuffix("/").removesuffix(".git")
    if not ADDRESS.fullmatch(plain):
        raise Stop(
            f"{url!r} is not a repository's address: it must read "
            f"https://github.com/ORG/REPO, for example "
            f"`make publish URL=https://github.com/our-org/our-book`."
        )
    return plain


def checked_tag(tag: str | None) -> str:
    """Return the tag, or the library's version as one when none is given."""
    if tag is None:
        project = environment.ROOT / "pyproject.toml"
        settings = tomllib.loads(project.read_text(encoding="utf-8"))
        return f"v{settings['project']['version']}"
    if not TAG.fullmatch(tag) or ".." in tag:
        raise Stop(f"{tag!r} is not a tag's name: use letters, digits, . - _")
    return tag


def with_repository(config: str, url: str, tag: str) -> str:
    """Return the settings with this address and tag, all else untouched."""
    text = set_key(config, "url", url)
    return set_key(text, "branch", tag)


def set_key(config: str, key: str, value: str) -> str:
    """Set one key of the block `repository:`."""
    pattern = re.compile(
        rf"(^repository:\n(?:[ \t]+.*\n|[ \t]*#.*\n|\n)*?[ \t]+{key}:)[^\n#]*",
        re.MULTILINE,
    )
    text, count = pattern.subn(
        lambda found: f'{found.group(1)} "{value}"', config, count=1
    )
    if not count:
        raise Stop(f"_config.yml has no `{key}:` under `repository:`.")
    return text
