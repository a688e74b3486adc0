//! A served workspace as any client meets it: JSON over HTTP, and the faults that it is told to have.

use serde_json::{Value, json};

/// Returns an HTTP client; the process has one crypto provider, and any test may come first.
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Sends JSON, as somebody else than the owner where a name is given; the answer of a refusal is the error.
pub(crate) async fn send(
    method: &str,
    base: &str,
    path: &str,
    user: Option<&str>,
    body: &Value,
) -> Result<Value, String> {
    let method: reqwest::Method = method.parse().unwrap();
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    let request = http().request(method, url).json(body);
    let request = user.into_iter().fold(request, |request, user| request.bearer_auth(user));
    let answer = request.send().await.unwrap();
    match answer.status().as_u16() {
        200 => Ok(answer.json().await.unwrap()),
        _ => Err(answer.text().await.unwrap()),
    }
}

/// Sets the faults of the workspace at an address.
pub(crate) async fn set_faults(base: &str, rules: Value) {
    let body = json!({ "seed": 1, "rules": rules });
    send("PUT", base, "_lockstep/faults", None, &body).await.unwrap();
}

/// Returns how often each of the faults in force has happened.
pub(crate) async fn happened(base: &str) -> Vec<u64> {
    let answer = send("GET", base, "_lockstep/faults", None, &Value::Null).await.unwrap();
    let counts = answer["counts"].as_array().unwrap();
    counts.iter().map(|count| count["happened"].as_u64().unwrap()).collect()
}
