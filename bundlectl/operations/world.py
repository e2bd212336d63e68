"""Bundle, target, recorded state and backend of one command: what run, runs, history and summary start from.

These verbs speak of what is deployed. The bundle only tells them its name, its target and where the backend is, so a
working tree that does not load is no obstacle while the last commit does.
"""

from dataclasses import replace
from typing import NamedTuple

from bundlectl.backends.base import Backend
from bundlectl.git.repository import Repository
from bundlectl.model.bundle import Bundle
from bundlectl.model.deployment import Deployment
from bundlectl.model.errors import NotFound
from bundlectl.operations.context import OperationContext, Source
from bundlectl.operations.load import load_for_validation
from bundlectl.state.store import Recorded, RunRecords, StateStore


class World(NamedTuple):
    """What is deployed, and where."""

    repository: Repository
    bundle: Bundle
    store: StateStore
    runs: RunRecords
    recorded: Recorded
    backend: Backend

    @property
    def deployed(self) -> Deployment:
        """Recorded state. Raises NotFound before the first deploy."""
        deployment = self.recorded.deployment
        if deployment is None or deployment.deployed is None:
            raise NotFound(
                f'nothing is deployed to target "{self.bundle.target.name}" yet',
                hint=f"bundlectl deploy -t {self.bundle.target.name}",
            )
        return deployment

    @property
    def deployed_or_bound(self) -> Deployment:
        """Recorded state, also when no bundle was deployed yet and jobs are bound. Raises NotFound before that."""
        deployment = self.recorded.deployment
        return deployment if deployment is not None and deployment.jobs else self.deployed


def open_world(context: OperationContext) -> World:
    """Finds bundle and target and reads the recorded state. Raises RepositoryError, InputError, StateError."""
    repository, bundle = find_bundle(context)
    store = context.open_store(repository, bundle)
    runs = context.open_runs(repository, bundle)
    return World(repository, bundle, store, runs, store.read(), context.open_backend(bundle))


def find_bundle(context: OperationContext) -> tuple[Repository, Bundle]:
    """The bundle whose deployments are meant, and its repository. Raises RepositoryError, InputError."""
    loading = load_for_validation(context, run_code=False)
    repository = loading.home
    bundle = loading.loaded.bundle
    if bundle is None and context.source.ref is None and repository.head_commit is not None:
        committed = load_for_validation(replace(context, source=Source(ref="HEAD")), run_code=False)
        bundle = committed.loaded.bundle
    if bundle is None:
        raise loading.failure(loading.loaded.diagnostics.settled(planning=True))
    return repository, bundle
