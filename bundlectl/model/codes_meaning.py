"""Diagnostic codes 2xx: schema and meaning of a bundle. Read through model.codes."""

from bundlectl.model.codes_reading import Code

# fmt: off
MEANING: dict[str, Code] = {
    "BND201": Code("Unknown field",
        "The bundle language has no field of this name here, so it has no effect. The nearest known name is "
        "shown."),
    "BND202": Code("Null where a value is expected",
        "The key is there but has no value, and counts as absent. Give a value or delete the key."),
    "BND203": Code("Wrong type",
        "A value has another kind than its field: text for a list, a fraction for an integer. Nothing is "
        "converted by guessing; write the kind that the message asks for."),
    "BND204": Code("Unknown field in a job",
        "Inside a job and inside `bundlectl:` an unknown name is an error, because a misspelt setting would "
        "silently not apply. Correct it, or pass it through untouched with --allow-unknown-fields."),
    "BND205": Code("Required field missing",
        "The job cannot be planned without this field. `validate` warns, because a target may still set it."),
    "BND206": Code("Value not in the list",
        "The field takes one of a few words; the message lists them. Upper and lower case count."),
    "BND207": Code("Number changes its spelling",
        "An unquoted number is about to become text, and its text form differs from what is written, as "
        "15.40 becomes 15.4. Quote it to keep it."),
    "BND208": Code("Write true or false",
        "Words such as yes and on are taken as a truth value here, but not everywhere. Write true or false."),
    "BND209": Code("Text is not a number",
        "The field takes a number and the text, perhaps from a variable, is none. Units are not understood: "
        "give seconds as plain digits."),
    "BND210": Code("Out of range or too long",
        "The value is outside what the field allows; the message has the limits."),
    "BND211": Code("Name is blank",
        "A name is empty, or ends with white space that nobody will see. Give a visible name."),
    "BND212": Code("Bundle has no name",
        "`bundle.name` names the state, the code and the runs of the bundle in git, so it is required."),
    "BND213": Code("Name not allowed",
        "Names of bundles and targets become part of git refs and paths. Control characters, slashes, "
        "backslashes, a target's leading dash and names over 255 bytes are refused."),
    "BND214": Code("Reference in the bundle's name",
        "`bundle.name` is needed before anything is resolved, so a reference in it stays as text. Write the "
        "name out."),
    "BND215": Code("Reference in a connection field",
        "Where a workspace is, must be known before variables are. Write the value, or set it through the "
        "environment."),
    "BND216": Code("Version of bundlectl",
        "`bundlectl.requires` asks for another version of this tool. Install a matching one, or change the "
        "requirement."),
    "BND217": Code("Targets and environments",
        "`environments` is the old name of `targets`; a bundle uses one of them. Move everything under "
        "`targets`."),
    "BND218": Code("Field is set by the tool",
        "The value in the file is ignored, because the tool fills this field from git or from the chosen "
        "target."),
    "BND219": Code("Resource without content",
        "A resource key has no value. Describe the resource, or delete the key."),
    "BND220": Code("No such target",
        "The chosen target is not among `targets`. The message lists those that exist."),
    "BND221": Code("Target must be chosen",
        "The bundle has several targets and none is the default. Name one with -t, or set `default: true` "
        "on one."),
    "BND222": Code("Several default targets",
        "`default: true` stands on more than one target. Leave it on one."),
    "BND223": Code("Unknown mode",
        "`mode` is development or production. Leave it out for a target that is neither."),
    "BND224": Code("Kinds do not merge",
        "Base and target give the same field values of different kinds, such as text and a list. Make them "
        "the same kind."),
    "BND225": Code("Resource defined twice",
        "Two files define a resource with the same key, or `renamed_from` names a key that still exists. "
        "Keys are identity: keep one definition."),
    "BND226": Code("Resource key not allowed",
        "The key holds a character that cannot stand in paths and addresses, such as a slash. Rename it."),
    "BND227": Code("Resource key cannot be referenced",
        "The key works, but `${resources...}` cannot spell it. Letters, digits, dashes and underscores are "
        "safe."),
    "BND228": Code("Same key twice in one list",
        "Two elements of a keyed list, such as two tasks, have the same key. Keys must differ within a "
        "list."),
    "BND229": Code("Kind not managed",
        "bundlectl manages jobs. Resources of this kind are left alone; another tool may deploy them from "
        "the same bundle."),
    "BND230": Code("Variable not defined",
        "A value is given for a variable that `variables` at the top of the bundle does not define. Define "
        "it there, or correct the name."),
    "BND231": Code("depends_on names no task",
        "A task waits for a task that its job does not have. The nearest name is shown; perhaps it was "
        "renamed or removed."),
    "BND232": Code("Map or list from a flag or the environment",
        "A complex variable takes its value from the bundle or from a file; flags and environment variables "
        "carry text. Use --var-file."),
    "BND233": Code("Variable given twice",
        "The same variable has two values on the command line. Leave one."),
    "BND234": Code("--var is not name=value",
        "Write --var name=value; everything after the first equals sign is the value."),
    "BND235": Code("Overrides file has the wrong kind",
        "variable-overrides.json gives this variable a value of another kind than its definition. Correct "
        "the file."),
    "BND236": Code("Lookup needs exactly one field",
        "A lookup finds one object by the name of its kind, for instance `lookup: {cluster: shared}`. Give "
        "exactly one kind."),
    "BND237": Code("Lookup of a lookup",
        "The name that a lookup searches for may not come from another lookup. Use a plain variable or "
        "write it out."),
    "BND238": Code("Lookup not answered",
        "The id behind a lookup is not known here, because no workspace was asked. Give it with --lookups "
        "FILE, or as the value of the variable."),
    "BND239": Code("Unknown type of variable",
        "`type` has one known value, complex, for maps and lists. Anything else is ignored."),
    "BND240": Code("Reference does not exist",
        "Nothing in the bundle has the path inside `${...}`. The nearest path is shown; variables are "
        "`${var.name}`."),
    "BND241": Code("Cycle of references",
        "Values refer to each other in a circle, so none can be resolved. The message shows the circle: "
        "write one of the values out."),
    "BND242": Code("References too deep or too large",
        "Resolving took too many rounds, or the result grew beyond its limit. References that contain "
        "references multiply; flatten them."),
    "BND243": Code("Map or list inside text",
        "A reference to a map or list can be the whole value, but not a part of a text. Refer to one of its "
        "members."),
    "BND244": Code("Index out of range",
        "The list that a reference points into has fewer elements. Counting starts at 0."),
    "BND245": Code("No reference after ${",
        "`${` starts a reference, but what follows is not one; the text stays as it is. A path is names "
        "joined by single dots, closed by a brace."),
    "BND246": Code("Unknown start of a reference",
        "References begin with bundle, workspace, var, variables, resources or artifacts. Others stay as "
        "text, which is right for shells and wrong for typing mistakes."),
    "BND247": Code("Reference not allowed here",
        "In this place a resolved value would be harmful or comes too late, for instance inside a shell "
        "command. The hint names the safe way."),
    "BND248": Code("Reference between resources",
        "A job refers to a job that does not exist, or jobs refer to each other's ids in a circle. Break "
        "the circle, or correct the key."),
    "BND249": Code("Null inside text",
        "A reference inside a text resolves to nothing. Give the variable a value, if only an empty text."),
    "BND250": Code("Job cannot be planned as it stands",
        "The job has no tasks, or refers to a resource that bundlectl does not manage and whose id is not "
        "given. Add a task, or give the id under `bundlectl.externals`."),
    "BND251": Code("Task does nothing",
        "The task has no task type such as spark_python_task, notebook_task or sql_task. Add one."),
    "BND252": Code("Several task types",
        "A task does one thing. Split it into tasks that depend on each other."),
    "BND253": Code("Variable has no value",
        "The variable has neither a default nor a value for this target. Give one with --var, in the "
        "environment, in a variable file or in the target."),
    "BND254": Code("Task depends on itself",
        "The dependencies of tasks form a circle, so none of them could start. The message shows it: remove "
        "one edge."),
    "BND255": Code("Dependency listed twice",
        "The same task stands twice under one `depends_on`. Delete one."),
    "BND256": Code("Outcome of a dependency",
        '`outcome` is "true" or "false", in quotes, and only for a dependency on a condition task.'),
    "BND257": Code("Compute or environment key unknown",
        "A task names a cluster, environment or set of variables that its job does not define. Define it, "
        "or correct the key."),
    "BND258": Code("Compute missing",
        "On this backend the task needs compute: a job cluster, an existing or new cluster, or an "
        "environment. The embedded engine needs none."),
    "BND259": Code("Several compute settings",
        "A task uses one of existing_cluster_id, new_cluster and job_cluster_key. Keep one."),
    "BND260": Code("Rule of for_each_task",
        "Loops do not nest; retries belong to the inner task; the inner task has no `depends_on`. Move the "
        "field as the message says."),
    "BND261": Code("Too many tasks",
        "A job may have 1,000 tasks. Split it, and start one job from the other with run_job_task."),
    "BND262": Code("Task key not allowed",
        "A task key has letters, digits, dashes and underscores, at most 100, and is required."),
    "BND263": Code("Keys differ only by case",
        "Two task keys are equal but for upper and lower case. It works, and invites mistakes."),
    "BND264": Code("Cluster without workers",
        "A cluster with zero workers needs the single-node settings, else its jobs never start. Add them, "
        "or give it a worker."),
    "BND265": Code("Cron expression not understood",
        "Schedules are Quartz expressions: six or seven fields, seconds first, and `?` for one of the two "
        "day fields. Unix expressions have five fields; put `0` in front and a `?` for a day field."),
    "BND266": Code("Schedule never fires, or every second",
        "The expression is valid and probably not what is meant. Check the fields: seconds come first."),
    "BND267": Code("Time zone unknown",
        "`timezone_id` is a name of the time zone database, like Europe/Madrid, or UTC. The nearest name is "
        "shown."),
    "BND268": Code("Time zone deprecated",
        "Abbreviations and fixed offsets ignore daylight saving or change meaning. Prefer the name of a "
        "region."),
    "BND269": Code("Triggers conflict or are out of range",
        "A job has one of schedule, trigger, continuous and triggers, each trigger one kind, and its "
        "numbers have limits. The message names the fields."),
    "BND270": Code("run_as",
        "`run_as` names exactly one of user_name, service_principal_name and group_name. Give one."),
    "BND271": Code("Permission level",
        "This level does not exist for this kind of resource. The message lists those that do."),
    "BND272": Code("Permissions overlap",
        "One principal has several levels; the highest counts. Keep the one that is meant."),
    "BND273": Code("Deployer not listed",
        "`permissions` does not mention who deploys, who could lose access to what was deployed. Add the "
        "deployer."),
    "BND274": Code("Identity guessed",
        "Nobody said who you are, so the login name is used in names and paths. Set BUNDLECTL_USER or git's "
        "user.email."),
    "BND275": Code("Rule of development mode",
        "A development target is one person's copy: its name prefix and paths must hold the user's name, "
        "and its triggers stay paused. Remove the preset that says otherwise."),
    "BND276": Code("Rule of production mode",
        "A production target needs `workspace.root_path` of its own, so that only one copy exists whoever "
        "deploys."),
    "BND277": Code("Value of a preset",
        "A preset takes only certain values, or has no effect with this tool. The message names them."),
    "BND278": Code("Workspace path",
        "A workspace path has a form that cannot work, such as a repeated /Workspace or a place that only "
        "artifacts may use."),
    "BND279": Code("Compute is overridden",
        "A cluster id from the bundle or the environment replaces the compute of every task. That is meant "
        "for development."),
    "BND280": Code("Path not found",
        "A task names a file or notebook that is not in the tree that was read. Paths are relative to the "
        "file that holds them; a near match is shown."),
    "BND281": Code("Notebook or file expected",
        "A notebook task needs a notebook, whose first line says so, and a file task a plain file. Use the "
        "other task type or correct the first line."),
    "BND282": Code("Outside the sync root",
        "The path leads out of the folder whose files are deployed. Add the other folder under "
        "`sync.paths`, or move the file."),
    "BND283": Code("Relative to the wrong file",
        "The path is right when seen from another file of the bundle. Paths count from the file that holds "
        "them; the corrected text is shown."),
    "BND284": Code("Form of a path",
        "The path is written for Windows, or holds characters or names that cannot be deployed everywhere. "
        "Use relative paths with forward slashes."),
    "BND285": Code("Not in the commit",
        "The file is in the working tree, but not in the commit that was read. Commit it."),
    "BND286": Code("Not synced",
        "The file exists, but an ignore rule keeps it out of the deployment. Bring it back under "
        "`sync.include`."),
    "BND287": Code("Case or Unicode form",
        "A file of nearly this name exists; upper and lower case or the form of an accent differ. Some "
        "systems do not see the difference, others do: write it exactly."),
    "BND288": Code("Not a regular file of the tree",
        "The path is a folder, a link that leads out or in a circle, a submodule, or a pointer to a large "
        "file that is not stored in git. Only files of the tree are deployed."),
    "BND289": Code("Synced files",
        "A sync pattern matches nothing, a name cannot be written everywhere, or the files exceed "
        "`bundlectl.snapshot_limit`. Adjust `sync`."),
    "BND290": Code("Artifact incomplete",
        "An artifact says neither how it is built nor which files it has. Give `build` or `files`."),
    "BND291": Code("Artifact pattern matches nothing",
        "A pattern under an artifact's `files` finds no file. Build it first, or correct the pattern."),
    "BND292": Code("Library not built",
        "A task uses a wheel or jar that no file matches. Build it, or allow the build with --allow build."),
    "BND293": Code("Library name twice",
        "Two different libraries have the same file name and would overwrite each other. Rename one."),
    "BND294": Code("Python section",
        "The `python` section is not understood. It lists functions as module:function."),
    "BND295": Code("Python resources not loaded",
        "The bundle makes resources with Python, which runs code of the tree, and nobody allowed that. Pass "
        "--allow python for a tree that you trust."),
    "BND296": Code("Python process ended badly",
        "The code that makes resources failed, or reported a problem; its words are shown, and the line of the "
        "bundle that it comes from. Without a report the end of what it wrote is shown."),
    "BND297": Code("Result of Python",
        "The code that makes resources answered with something that is not allowed at this point. The "
        "message names it."),
    "BND298": Code("Script",
        "A script of the bundle is not understood, or failed. A script has a `content`; one that fails, and a "
        "hook that fails, ends the command with its exit status in the message."),
    "BND299": Code("Hook not run",
        "The bundle has scripts for this point, which run code of the tree, and nobody allowed that. Pass "
        "--allow scripts for a tree that you trust. Hooks of reading, preinit and postinit, are never run."),
}
