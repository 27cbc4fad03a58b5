// Secrets in real containers, and images from a registry that asks for a password.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

#include "semantics/pipeline_words.h"

using namespace pfs::test;

namespace {

/// Also: `using NAME FIELDS COMMAND` makes a pipeline with these fields in its transform (each with its comma behind it); `ended NAME STATE` waits for
/// its newest job; `has FILE TEXT`.
std::string with_secrets(const std::string& script) {
  return with_pipelines(R"sh(
    has() { grep -qF -- "$2" "$1" || { echo "no '$2' in:"; cat "$1"; return 1; }; }
    has_not() { ! grep -qF -- "$2" "$1" || { echo "'$2' in:"; cat "$1"; return 1; }; }
    ended() {
      pfs inspect job "$(pfs list job -p "$1" | sed -n 2p | cut -d ' ' -f 1)" --block > "$T/job" 2> /dev/null || test $? -eq 1
      has "$T/job" "State: $2"
    }
    using() {
      cat > "$T/spec.json" << SPEC
      { "pipeline": { "name": "$1" }, "transform": { "image": "$image", $2 "cmd": ["sh"], "stdin": ["$3"] },
        "datum_tries": 1, "input": { "pfs": { "repo": "data", "glob": "/*" } } }
SPEC
      pfs create pipeline -f "$T/spec.json"
    }
    secret() { # NAME KEY VALUE
      echo "{ \"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": { \"name\": \"$1\" }, \"stringData\": { \"$2\": \"$3\" } }" |
        pfs create secret -f -
    }
)sh" + script);
}

}  // namespace

TEST_CASE("a secret is a variable, or files that any user of the container reads, and is told nowhere else", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_secrets(R"sh(
    printf 'two\nlines' | base64 > "$T/encoded"
    cat > "$T/secret.json" << SECRET
    { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "access", "labels": { "app": "edges" } }, "type": "Opaque",
      "data": { "key.pem": "$(cat "$T/encoded")" }, "stringData": { "password": "hunter2" } }
SECRET
    pfs create secret -f "$T/secret.json"
    pfs list secret | grep -q '^access Opaque '
    test "$(pfs inspect secret access | grep -c -e '^Keys: key.pem, password' -e '^Type: Opaque')" -eq 2
    using reads '"user": "nobody", "secrets": [{ "name": "access", "mount_path": "/etc/access" },
      { "name": "access", "env_var": "PASSWORD", "key": "password" }, { "name": "access", "env_var": "PEM", "key": "key.pem" }],' \
      'echo $PASSWORD > /pfs/out/password; cat /etc/access/key.pem > /pfs/out/file; echo \"$PEM\" > /pfs/out/variable; echo no > /etc/access/new || echo refused > /pfs/out/refused; sleep 2'
    echo hello > "$P/data@master/f"; commit data@master
    for i in $(seq 100); do test -z "$(podman ps -q --filter label=pfs.pipeline=reads)" || break; sleep 0.1; done
    podman inspect $(podman ps -q --filter label=pfs.pipeline=reads) > "$T/inspected"
    ended reads success
    test "$(cat "$P/reads@master/password" "$P/reads@master/file" "$P/reads@master/variable" "$P/reads@master/refused")" = \
      "hunter2
two
linestwo
lines
refused"
    has "$T/inspected" reads
    pfs list secret -o json > "$T/shown"; pfs inspect secret access --raw >> "$T/shown"; pfs inspect pipeline reads >> "$T/shown"
    for said in "$T/inspected" "$T/shown"; do has_not "$said" hunter2; has_not "$said" "$(cat "$T/encoded")"; done

    # what is kept is for its owner alone, and what was mounted goes with the container
    jobs=${P%/mnt}/store/jobs
    test "$(stat -c %a "$jobs/secrets" "$jobs/secrets/access" | tr '\n' ' ')" = "700 600 "
    test -n "$(find "$jobs/links" -name '*.secrets')"
    pfs delete pipeline reads --yes
    test -z "$(find "$jobs/links" -name '*.secrets')"
  )sh"));
  CHECK(mounted.log().find("hunter2") == std::string::npos);
}

TEST_CASE("a secret that is not there fails the job and says so, and one that changes is seen by the next job", "[semantics]") {
  Mounted mounted;
  REQUIRE_SH(mounted, with_secrets(R"sh(
    using says '"secrets": [{ "name": "access", "env_var": "PASSWORD", "key": "password" }],' 'echo $PASSWORD > /pfs/out/says'
    echo 1 > "$P/data@master/f"; commit data@master
    ended says failure; has "$T/job" "secret 'access': no such secret; make it with"

    secret access token first
    echo 2 > "$P/data@master/f"; commit data@master
    ended says failure; has "$T/job" "secret 'access': it has no key 'password'"

    pfs delete secret access; secret access password first
    echo 3 > "$P/data@master/f"; commit data@master
    ended says success; test "$(cat "$P/says@master/says")" = first

    secret access password again 2> "$T/refused" && exit 1
    has "$T/refused" "secret 'access': is there already"
    pfs delete secret access; secret access password second
    echo 4 > "$P/data@master/f"; commit data@master
    ended says success; test "$(cat "$P/says@master/says")" = second

    pfs delete secret access; test -z "$(pfs list secret | tail -n +2)"
    pfs delete secret access 2> "$T/refused" && exit 1
    has "$T/refused" "secret 'access': no such secret"
  )sh"));
}

TEST_CASE("an image is pulled with image_pull_secrets from a registry that asks for a password, and not without", "[semantics]") {
  const TemporaryDirectory directory;
  const std::string registries = directory / "registries.conf";
  const std::string prepared = std::string("sh ") + PFS_SOURCE + "/tests/semantics/registry.sh start '" + directory.path() + "'";
  INFO("docker-registry is fetched by scripts/install-deps.sh");
  REQUIRE(std::system(prepared.c_str()) == 0);
  Mounted mounted({"CONTAINERS_REGISTRIES_CONF=" + registries});
  const auto said = sh(mounted, "registry=" + directory.path() + "\n" + with_secrets(R"sh(
    export CONTAINERS_REGISTRIES_CONF="$registry/registries.conf"
    private=$(cat "$registry/address")/private/busybox:1
    podman push --quiet --creds alice:wonderland "$image" "docker://$private"
    image=$private
    trap 'podman rmi --force "$private" > /dev/null 2>&1 || true' EXIT

    using without '' 'cp /pfs/data/* /pfs/out/'
    echo hello > "$P/data@master/f"; commit data@master
    ended without failure
    has "$T/job" "image $private: not on this machine, and cannot be pulled"
    grep -q -i -e unauthorized -e 'authentication required' "$T/job" || { cat "$T/job"; exit 1; }

    using missing '"image_pull_secrets": ["nothing"],' 'cp /pfs/data/* /pfs/out/'
    ended missing failure; has "$T/job" "image_pull_secrets: secret 'nothing': no such secret"

    secret opaque password wonderland
    using opaque '"image_pull_secrets": ["opaque"],' 'cp /pfs/data/* /pfs/out/'
    ended opaque failure; has "$T/job" "secret 'opaque': is of type Opaque, and image_pull_secrets takes kubernetes.io/dockerconfigjson"

    credentials() { # NAME USER:PASSWORD
      config="{\"auths\":{\"$(cat "$registry/address")\":{\"auth\":\"$(printf %s "$2" | base64)\"}}}"
      cat << SECRET | pfs create secret -f -
      { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "$1" }, "type": "kubernetes.io/dockerconfigjson",
        "data": { ".dockerconfigjson": "$(printf %s "$config" | base64 -w 0)" } }
SECRET
    }
    credentials wrong alice:looking-glass
    using wrong '"image_pull_secrets": ["wrong"],' 'cp /pfs/data/* /pfs/out/'
    ended wrong failure; has "$T/job" "cannot be pulled"

    credentials right alice:wonderland
    using right '"image_pull_secrets": ["wrong", "right"],' 'cp /pfs/data/* /pfs/out/'
    ended right success; test "$(cat "$P/right@master/f")" = hello
    test -z "$(find "${P%/mnt}/store/jobs/links" -name '*.pull')"
  )sh"));
  (void)std::system((std::string("sh ") + PFS_SOURCE + "/tests/semantics/registry.sh stop '" + directory.path() + "'").c_str());
  INFO(said.text);
  CHECK(said.status == 0);
}
