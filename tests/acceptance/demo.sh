#!/bin/sh
# What `make demo` shows: a bundle from template to trained model, changed, deployed again, with everything recorded.
#   sh demo.sh BIN FOLDER      BIN holds bundlectl; FOLDER is made anew and holds all that the demo leaves behind
# test_demo.py runs it, so that it cannot rot.
set -eu

bin=$1
folder=$2
PATH="$bin:$PATH"
export PATH

# Only a folder that an earlier demo made is removed. Snapshots are read-only on purpose.
if [ -e "$folder" ]; then
    [ -f "$folder/.made-by-demo" ] || { echo "\"$folder\" was not made by the demo; name another: make demo DEMO_FOLDER=..." >&2; exit 1; }
    chmod -R u+w "$folder"
    rm -rf "$folder"
fi
mkdir -p "$folder"
: > "$folder/.made-by-demo"
folder=$(cd "$folder" && pwd)

# Everything is kept below FOLDER; without these, bundlectl uses the user's own data folders.
BUNDLECTL_ENGINE_DIR=$folder/engine
BUNDLECTL_CACHE_DIR=$folder/cache
BUNDLECTL_STATE_DIR=$folder/state
BUNDLECTL_CONFIG_DIR=$folder/config
BUNDLE_VAR_output_dir=$folder/results
export BUNDLECTL_ENGINE_DIR BUNDLECTL_CACHE_DIR BUNDLECTL_STATE_DIR BUNDLECTL_CONFIG_DIR BUNDLE_VAR_output_dir
unset BUNDLECTL_TARGET DATABRICKS_BUNDLE_TARGET DATABRICKS_HOST BUNDLECTL_ROOT 2>/dev/null || true

step() {
    printf '\n=== %s\n' "$1"
}

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

step "1. A bundle from a template, in a git repository"
show bundlectl init orders "$folder/shop" --name shop
cd "$folder/shop"
git init --quiet --initial-branch=main
git config user.name "Demo"
git config user.email demo@example.com
git add --all
show git commit --quiet --message "Orders pipeline from the template"
show bundlectl validate

step "2. What a deploy would do, then exactly that"
show bundlectl plan --out "$folder/plan.json"
show bundlectl deploy --plan "$folder/plan.json" --auto-approve

step "3. Run the job"
show bundlectl run orders_pipeline

step "4. The run belongs to a commit, and its record says so"
show bundlectl runs manifest latest
show git log --oneline --max-count=1

step "5. One job field and one source file change"
sed 's/max_retries: 1$/max_retries: 3/' resources/orders_pipeline.yml > "$folder/edited" && mv "$folder/edited" resources/orders_pipeline.yml
sed 's/^TITLE = .*/TITLE = "Customers who will order again"/' src/publish.py > "$folder/edited" && mv "$folder/edited" src/publish.py
show git --no-pager diff --stat
show git commit --quiet --all --message "Retry the training, name the report better"
show bundlectl plan
show bundlectl deploy --auto-approve --reason "demo"
show bundlectl run orders_pipeline
show bundlectl runs logs latest --task publish

step "6. What happened, and where it is kept"
show bundlectl history
show bundlectl runs list
show bundlectl summary

cat <<END

=== Where everything is
bundle            $folder/shop
deployments       $(git rev-parse --short refs/bundlectl/state/shop/dev) on refs/bundlectl/state/shop/dev of that repository
code deployed     refs/bundlectl/code/shop/dev
records of runs   refs/bundlectl/runs/shop/dev
engine            $folder/engine   (database, logs and snapshots)
results           $folder/results
report            $folder/results/published/report.html

Go on by hand:
    cd $folder/shop
    export PATH=$bin:\$PATH BUNDLECTL_ENGINE_DIR=$folder/engine BUNDLE_VAR_output_dir=$folder/results
    bundlectl run orders_pipeline --param min_accuracy=0.99
END
