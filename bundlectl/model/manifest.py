"""Run and deployment manifests: records good enough to verify and to run again (D7).

Inputs and outcome are apart: equal inputs give an equal `inputs_digest`, whoever ran them, whenever. Documents are
plain JSON objects in the published formats; this module holds their formats and the one rule of what is digested.
"""

from typing import Any

from bundlectl.base.digest import digest_document

RUN_FORMAT = "bundlectl.run-manifest/v1"
DEPLOYMENT_FORMAT = "bundlectl.deployment/v1"

# Members of `inputs` that say where a run came from, not what it was. A rebase or a promotion leaves the rest alone.
_ORIGIN = ("target", "deployment")
_SOURCE_ORIGIN = ("commit", "dirty")


def inputs_digest(inputs: dict[str, Any]) -> str:
    """Digest over what determines a run: `inputs` without target, deployment, source.commit and source.dirty."""
    kept = {name: value for name, value in inputs.items() if name not in _ORIGIN}
    source = kept.get("source")
    if isinstance(source, dict):
        kept["source"] = {name: value for name, value in source.items() if name not in _SOURCE_ORIGIN}
    return digest_document(kept)


def open_manifest(inputs: dict[str, Any]) -> dict[str, Any]:
    """A manifest before its run has started: inputs and their digests, no outcome."""
    return {
        "format": RUN_FORMAT,
        "inputs": inputs,
        "inputs_digest": inputs_digest(inputs),
        "inputs_full_digest": digest_document(inputs),
    }


def seal(manifest: dict[str, Any], outcome: dict[str, Any], at: str) -> dict[str, Any]:
    """The manifest with its outcome, sealed at `at` (RFC 3339). The given manifest stays as it is."""
    return {**manifest, "outcome": outcome, "outcome_digest": digest_document(outcome), "sealed": at}
