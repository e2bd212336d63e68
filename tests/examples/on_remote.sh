# The small bundle in this folder, whose state is on the remote that it was pushed to.
set -eu
git init -q --bare -b main ../far.git
cp -R "$EXAMPLES/small/." .
sed 's/^  backend: local/  backend: local\n  state: {remote: origin}/' databricks.yml > changed.yml
mv changed.yml databricks.yml
git init -q -b main
git add -A
git commit -qm first
git remote add origin ../far.git
git push -q origin main
