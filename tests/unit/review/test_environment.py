"""Which CI is recognised, and what it tells of a run."""

import pytest

from bundlectl.review.environment import Continuous, detect


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"CI": "false"}, None),
        ({"CI": "true"}, Continuous("unknown")),
        (
            {
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "acme/jobs",
                "GITHUB_RUN_ID": "8130",
                "GITHUB_ACTOR": "ann",
            },
            Continuous("github", "ann", "https://github.com/acme/jobs/actions/runs/8130"),
        ),
        ({"GITHUB_ACTIONS": "true"}, Continuous("github")),
        (
            {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ann", "CI_JOB_URL": "https://x/1", "CI_JOB_NAME": "deploy"},
            Continuous("gitlab", "ann", "https://x/1", "deploy"),
        ),
        (
            {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_GIT_HTTP_ORIGIN": "https://b/x"},
            Continuous("bitbucket", None, "https://b/x/pipelines/results/7"),
        ),
    ],
)
def test_detect(variables: dict[str, str], expected: Continuous | None) -> None:
    assert detect(variables) == expected


def test_a_ci_document_has_only_what_is_known() -> None:
    assert Continuous("gitlab", "ann").document() == {"platform": "gitlab", "actor": "ann"}
