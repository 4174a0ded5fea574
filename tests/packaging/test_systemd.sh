#!/usr/bin/env bash
#
# test_systemd.sh - the units of contrib/systemd: systemd finds nothing wrong with them, they leave little open, and agentd works
# inside the walls that they put up: under a real systemd, booted in a container that is forgotten (tests/packaging/boot; that part
# is left out, with a message, without root). TAP; AGENTD names the program, SOURCE_DIR the tree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tap.bash"
units=$SOURCE_DIR/contrib/systemd
most=1.5 # of exposure, which systemd-analyze counts from 0 to 10
work=$(mktemp -d /tmp/agentd-systemd.XXXXXX)
trap 'rm -rf "$work"' EXIT
command -v systemd-analyze >/dev/null || { echo "Bail out! systemd-analyze is not here; install Debian's systemd"; exit 1; }

# As they will be installed, but for the place of the program.
mkdir "$work/units"
for unit in agentd.service agentd-migrate.service agentd.socket; do
	sed "s,/usr/sbin/agentd,$AGENTD,g" "$units/$unit" >"$work/units/$unit"
done
said=$(cd "$work/units" && systemd-analyze verify --man=no ./agentd.service ./agentd-migrate.service ./agentd.socket 2>&1)
is "systemd-analyze verify has nothing to say" "$?: $said" "0: "
for unit in agentd.service agentd-migrate.service; do
	holds "the exposure of $unit is at most $most" \
		systemd-analyze security --no-pager --offline=true --threshold="$(awk "BEGIN { print $most * 10 }")" "$units/$unit"
done
is "the limit is one that can be missed" \
	"$(printf '[Service]\nExecStart=/bin/true\n' >"$work/units/open.service" &&
		systemd-analyze security --no-pager --offline=true --threshold=15 "$work/units/open.service" >/dev/null 2>&1; echo $?)" 1
is "the user is one that systemd-sysusers makes" \
	"$(mkdir -p "$work/root/etc" && systemd-sysusers --root="$work/root" "$units/agentd.sysusers" >/dev/null 2>&1
		cut -d: -f1,6,7 "$work/root/etc/passwd" | grep '^agentd:')" agentd:/var/lib/agentd:/usr/sbin/nologin
if [ "$(id -u)" = 0 ]; then
	is "the folder of secrets is for root alone" \
		"$(systemd-tmpfiles --root="$work/root" --create "$units/agentd.tmpfiles" 2>&1; stat -c '%a %U' "$work/root/etc/agentd/credentials")" \
		"700 root"
fi

why=$("$here/boot" -p)
if [ -n "$why" ]; then
	count=$((count + 1))
	echo "ok - agentd under a real systemd # SKIP $why"
else
	mkdir "$work/check"
	cp "$AGENTD" "$units"/agentd* "$here/tap.bash" "$work/check/"
	"$here/boot" / "$here/under_systemd" "$work/check" >"$work/inside" 2>&1
	status=$?
	cat "$work/inside"
	count=$((count + $(grep -c -E '^(not )?ok ' "$work/inside")))
	failed=$((failed + $(grep -c '^not ok ' "$work/inside")))
	is "the script under systemd came to its end" "$status" 0
fi
echo "1..$count"
[ "$failed" = 0 ]
