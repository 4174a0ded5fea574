#!/usr/bin/env bash
#
# test_deb.sh - Debian's packages, quickly: made out of what this build has compiled, looked at by lintian, and installed, used,
# upgraded and purged under a real systemd on a copy of this machine (that part is left out, with a message, without root).
# `make deb-check` makes them as Debian does and uses a clean machine. TAP; SOURCE_DIR is the tree, BUILD_DIR the build.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tap.bash"
work=$(mktemp -d /tmp/agentd-deb.XXXXXX)
trap 'rm -rf "$work"' EXIT
for need in dh:debhelper lintian:lintian curl:curl; do
	command -v "${need%%:*}" >/dev/null || { echo "Bail out! ${need%%:*} is not here; install Debian's ${need##*:}"; exit 1; }
done

mkdir -p "$work/debs" "$work/check/old" "$work/check/new"
version=$("$AGENTD" --version | cut -d ' ' -f 2)
is "the changelog has the version of the program" "$(dpkg-parsechangelog -l "$SOURCE_DIR/debian/changelog" -S Version)" "$version"
holds "the packages are made" "$here/build_deb" "$work/debs"
[ "$failed" = 0 ] || { echo "1..$count"; exit 1; }
# The same again as those before them.
for package in agentd agentctl; do
	mv "$work/debs/${package}_$version"_*.deb "$work/check/new/$package.deb"
	"$here/relabel" "$work/check/new/$package.deb" "$version~before" "$work/check/old/$package.deb"
done
is "lintian has nothing to say" \
	"$(cd "$work/check/new" && lintian --allow-root --fail-on error,warning ./*.deb 2>&1 | grep -v '^[NIP]:')" ""
is "and nothing is overridden" "$(find "$SOURCE_DIR/debian" -name '*lintian*')" ""
is "nothing is outside the places of packages" "$(for deb in "$work"/check/new/*.deb; do dpkg-deb -c "$deb"; done | grep -c /local/)" 0
is "the settings are a conffile" "$(dpkg-deb --ctrl-tarfile "$work/check/new/agentd.deb" | tar -xO ./conffiles)" /etc/agentd/agentd.env

why=$("$here/boot" -p)
if [ -n "$why" ]; then
	count=$((count + 1))
	echo "ok - the life of the packages # SKIP $why"
else
	echo "$version" >"$work/check/version"
	cp "$here/tap.bash" "$work/check/"
	"$here/boot" / "$here/deb_life" "$work/check" >"$work/inside" 2>&1
	status=$?
	cat "$work/inside"
	count=$((count + $(grep -c -E '^(not )?ok ' "$work/inside")))
	failed=$((failed + $(grep -c '^not ok ' "$work/inside")))
	is "they came to their end" "$status" 0
fi
echo "1..$count"
[ "$failed" = 0 ]
