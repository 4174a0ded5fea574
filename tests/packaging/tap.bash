# tap.bash - what the scripts of this folder share: results in the Test Anything Protocol. Sourced.
# Results have no numbers: a script inside a container goes on where the one outside stopped. The plan comes at the end.

count=0 failed=0

# is NAME FOUND EXPECTED
is() {
	count=$((count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		failed=$((failed + 1))
		echo "not ok - $1"
		printf 'found: %s\nexpected: %s\n' "$2" "$3" | sed 's/^/# /'
	fi
}

# holds NAME COMMAND...: it succeeds; what it says is shown only if it does not.
holds() {
	local name=$1 said status=0
	shift
	said=$("$@" 2>&1) || status=$?
	[ $status = 0 ] || printf '%s\n' "$said" | tail -n 30 | sed 's/^/# /'
	is "$name" "$status" 0
}

# until_is NAME SECONDS EXPECTED COMMAND...: what it prints becomes that within the time.
until_is() {
	local name=$1 end=$((SECONDS + $2)) expected=$3 found
	shift 3
	while found=$("$@" 2>&1) || true; [ "$found" != "$expected" ] && [ $SECONDS -lt "$end" ]; do
		sleep 0.1
	done
	is "$name" "$found" "$expected"
}
