#!/usr/bin/env bash
# Packs the MCPB bundle of one platform, and the server.json that names it.
#   mcpb/pack.sh BINARY URL [FOLDER]
# BINARY is a release build, URL is where the bundle will be downloaded from. Writes lockstep.mcpb and server.json to
# FOLDER (default: dist).
set -euo pipefail
binary=$(realpath "$1") url=$2 out=${3:-dist}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
python3 - "$binary" "$url" "$out" "$here" <<'PY'
import hashlib, json, os, sys, zipfile

binary, url, out, here = sys.argv[1:]
bundle = os.path.join(out, "lockstep.mcpb")
name = "server/lockstep.exe" if binary.endswith(".exe") else "server/lockstep"
with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as zip:
    for path, inside, mode in [(os.path.join(here, "manifest.json"), "manifest.json", 0o644), (binary, name, 0o755)]:
        # A fixed time, so that the same files give the same bundle and the same hash.
        info = zipfile.ZipInfo(inside, (2026, 1, 1, 0, 0, 0))
        info.external_attr = (0o100000 | mode) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        with open(path, "rb") as file:
            zip.writestr(info, file.read())
with open(bundle, "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
with open(os.path.join(here, "..", "server.json"), encoding="utf-8") as file:
    server = json.load(file)
server["packages"] = [{"registryType": "mcpb", "identifier": url, "version": server["version"],
                       "fileSha256": digest, "transport": {"type": "stdio"}}]
with open(os.path.join(out, "server.json"), "w", encoding="utf-8") as file:
    json.dump(server, file, indent=2)
    file.write("\n")
print(f"{bundle} {digest}")
PY
