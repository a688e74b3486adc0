//! The manifests under examples/servers parse, and name what there is.

use serde_json::{Value, json};

use crate::support::{lockstep, programs};

fn documents(name: &str) -> Option<Vec<Value>> {
    let mut python = programs::python("manifests.py")?;
    let folder = format!("{}/examples/servers/{name}", env!("CARGO_MANIFEST_DIR"));
    let out = python.arg(folder).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn the_manifests_start_servers_over_one_store() {
    let Some(compose) = documents("compose.yaml") else { return };
    let services = &compose[0]["services"];
    let one = &services["lockstep"];
    assert_eq!((&one["deploy"]["replicas"], &one["build"]), (&json!(3), &json!("../..")));
    assert!(
        one["environment"]["LOCKSTEP_STORE_URL"].as_str().unwrap().contains("@postgres/lockstep")
    );
    assert_eq!(one["depends_on"]["postgres"]["condition"], "service_healthy");
    assert!(services["postgres"]["healthcheck"]["test"].is_array());

    let kubernetes = documents("kubernetes.yaml").unwrap();
    let kinds: Vec<&str> = kubernetes.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Deployment", "Service", "PodDisruptionBudget"]);
    let labels = &kubernetes[0]["spec"]["template"]["metadata"]["labels"];
    for selector in [
        &kubernetes[0]["spec"]["selector"]["matchLabels"],
        &kubernetes[1]["spec"]["selector"],
        &kubernetes[2]["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    let pod = &kubernetes[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!((&container["args"], &one["command"]), (&one["command"], &container["args"]));
    let port = &container["ports"][0];
    assert_eq!((&port["name"], &port["containerPort"]), (&json!("http"), &json!(8463)));
    let dockerfile =
        std::fs::read_to_string(format!("{}/Dockerfile", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(dockerfile.contains("EXPOSE 8463") && dockerfile.contains("USER 10001"));
    assert_eq!(pod["securityContext"]["runAsUser"], 10001);
    // Every place that is mounted is a volume.
    let volumes: Vec<&Value> =
        pod["volumes"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert!(volumes.contains(&&mount["name"]), "{mount}");
    }
}

#[test]
fn the_servers_settings_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("{}/examples/servers/lockstep.toml", env!("CARGO_MANIFEST_DIR"));
    // It comes as far as the store, which is not there.
    let mut command = lockstep(folder.path());
    command.args([
        "--config",
        &settings,
        "--root",
        ".",
        "--store-url",
        "postgres://nobody@127.0.0.1:1/none",
    ]);
    command.args(["serve", "--http", "127.0.0.1:0"]).env("GOOGLE_TOKEN", "t");
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("postgres://127.0.0.1/none") && said.contains("cannot be reached"),
        "{said}"
    );
}
