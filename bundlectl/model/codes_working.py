"""Diagnostic codes 3xx to 7xx: planning, applying, running, git, backends. Read through model.codes."""

from bundlectl.model.codes_reading import Code

# fmt: off
WORKING: dict[str, Code] = {
    "BND301": Code("Plan file unreadable",
        "The file is not a whole plan: cut short, not JSON, or too large. Make it anew with `bundlectl plan "
        "--out FILE`."),
    "BND302": Code("Plan was edited",
        "The digest inside the plan does not fit its content, so it is not what was reviewed. Make it anew; "
        "plans are not edited."),
    "BND303": Code("Plan for another bundle or target",
        "The plan was made for something else than this command deploys. Use the plan's own target, or make "
        "a new plan."),
    "BND304": Code("Plan for other source",
        "Commit, tree or code differ from what the plan was made of. Check out the planned commit, or plan "
        "and review again."),
    "BND305": Code("Plan for another state",
        "Something was deployed since the plan was made, so its changes may no longer be right. Plan and "
        "review again."),
    "BND306": Code("Plan format",
        "The plan was written by a version with another format. Make it with the version that deploys."),
    "BND307": Code("Uncommitted files left out",
        "The target takes the last commit, and the working tree has changes of the bundle that are not in "
        "it. Commit them, or read them with --worktree where the target allows that."),
    "BND308": Code("Plan used or expired",
        "A plan is applied once, within its time. Make a new one."),
    "BND309": Code("Plan for another backend",
        "The plan was made against another workspace or engine than this one. Plan against the one that is "
        "meant."),
    "BND310": Code("Backend lacks a capability",
        "The bundle, or the command, needs something that this target's backend does not offer; it is "
        "named. Nothing was changed. Use a target with another backend, or leave the feature out."),
    "BND311": Code("Drift",
        "Somebody changed a deployed job outside bundlectl. Deploying sets it back; to keep the change, "
        "write it into the bundle."),
    "BND312": Code("Destructive change not permitted",
        "The plan deletes or replaces jobs, and nobody confirmed that. Review it, then add "
        "--allow-destructive."),
    "BND313": Code("Protected target takes committed files only",
        "What runs there must be found again in git. Commit the files, or deploy the commit as it is with "
        "--ref HEAD. There is no way around it."),
    "BND314": Code("Not a descendant of what is deployed",
        "Deploying this commit would undo commits that are deployed now. Update the branch, or accept it "
        "with --allow-rewind."),
    "BND315": Code("Wrong branch",
        "The target is tied to a branch by `git.branch`. Switch to it, or accept the other branch with "
        "--allow-branch."),
    "BND316": Code("Policy",
        "A rule of the team, read from its protected ref, does not allow this plan. The message names the "
        "rule and the place."),
    "BND317": Code("Target is on hold",
        "After a rollback a target keeps what it has, until the hold is lifted by name."),
    "BND318": Code("Code execution not allowed",
        "The command would run code of the tree. Allow it by name, with --allow, for a tree that you trust."),
    "BND319": Code("Promotion gate",
        "A condition of the promotion is not met yet. Each gate is listed with its evidence."),
    "BND320": Code("Changed here and there",
        "A field was changed in the bundle and on the backend, to different values. Decide which one is "
        "right: write it into the bundle, or accept the loss by name with --allow-conflict."),
    "BND321": Code("Untrusted source",
        "The command changes something, and --untrusted or BUNDLECTL_UNTRUSTED says that the source may be "
        "hostile. Such a source is read, planned and compared, never deployed or run."),
    "BND401": Code("Somebody else is deploying",
        "Another deploy holds the target; who, since when and where is shown. Wait for it, or give "
        "--lock-timeout."),
    "BND402": Code("Lease lost",
        "This deploy took longer than its lease, and another may have taken over, so it stopped before the "
        "next change. Run it again: it continues."),
    "BND403": Code("Unlock names another deploy",
        "The lock belongs to another deployment than the one named. Look at who holds it before trying "
        "again."),
    "BND404": Code("Unfinished deploy of a newer version",
        "A deploy with a newer bundlectl was interrupted; this version cannot finish it safely. Use that "
        "version."),
    "BND405": Code("Applied in part",
        "Some changes are live and some are not; both are listed, and the state records exactly that. "
        "Remove the cause and run the same command: it does the rest."),
    "BND406": Code("Did not converge",
        "A job was written and reads back differently. The fields are named: the backend may not support "
        "them, or somebody changed the job at the same time."),
    "BND407": Code("Other identity",
        "The plan was made for another user or service than the one that deploys. Deploy as that identity, "
        "or plan again."),
    "BND408": Code("Outcome unknown",
        "A request was sent and its answer never came: it may have taken effect. Nothing was repeated "
        "blindly. The next deploy finds out by the ownership id and continues."),
    "BND410": Code("State unreadable",
        "A commit of the recorded state is damaged or is not what bundlectl writes. Nothing was changed. "
        "Check the repository with `git fsck`, and fetch the state ref from another clone."),
    "BND411": Code("State of a newer format",
        "A newer bundlectl deployed this target. Update this one."),
    "BND412": Code("State is gone",
        "The backend has jobs of this bundle, but the ref with their state is missing. Fetch it from where "
        "it was, or accept the loss with --accept-lost-state."),
    "BND413": Code("State history was rewritten",
        "The state ref no longer descends from what was seen before, so somebody moved it by force. Find "
        "out who, then accept it by name."),
    "BND414": Code("Other lineage",
        "The jobs on the backend belong to another history of deployments than the recorded one. Two clones "
        "may have started separately: join them before deploying."),
    "BND415": Code("State commit not signed",
        "bundlectl.state.require_signed is set, and a commit of the recorded state has no signature that git "
        "verifies with your keys, or this one could not be signed. Look at who wrote it; accept it by name with "
        "`bundlectl state accept-rewrite`."),
    "BND501": Code("Run failed",
        "A task of the run failed, or the run was cancelled or timed out. `bundlectl runs logs RUN --task "
        "KEY` shows what the task wrote."),
    "BND502": Code("No such job or run",
        "The job is not deployed to this target, or no run has this id. New jobs can be run after a deploy."),
    "BND503": Code("Run parameters",
        "A parameter of the run has the wrong form, or is too large. Write --param name=value."),
    "BND504": Code("Not possible in this state",
        "What was asked does not fit the present state of the run or job, such as repairing a run that is "
        "still active."),
    "BND505": Code("Task type not supported here",
        "The backend of this target cannot run tasks of this type. Move the task to a target that can."),
    "BND601": Code("Not a git repository",
        "Deployments name the commit they come from, so everything but `init` and `validate` needs a "
        "repository. `git init`, then commit the bundle. In a bare repository give --ref."),
    "BND602": Code("Repository unreadable",
        "Git answered with an error; its words are shown. The repository may be damaged, or a file may be "
        "missing."),
    "BND603": Code("No commit yet",
        "The repository is empty. Commit the bundle first; `validate` works without."),
    "BND604": Code("Unknown ref",
        "Git knows no commit, branch or tag of this name here. Fetch it, or correct the name."),
    "BND605": Code("Ambiguous ref",
        "The short id fits several objects. Give more digits."),
    "BND606": Code("Form of a ref",
        "A ref names one commit: a branch, a tag or an id. Ranges, paths and options are refused."),
    "BND607": Code("Not a commit",
        "The object exists but is a file or a folder. Name a commit."),
    "BND608": Code("History too shallow",
        "The clone does not reach back to the deployed commit, so what lies between is unknown. Fetch the "
        "whole history; in CI set the depth to 0."),
    "BND609": Code("Git operation in progress",
        "A merge, rebase or the like is not finished, so the tree is between two versions. Finish or abort "
        "it."),
    "BND610": Code("Repository belongs to another user",
        "Git refuses to read a repository of somebody else. If you trust it, add it to safe.directory."),
    "BND611": Code("Remote unreachable",
        "The git remote that holds the state does not answer. Nothing was changed. Check network and "
        "address."),
    "BND612": Code("Remote refused the credentials",
        "The git remote does not accept the login, or it may not push. The hint names the right that is "
        "missing."),
    "BND613": Code("Push refused",
        "The remote protects this ref, or takes no refs outside branches. Set `bundlectl.state.form: "
        "branch`, or change the protection."),
    "BND614": Code("Remote URL not allowed",
        "Addresses that can run commands or read local files are refused. Use https or ssh."),
    "BND620": Code("Options exclude each other",
        "Two options contradict each other. Leave one out."),
    "BND621": Code("Confirmation needed",
        "The command changes something live and there is no terminal to ask on, or the answer was no. "
        "Nothing was changed. Give --auto-approve where that is meant."),
    "BND622": Code("Standard stream",
        "An output stream was closed or cannot be written."),
    "BND623": Code("File system",
        "A file or folder cannot be read or written; the system's reason is shown. What depended on it was "
        "not done, and no half-written file is left."),
    "BND701": Code("Not authenticated",
        "The backend does not know who is asking. Log in, or set the credentials that the hint names."),
    "BND702": Code("No permission",
        "The backend knows you and does not allow this. The message names the missing right."),
    "BND703": Code("Gone or not found",
        "The object no longer exists on the backend. A deploy creates a job again; its old runs are gone "
        "with it."),
    "BND704": Code("Throttled",
        "The backend asked for a longer pause than is allowed here. Try again later."),
    "BND705": Code("Backend failed",
        "The backend answered several times with an error of its own. Its words are shown."),
    "BND706": Code("Not an API answer",
        "The answer is a web page: a login form, a proxy or a wrong host. Check the address."),
    "BND707": Code("Answer malformed",
        "The answer is cut short or lacks something that must be there. Nothing was concluded from it."),
    "BND708": Code("Redirected to another host",
        "The backend sent the request elsewhere; credentials are not sent there. Configure the real "
        "address."),
    "BND709": Code("Certificate",
        "The certificate of the host is not valid for it. There is no option to ignore that; install the "
        "right authority."),
    "BND710": Code("Network",
        "The host cannot be found or reached. Check the name and the network."),
    "BND711": Code("Timed out",
        "The backend did not answer in time. A request that may have taken effect is resolved by the next "
        "command."),
    "BND712": Code("Form of a host",
        "The address of the backend has a path, spaces or another fault. Give scheme and host only."),
    "BND713": Code("Form of a token",
        "The token contains white space, probably from copying. Its value is never shown."),
    "BND714": Code("Pages repeat",
        "The backend handed out the same page twice, so a list would never end. It is a fault of the other "
        "side."),
    "BND720": Code("Request malformed",
        "Said by the engine's API: the request has a wrong form, type, size or value. The message names the "
        "member."),
    "BND721": Code("Request not allowed",
        "Said by the engine's API: the request comes from an address or page that may not ask."),
}
