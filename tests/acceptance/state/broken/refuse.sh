# From now on the remote refuses commits of state whose message begins with a word; without one, all of runs.
set -eu
rm -f ../far.git/hooks/update
[ "${1:-}" != nothing ] || exit 0
mkdir -p ../far.git/hooks
cat > ../far.git/hooks/update <<EOF
#!/bin/sh
case \$1 in refs/bundlectl/${1}/*) ;; *) exit 0;; esac
git log -1 --format=%s \$3 | grep -q "${2:-}" || exit 0
echo "the release team has closed this"
exit 1
EOF
chmod +x ../far.git/hooks/update
