"""Which CI runs this, for whom and where its page is, from a mapping of environment variables. Pure.

Called by cli.wiring, which alone reads the environment. Posting to code hosts is a later part of this package.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Continuous(NamedTuple):
    """A CI run, as far as its variables tell."""

    platform: str
    actor: str | None = None
    run_url: str | None = None
    workflow: str | None = None

    def document(self) -> dict[str, str]:
        """Members that are known, as a deployment manifest shows them."""
        return {name: value for name, value in self._asdict().items() if value}


Variables = Mapping[str, str]


def detect(variables: Variables) -> Continuous | None:
    """The CI that set these variables, or None on a person's machine."""
    for marker, describe in _PLATFORMS.items():
        if _true(variables.get(marker)):
            return describe(variables)
    return Continuous("unknown") if _true(variables.get("CI")) else None


def _true(value: str | None) -> bool:
    return bool(value) and (value or "").lower() not in ("0", "false", "no")


def _github(v: Variables) -> Continuous:
    page = None
    if v.get("GITHUB_REPOSITORY") and v.get("GITHUB_RUN_ID"):
        server = v.get("GITHUB_SERVER_URL", "https://github.com")
        page = f"{server}/{v['GITHUB_REPOSITORY']}/actions/runs/{v['GITHUB_RUN_ID']}"
    return Continuous("github", v.get("GITHUB_ACTOR"), page, v.get("GITHUB_WORKFLOW"))


def _gitlab(v: Variables) -> Continuous:
    return Continuous("gitlab", v.get("GITLAB_USER_LOGIN"), v.get("CI_JOB_URL"), v.get("CI_JOB_NAME"))


def _azure(v: Variables) -> Continuous:
    page = None
    if v.get("SYSTEM_COLLECTIONURI") and v.get("SYSTEM_TEAMPROJECT") and v.get("BUILD_BUILDID"):
        page = f"{v['SYSTEM_COLLECTIONURI']}{v['SYSTEM_TEAMPROJECT']}/_build/results?buildId={v['BUILD_BUILDID']}"
    return Continuous("azure", v.get("BUILD_REQUESTEDFOREMAIL"), page, v.get("BUILD_DEFINITIONNAME"))


def _bitbucket(v: Variables) -> Continuous:
    page = None
    if v.get("BITBUCKET_GIT_HTTP_ORIGIN"):
        page = f"{v['BITBUCKET_GIT_HTTP_ORIGIN']}/pipelines/results/{v['BITBUCKET_BUILD_NUMBER']}"
    return Continuous("bitbucket", v.get("BITBUCKET_STEP_TRIGGERER_UUID"), page)


def _jenkins(v: Variables) -> Continuous:
    return Continuous("jenkins", v.get("BUILD_USER_ID"), v.get("BUILD_URL"), v.get("JOB_NAME"))


def _buildkite(v: Variables) -> Continuous:
    return Continuous("buildkite", v.get("BUILDKITE_BUILD_CREATOR_EMAIL"), v.get("BUILDKITE_BUILD_URL"))


def _circle(v: Variables) -> Continuous:
    return Continuous("circleci", v.get("CIRCLE_USERNAME"), v.get("CIRCLE_BUILD_URL"), v.get("CIRCLE_JOB"))


def _teamcity(v: Variables) -> Continuous:
    return Continuous("teamcity", None, v.get("BUILD_URL"), v.get("TEAMCITY_BUILDCONF_NAME"))


_PLATFORMS: dict[str, Callable[[Variables], Continuous]] = {
    "GITHUB_ACTIONS": _github,
    "GITLAB_CI": _gitlab,
    "TF_BUILD": _azure,
    "BITBUCKET_BUILD_NUMBER": _bitbucket,
    "JENKINS_URL": _jenkins,
    "BUILDKITE": _buildkite,
    "CIRCLECI": _circle,
    "TEAMCITY_VERSION": _teamcity,
}
