"""Calls that a workspace answers beside jobs: who asks, permissions, workspace files, objects by name.

Called by databricks, through the client's exchange: the same errors, the same transport.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from bundlectl.backends.jobs_api.answers import Call, unusable
from bundlectl.backends.jobs_api.client import JobsClient, number
from bundlectl.model.errors import NotFound

_WORKSPACE: Final = "/api/2.0/workspace"


class _Listing(NamedTuple):
    """How the objects of a lookup's kind are listed."""

    path: str
    member: str
    name: str
    id: str


_LISTINGS: Final[Mapping[str, _Listing]] = {
    "cluster": _Listing("/api/2.1/clusters/list", "clusters", "cluster_name", "cluster_id"),
    "cluster_policy": _Listing("/api/2.0/policies/clusters/list", "policies", "name", "policy_id"),
    "instance_pool": _Listing(
        "/api/2.0/instance-pools/list", "instance_pools", "instance_pool_name", "instance_pool_id"
    ),
    "warehouse": _Listing("/api/2.0/sql/warehouses", "warehouses", "name", "id"),
    "pipeline": _Listing("/api/2.0/pipelines", "statuses", "name", "pipeline_id"),
    "service_principal": _Listing(
        "/api/2.0/preview/scim/v2/ServicePrincipals", "Resources", "displayName", "applicationId"
    ),
}


class WorkspaceCalls:
    """A workspace's own routes."""

    def __init__(self, client: JobsClient) -> None:
        self._client = client

    def me(self) -> tuple[str, str | None]:
        """Name of who asks, and id of the workspace."""
        call = Call("say who is asking")
        answer, document = self._client.ask(call, "GET", "/api/2.0/preview/scim/v2/Me")
        name = document.get("userName")
        if not isinstance(name, str):
            raise unusable(answer, call, self._client.place, missing="userName")
        return name, answer.workspace

    # Permissions

    def permissions(self, id: str) -> dict[str, Any]:
        """As the permissions API gives them. Raises NotFound."""
        call = Call(f"read the permissions of job {id}")
        return self._client.ask(call, "GET", f"/api/2.0/permissions/jobs/{number(id, 'job')}")[1]

    def set_permissions(self, id: str, entries: Sequence[Mapping[str, Any]], key: str) -> None:
        """Replaces all that are not inherited; sending it twice does no harm."""
        call = Call(f"set the permissions of jobs.{key}", writes=True)
        body = {"access_control_list": list(entries)}
        self._client.ask(call, "PUT", f"/api/2.0/permissions/jobs/{number(id, 'job')}", document=body)

    # Files

    def exists(self, path: str) -> bool:
        """Whether there is an object with this path."""
        try:
            self._client.ask(Call(f'look for "{path}"'), "GET", f"{_WORKSPACE}/get-status", query={"path": path})
        except NotFound:
            return False
        return True

    def list(self, path: str) -> list[str]:
        """Paths of what lies in a folder; nothing for one that is not there."""
        call = Call(f'list "{path}"')
        try:
            answer, document = self._client.ask(call, "GET", f"{_WORKSPACE}/list", query={"path": path})
        except NotFound:
            return []
        objects = document.get("objects", [])
        try:
            return [str(each["path"]) for each in objects]
        except (TypeError, KeyError):
            raise unusable(answer, call, self._client.place, missing="objects with a path") from None

    def make_folder(self, path: str) -> None:
        call = Call(f'make the folder "{path}"', writes=True)
        self._client.ask(call, "POST", f"{_WORKSPACE}/mkdirs", document={"path": path})

    def send_file(self, path: str, content: bytes) -> None:
        """The same content again does no harm."""
        call = Call(f'send "{path}"', writes=True)
        route = f"/api/2.0/workspace-files/import-file/{quote(path.lstrip('/'), safe='')}"
        self._client.ask(call, "POST", route, query={"overwrite": "true"}, document=content)

    # Objects by name

    def named(self, kind: str, name: str) -> tuple[str, ...] | None:
        """Ids of the objects of a kind that have exactly this name; None for a kind that is not known here."""
        listing = _LISTINGS.get(kind)
        if listing is None:
            return None
        call = Call(f"list every {kind}")
        found: list[str] = []
        for answer, page in self._client.pages(call, listing.path, {}):
            objects = page.get(listing.member) or []
            if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
                raise unusable(answer, call, self._client.place, missing=listing.member)
            found += [
                str(each[listing.id]) for each in objects if each.get(listing.name) == name and listing.id in each
            ]
        return tuple(found)
