#!/usr/bin/env bash
# Makes a private PostgreSQL with TimescaleDB (Apache-2 edition) and prints the directory of its programs.
#
#   deploy/prepare-timescaledb.sh [DIRECTORY]
#   python -m simulators.servers --binaries "$(deploy/prepare-timescaledb.sh)" --preload timescaledb -- COMMAND...
#
# Debian 13 packages both (PostgreSQL 17). For Debian 12 the extension is built from Debian 13's source package against PostgreSQL 15.
# Everything is unpacked below DIRECTORY; no package is installed and no source list of the system is touched, so root is not needed,
# unless a tool or library is missing: root installs those with apt-get, others are told. The second run only prints.
set -euo pipefail

say() { echo "prepare-timescaledb: $*" >&2; }
give_up() { say "$@"; exit 1; }

[ -r /etc/os-release ] && . /etc/os-release
case "${ID:-}${VERSION_ID:-}" in
    debian12) version=15 packages="postgresql-15 postgresql-client-15 postgresql-server-dev-15 libpq-dev libkrb5-dev libssl-dev" ;;
    debian13) version=17 packages="postgresql-17 postgresql-client-17 postgresql-17-timescaledb" ;;
    *) give_up "only Debian 12 and 13 are known here; elsewhere point JIAHU_TEST_DATABASE_URL at a PostgreSQL with TimescaleDB" ;;
esac

# As root the server runs as nobody, who cannot enter /root.
if [ "$(id -u)" = 0 ]; then default_cache=/var/cache/jiahu; else default_cache=${XDG_CACHE_HOME:-$HOME/.cache}/jiahu; fi
target=$(realpath -m "${1:-$default_cache}")/timescaledb-$VERSION_CODENAME
binaries=$target/usr/lib/postgresql/$version/bin

main() {
    if [ ! -e "$target/complete" ]; then
        need_tools
        mkdir -p "$(dirname "$target")"
        work=$(mktemp -d "$target.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        fetch
        [ "$version" = 17 ] || build
        need_libraries
        touch "$work/complete"
        rm -rf "$work/apt" "$work/source" "$work/build" "$target"
        mv "$work" "$target"
    fi
    echo "$binaries"
}

need_tools() {
    local missing=()
    command -v dpkg-deb >/dev/null || give_up "dpkg-deb is missing"
    if [ "$version" = 15 ]; then
        for pair in cmake:cmake gcc:gcc make:make dpkg-source:dpkg-dev; do
            command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
        done
        [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
    fi
    install_or_name "${missing[@]}"
}

install_or_name() {
    [ $# -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || give_up "missing: $*; install them with: apt-get install $*"
    say "installing $*"
    apt-get -qq update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2
}

# Addresses of a suite's archive, as the system's own sources name them.
archive_of() { apt-get update --print-uris 2>/dev/null | sed -n "s#^'\([^']*\)/dists/$1/InRelease'.*#\1#p" | head -n 1; }

source_entry() { # kind, archive, suite
    [ -z "$2" ] || printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
        "$1" "$2" "$3" /usr/share/keyrings/debian-archive-keyring.gpg
}

fetch() {
    local archive
    archive=$(archive_of "$VERSION_CODENAME")
    [ -n "$archive" ] || give_up "apt's sources name no archive for $VERSION_CODENAME"
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/apt/packages" "$work/source"
    {
        source_entry deb "$archive" "$VERSION_CODENAME"
        source_entry deb "$(archive_of "$VERSION_CODENAME-security")" "$VERSION_CODENAME-security"
        [ "$version" = 17 ] || source_entry deb-src "$archive" trixie
    } > "$work/apt/private.sources"
    say "fetching PostgreSQL $version and TimescaleDB"
    private_apt update
    # shellcheck disable=SC2086
    (cd "$work/apt/packages" && private_apt download $packages)
    [ "$version" = 17 ] || (cd "$work/source" && private_apt source --download-only timescaledb)
    for package in "$work"/apt/packages/*.deb; do dpkg-deb -x "$package" "$work"; done
}

private_apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/apt/private.sources" -o Dir::Etc::sourceparts=/nonexistent \
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Acquire::Languages=none \
        -o APT::Sandbox::User="$(id -un)" "$@" >&2
}

build() {
    say "building the extension, about a quarter of a minute on two cores"
    local log=$work/build.log multiarch
    multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
    export CPATH=$work/usr/include:$work/usr/include/$multiarch
    {
        dpkg-source --no-check -x "$work"/source/*.dsc "$work/source/timescaledb" &&
        cmake -S "$work/source/timescaledb" -B "$work/build" -DAPACHE_ONLY=1 -DREGRESS_CHECKS=OFF -DUSE_TELEMETRY=OFF \
            -DWARNINGS_AS_ERRORS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPG_CONFIG="$work/usr/lib/postgresql/$version/bin/pg_config" &&
        cmake --build "$work/build" --parallel "$(nproc)" &&
        cmake --install "$work/build"
    } > "$log" 2>&1 || { tail -n 20 "$log" >&2; give_up "the build failed"; }
    rm "$log"
}

# The unpacked server uses the system's libraries. Root gets missing ones as the package's dependencies; the package itself, which
# would start a database of the system, is not installed.
need_libraries() {
    ldd "$work/usr/lib/postgresql/$version/bin/postgres" | grep -q "not found" || return 0
    [ "$(id -u)" = 0 ] || give_up "PostgreSQL's libraries are missing; install the package postgresql-$version"
    local depends
    depends=$(dpkg-deb -f "$work/apt/packages/postgresql-${version}_"*.deb Depends)
    say "installing the libraries of PostgreSQL $version"
    apt-get -qq update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq satisfy -y --no-install-recommends "$depends" >&2
}

main
