"""Routes that clients of a whole workspace ask for: files, permissions, who asks, and what an engine has none of.

Loaded by routes when a call is none of its own, so that a plan on this machine does not.
"""

import re

from bundlectl.engine.api import access, exporting, files, metrics
from bundlectl.engine.api.route import UPLOAD, Route, api_route, jobs_route

# First parts of paths whose functions an engine does not have (rest-api.md 6).
_UNPROVIDED = (
    "(clusters|pipelines|lakeview|unity-catalog|secrets|sql|serving-endpoints|token|tokens|libraries|instance-pools)"
)

WORKSPACE_ROUTES: tuple[Route, ...] = (
    jobs_route("GET", "runs/export", exporting.export),
    api_route("GET", "preview/scim/v2/Me", access.me),
    api_route("GET", "permissions/jobs/([^/]+)", access.get_permissions),
    api_route("PUT", "permissions/jobs/([^/]+)", access.set_permissions),
    api_route("PATCH", "permissions/jobs/([^/]+)", access.update_permissions),
    api_route("GET", "permissions/jobs/([^/]+)/permissionLevels", access.permission_levels),
    api_route("PUT", "permissions/directories/([^/]+)", access.set_folder_permissions),
    api_route("GET", "policies/jobs/get-compliance", access.compliant),
    api_route("GET", "policies/jobs/list-compliance", access.list_compliance),
    api_route("POST", "policies/jobs/enforce-compliance", access.enforce_compliance),
    api_route("GET", "workspace/get-status", files.get_status),
    api_route("GET", "workspace/list", files.list_folder),
    api_route("GET", "workspace/export", files.export),
    api_route("POST", "workspace/mkdirs", files.mkdirs),
    api_route("POST", "workspace/delete", files.delete),
    api_route("POST", "workspace/import", files.import_object, takes="form", limit=UPLOAD),
    api_route("POST", "workspace-files/import-file/(.+)", files.import_file, takes="bytes", limit=UPLOAD),
    api_route("GET", "fs/directories/(.+)", files.fs_list_folder),
    api_route("HEAD", "fs/directories/(.+)", files.fs_has_folder),
    api_route("PUT", "fs/directories/(.+)", files.fs_put_folder, status=204),
    api_route("DELETE", "fs/directories/(.+)", files.fs_delete_folder, status=204),
    api_route("GET", "fs/files/(.+)", files.fs_get),
    api_route("PUT", "fs/files/(.+)", files.fs_put, takes="bytes", limit=UPLOAD, status=204),
    api_route("DELETE", "fs/files/(.+)", files.fs_delete, status=204),
    api_route("GET", "repos", access.no_repos),
    api_route("GET", "clusters/list", access.no_clusters),
    api_route("GET", "policies/clusters/list", access.no_policies),
    api_route("GET", "sql/warehouses", access.no_warehouses),
    api_route("GET", "unity-catalog/current-metastore-assignment", access.metastore),
    Route("GET", re.compile("/metrics"), metrics.metrics),
    Route("POST", re.compile("/telemetry-ext"), access.telemetry),
    *(api_route(method, f"{_UNPROVIDED}(?:/.*)?", access.unprovided) for method in ("POST", "PUT", "PATCH", "DELETE")),
    Route("POST", re.compile("/(oidc)/.*"), access.unprovided, takes="any"),
)
