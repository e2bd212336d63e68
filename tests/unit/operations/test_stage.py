"""How much code a snapshot may hold: bundlectl.snapshot_limit, for a commit and for files on disk."""

import pytest

from bundlectl.model.errors import InputError
from bundlectl.operations.code_size import bytes_text, snapshot_key
from bundlectl.operations.load import load, load_for_validation
from bundlectl.operations.stage import snapshot_digest
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle

LIMITED = bundle(etl="a").replace("{backend: local}", "{backend: local, snapshot_limit: 3000}")


@pytest.mark.parametrize("committed", [True, False])
def test_more_code_than_a_snapshot_may_hold_is_refused(
    repository: RepositoryBuilder, new_context: ContextMaker, committed: bool
) -> None:
    repository.commit("first", {"databricks.yml": LIMITED, "src/a.py": "x = 1\n"})
    repository.write({"data/big.bin": b"0" * 2048, "data/small.bin": b"1" * 1024})
    if committed:
        repository.commit("data")
    told = (
        "3 KiB to sync, at most 2.9 KiB; largest:"
        ' "data/big.bin" (2 KiB), "data/small.bin" (1 KiB), "src/a.py" (6 bytes)'
    )
    context = new_context(worktree=not committed)
    with pytest.raises(InputError) as refused:
        snapshot_digest(context, load(context))
    assert (refused.value.code, refused.value.summary) == ("BND289", told)
    loading = load_for_validation(new_context())
    assert loading.loaded.bundle is None
    (finding,) = loading.loaded.diagnostics
    assert (finding.code, finding.summary) == ("BND289", told)


def test_a_limit_that_is_lowered_is_looked_at_again(repository: RepositoryBuilder, new_context: ContextMaker) -> None:
    repository.commit("first", {"databricks.yml": LIMITED, "src/a.py": "x = 1\n"})
    context = new_context()
    loading = load(context)
    digest = snapshot_digest(context, loading)
    assert digest is not None
    assert snapshot_digest(context, loading) == digest
    repository.commit("less", {"databricks.yml": LIMITED.replace("3000", "5")})
    lowered = new_context()
    assert snapshot_key(load(lowered).loaded) != snapshot_key(loading.loaded)
    with pytest.raises(InputError, match="6 bytes to sync, at most 5 bytes"):
        snapshot_digest(lowered, load(lowered))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1 << 30, "1 GiB"),
        (3 << 29, "1.5 GiB"),
        (5 << 19, "2.5 MiB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert bytes_text(count) == text
