"""State commits signed with ssh keys: made and checked by git, with nothing of a repository's own settings."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.base.clock import FrozenClock
from bundlectl.git.chain import Committed
from bundlectl.git.command import Git
from bundlectl.git.repository import discover
from bundlectl.git.signing import Signer
from bundlectl.model.errors import Refused
from bundlectl.state.git_store import GitStateStore
from bundlectl.state.store import Note
from tests.builders import RepositoryBuilder
from tests.contract.state_suite import BUNDLE, TARGET, begin, deploy, deployment_id, end, intent
from tests.git_server import bare_repository
from tests.remotes import Client


class Keys:
    """A home folder with git settings, and keys of people."""

    def __init__(self, environment: dict[str, str]) -> None:
        # As bundlectl gives it to git: the home folder decides, no variable of the invoker's.
        self.environment = {name: value for name, value in environment.items() if not name.startswith("GIT_CONFIG")}
        self.home = Path(environment["HOME"])
        self.allowed = self.home / "allowed"
        self.home.mkdir(parents=True, exist_ok=True)
        self.allowed.touch()

    def make(self, name: str) -> Path:
        """A key pair; its public file."""
        path = self.home / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(command, check=True, env=self.environment)
        return path.with_name(f"{name}.pub")

    def allow(self, name: str) -> None:
        """Whoever has this key may deploy."""
        with self.allowed.open("a") as file:
            file.write(f"{name}@example.com {(self.home / name).with_name(f'{name}.pub').read_text()}")

    def set(self, **values: str) -> None:
        for name, value in values.items():
            command = ["git", "config", "--global", name.replace("_", "."), value]
            subprocess.run(command, check=True, env=self.environment)

    def use(self, name: str) -> None:
        """This machine signs with this key, and knows who may."""
        self.set(gpg_format="ssh", user_signingKey=str(self.home / f"{name}.pub"))
        self.set(gpg_ssh_allowedSignersFile=str(self.allowed))


@pytest.fixture
def keys(environment: dict[str, str]) -> Keys:
    made = Keys(environment)
    made.make("ann")
    made.make("eve")
    made.allow("ann")
    made.use("ann")
    return made


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def opened(
    keys: Keys, repository: RepositoryBuilder, clock: FrozenClock, told: list[str]
) -> Callable[..., GitStateStore]:
    """Opens the state, as the next process would."""
    repository.commit("first", {"x": "x"})

    def open_store(*, required: bool = True) -> GitStateStore:
        at = discover(repository.folder, keys.environment)
        signer = Signer(at.git, keys.environment, required=required, notify=told.append)
        return GitStateStore(
            at, BUNDLE, TARGET, clock=clock, signer=lambda: signer, require_signed=required, notify=told.append
        )

    return open_store


def _signed(repository: RepositoryBuilder, ref: str) -> list[str]:
    return repository.git("-c", "gpg.ssh.allowedSignersFile=/dev/null", "log", "--format=%G?", ref).split()


def test_every_commit_of_an_apply_is_signed_and_reads_as_before(
    opened: Callable[..., GitStateStore], repository: RepositoryBuilder, clock: FrozenClock, told: list[str]
) -> None:
    deploy(opened(), 1, {"etl": {"name": "etl"}}, clock)
    store = opened()
    found = store.read()
    assert found.deployment is not None and found.deployment.serial == 1
    assert _signed(repository, store.ref) == ["U", "U"]
    assert store.documents(found.version, ["etl"]) == {"etl": {"name": "etl"}}
    entries = [(entry.verb, entry.manifest is not None) for entry in store.history()]
    assert entries == [("apply-end", True), ("apply-begin", False)]
    authors = repository.git("log", "--format=%an <%ae> %ad|%cn <%ce> %cd", "--date=raw", store.ref)
    assert authors.splitlines()[0] == "|".join(["bundlectl <bundlectl@localhost> 1767225600 +0000"] * 2)
    repository.git("fsck", "--full", "--strict")
    assert told == []


def test_an_unsigned_commit_is_refused_and_accepted_only_by_name(
    opened: Callable[..., GitStateStore], repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    deploy(opened(), 1, {}, clock)
    deploy(opened(required=False), 2, {}, clock)  # commit.gpgSign is not set
    store = opened()
    tip = repository.git("rev-parse", store.ref)
    with pytest.raises(Refused, match=f"state commit {tip[:12]} has no signature that counts: it is not signed") as no:
        store.read()
    assert (no.value.code, no.value.exit_code) == ("BND415", 6)
    assert f"bundlectl state accept-rewrite {tip}" in (no.value.hint or "")
    assert store.newest().version == tip


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"1 created", b"2 created"),
        lambda data: data.replace(b"gpgsig -----BEGIN SSH", b"gpgsig -----BEGIN XXX"),
    ],
)
def test_a_commit_that_was_changed_after_it_was_signed(
    opened: Callable[..., GitStateStore],
    repository: RepositoryBuilder,
    clock: FrozenClock,
    damage: Callable[[bytes], bytes],
) -> None:
    deploy(opened(), 1, {}, clock)
    store = opened()
    data = subprocess.run(
        ["git", "-C", str(repository.folder), "cat-file", "commit", store.ref], check=True, capture_output=True
    ).stdout
    assert damage(data) != data
    forged = subprocess.run(
        ["git", "-C", str(repository.folder), "hash-object", "-w", "-t", "commit", "--stdin"],
        input=damage(data),
        check=True,
        capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    repository.git("update-ref", store.ref, forged)
    with pytest.raises(Refused) as no:
        store.read()
    assert no.value.code == "BND415"


def test_a_key_that_nobody_allowed(opened: Callable[..., GitStateStore], keys: Keys, clock: FrozenClock) -> None:
    keys.use("eve")
    begun = begin(opened(), opened().read(), intent(deployment_id(1)), clock)
    assert begun.version is not None
    with pytest.raises(Refused, match="has no signature that counts") as no:
        opened().read()
    assert "gpg.ssh.allowedSignersFile" in (no.value.hint or "")
    keys.allow("eve")
    end(opened(), opened().read(), {}, clock)
    assert opened().read().deployment is not None


def test_a_file_of_allowed_signers_that_only_the_repository_names_counts_for_nothing(
    opened: Callable[..., GitStateStore], keys: Keys, repository: RepositoryBuilder, clock: FrozenClock
) -> None:
    deploy(opened(), 1, {}, clock)
    keys.set(gpg_ssh_allowedSignersFile="/dev/null")
    repository.git("config", "gpg.ssh.allowedSignersFile", str(keys.allowed))
    with pytest.raises(Refused, match="has no signature that counts"):
        opened().read()


def test_no_program_that_the_repository_names_is_run(
    opened: Callable[..., GitStateStore], repository: RepositoryBuilder, clock: FrozenClock, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {canary}\nexit 1\n")
    script.chmod(0o755)
    for name in ("gpg.program", "gpg.ssh.program", "gpg.openpgp.program", "gpg.x509.program"):
        repository.git("config", name, str(script))
    repository.git("config", "gpg.ssh.defaultKeyCommand", str(script))
    repository.git("config", "gpg.format", "openpgp")
    repository.git("config", "user.signingKey", "nobody")
    deploy(opened(), 1, {}, clock)
    assert opened().read().deployment is not None
    assert not canary.exists()


def test_without_a_key_a_demanded_signature_stops_the_first_write(
    opened: Callable[..., GitStateStore], keys: Keys, clock: FrozenClock
) -> None:
    subprocess.run(["git", "config", "--global", "--unset", "user.signingKey"], check=True, env=keys.environment)
    with pytest.raises(Refused, match=r"could not be signed: user\.signingKey is not set") as no:
        begin(opened(), opened().read(), intent(deployment_id(1)), clock)
    assert no.value.code == "BND415"
    assert opened().read().version is None
    keys.set(user_signingKey=str(keys.home / "gone.pub"))
    with pytest.raises(Refused, match="could not be signed"):
        begin(opened(), opened().read(), intent(deployment_id(1)), clock)


def test_who_signs_commits_signs_these_too_and_who_cannot_is_told_once(
    opened: Callable[..., GitStateStore], keys: Keys, repository: RepositoryBuilder, clock: FrozenClock, told: list[str]
) -> None:
    store = opened(required=False)
    deploy(store, 1, {}, clock)
    assert _signed(repository, store.ref) == ["N", "N"]
    keys.set(commit_gpgSign="true")
    deploy(opened(required=False), 2, {}, clock)
    assert _signed(repository, store.ref) == ["U", "U", "N", "N"]
    keys.set(user_signingKey=str(keys.home / "gone.pub"))
    deploy(opened(required=False), 3, {}, clock)
    assert _signed(repository, store.ref) == ["N", "N", "U", "U", "N", "N"]
    assert len(told) == 1
    assert told[0].startswith("state commits are not signed: ")


def test_signed_state_on_a_remote(keys: Keys, tmp_path: Path, clock: FrozenClock) -> None:
    far = bare_repository(tmp_path / "far.git", keys.environment)
    ann, bob = (Client(tmp_path / name, str(far), keys.environment, form="ref", clock=clock) for name in ("a", "b"))
    ann.require_signed = bob.require_signed = True
    deploy(ann.store(), 1, {"etl": {"name": "etl"}}, clock)
    assert bob.store().read().deployment is not None
    eve = Client(tmp_path / "e", str(far), keys.environment, form="ref", clock=clock)
    found = eve.store().read()
    assert found.deployment is not None
    note_commit = deploy(eve.store(), 2, {"etl": {"name": "other"}}, clock)
    with pytest.raises(Refused, match="it is not signed"):
        bob.store().read()
    # What is accepted by name is signed over.
    store = bob.store()
    newest = store.newest()
    assert newest.version == note_commit.version and newest.deployment is not None
    done = store.cas(newest, newest.deployment, Note("accept-rewrite", deployment_id(3), "looked at it"))
    assert isinstance(done, Committed)
    assert ann.store().read().version == done.version
    git = Git(far, keys.environment, git_dir=far, any_bare=True)
    git.run(["fsck", "--full", "--strict"])
