#!/bin/sh
# Makes .venv and installs the pinned, hashed requirements into it; does nothing when they are there.
# usage: scripts/venv.sh run|dev      PYTHON=/path/to/python chooses the interpreter
set -eu
cd "$(dirname "$0")/.."

want=${1:-run}
here=$(pwd -P)/.venv
say() { printf '%s\n' "$*" >&2; }

# A stamp is the requirements file as it was installed, with the place, for a moved .venv is broken.
current() { # current KIND
	[ -x .venv/bin/python ] && [ -f ".venv/stamp-$1" ] && [ "$(head -n 1 ".venv/stamp-$1")" = "$here" ] &&
		tail -n +2 ".venv/stamp-$1" | cmp -s - "$(list_of "$1")"
}
list_of() { case $1 in dev) echo requirements-dev.txt ;; *) echo requirements.txt ;; esac; }

if current dev && current run; then exit 0; fi
if [ "$want" = run ] && current run; then exit 0; fi

# One at a time: `make -j`, or two terminals.
lock=.venv.lock
tries=0
until mkdir "$lock" 2>/dev/null; do
	holder=$(cat "$lock/pid" 2>/dev/null || true)
	if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock"; continue; fi
	[ "$tries" -eq 0 ] && say "Another make is installing (process ${holder:-unknown}); waiting for it."
	tries=$((tries + 1))
	if [ -z "$holder" ] && [ "$tries" -gt 10 ]; then rm -rf "$lock"; continue; fi
	sleep 1
done
echo $$ >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' INT TERM
if current "$want"; then exit 0; fi

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
may_install() {
	command -v apt-get >/dev/null 2>&1 || return 1
	[ "$(id -u)" = 0 ] || sudo -n true >/dev/null 2>&1
}
apt_install() {
	say "Installing $* with apt-get ..."
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

fresh_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
find_python() {
	for name in ${PYTHON:-python3.13 python3.12 python3.11 python3 python3.14 python}; do
		if fresh_enough "$name"; then command -v "$name"; return 0; fi
	done
	return 1
}

if ! python=$(find_python); then
	if [ -z "${PYTHON:-}" ] && may_install && apt_install python3 python3-venv; then python=$(find_python) || true; fi
	if [ -z "${python:-}" ]; then
		say "Paydesk needs Python 3.11 or newer${PYTHON:+, and PYTHON=$PYTHON is not that}. Found: $(python3 --version 2>&1 || echo none)."
		say "  Debian 12, Ubuntu 24.04: sudo apt-get install python3 python3-venv"
		say "  macOS:                   brew install python@3.13"
		exit 1
	fi
fi

if ! fresh_enough .venv/bin/python || [ "$(cat .venv/place 2>/dev/null || true)" != "$here" ]; then
	if [ -d .venv ] && [ -f .venv/place ]; then rm -rf .venv; fi
	version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
		may_install && apt_install "python$version-venv" || true
		if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
			say "$python cannot make virtual environments: a system package is missing."
			say "  Debian, Ubuntu: sudo apt-get install python$version-venv"
			exit 1
		fi
	fi
	say "Making .venv with Python $version ($python)"
	"$python" -m venv .venv
	echo "$here" >.venv/place
fi

install() { # install KIND: everything is pinned, so there is nothing to resolve
	list=$(list_of "$1")
	total=$(grep -c '==' "$list")
	log=.venv/install.log
	begun=$(date +%s)
	say "Installing up to $total pinned packages from $list (only when it changed)"
	set +e
	{ .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps \
		--require-hashes --no-compile --progress-bar off -r "$list" 2>&1; echo "exit $?"; } | tee "$log" |
		awk -v total="$total" '
			/^(Collecting|Requirement already satisfied)/ { n++; if (n % 20 == 0) { printf "  %d of %d\n", n, total > "/dev/stderr" } }
			/^Installing collected packages/ { print "  unpacking" > "/dev/stderr" }
			/^ERROR|No space left|error:/ { print "  " $0 > "/dev/stderr" }'
	set -e
	if ! tail -n 1 "$log" | grep -q '^exit 0$'; then
		say "pip could not install $list; its last lines (all of them in $log):"
		tail -n 25 "$log" >&2
		say "If it tried to compile: Debian, Ubuntu need 'apt-get install build-essential python3-dev', macOS 'xcode-select --install'."
		exit 1
	fi
	{ echo "$here"; cat "$list"; } >".venv/stamp-$1"
	say "  done in $(($(date +%s) - begun)) s"
}

# WeasyPrint draws with the system's libpango. Without it all but printing works, and printing says so.
draws() { .venv/bin/python -c 'import weasyprint' >/dev/null 2>&1; }
provide_pango() {
	if draws; then return 0; fi
	if may_install; then
		apt_install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 || apt_install libpango-1.0-0 libpangoft2-1.0-0 || true
	fi
	if draws; then return 0; fi
	say "Invoices cannot be printed yet: a system library is missing. Everything else works; install it when you like."
	say "  Debian, Ubuntu: sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
	say "  macOS:          brew install pango"
}

if [ "$want" = dev ]; then
	install dev
	# The development list holds the other one; a test keeps the two in step.
	{ echo "$here"; cat requirements.txt; } >.venv/stamp-run
else
	install run
fi
provide_pango
