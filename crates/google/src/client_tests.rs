use super::*;
use crate::Secret;

fn with(change: impl FnOnce(&mut Config)) -> Result<Google> {
    let mut config = Config::local("http://127.0.0.1:1");
    change(&mut config);
    Google::new(config)
}

#[test]
fn an_endpoint_gets_its_slash_and_its_paths() {
    for drive in ["http://localhost:1/x", "http://localhost:1/x/", "http://localhost:1/x/drive/v3"]
    {
        let google = with(|config| {
            config.sheets_url = "http://[::1]:9".into();
            config.drive_url = drive.into();
        });
        let google = google.unwrap();
        assert_eq!(google.shared.sheets_base, "http://[::1]:9/");
        assert_eq!(google.shared.drive_base, "http://localhost:1/x/drive/v3/");
    }
}

#[test]
fn what_is_no_endpoint_is_refused() {
    for url in
        ["", "x", "ftp://x", "http://", "/v4", "http://u:p@h/", "http://h/?key=1", "http://a b"]
    {
        let error = with(|config| config.sheets_url = url.into()).unwrap_err();
        assert_eq!(error.kind, Kind::Setup, "{url}: {error}");
        let error = with(|config| config.drive_url = url.into()).unwrap_err();
        assert_eq!(error.kind, Kind::Setup, "{url}: {error}");
    }
}

#[test]
fn credentials_do_not_leave_the_machine_in_the_clear() {
    let token = || Auth::Token(Secret::new("t"));
    let error = with(|config| {
        config.auth = token();
        config.drive_url = "http://sheets.example.com/".into();
    });
    assert!(error.unwrap_err().to_string().contains("unencrypted"));
    assert!(with(|config| config.auth = token()).is_ok());
    // "localhost.example.com" is another machine, "127.9.9.9" is not.
    let at = |host: &str| {
        with(|config| {
            config.auth = token();
            config.sheets_url = format!("http://{host}/");
        })
    };
    assert!(at("localhost.example.com").is_err());
    assert!(at("127.9.9.9").is_ok());
}

#[test]
fn a_header_that_would_panic_later_is_refused_now() {
    for agent in ["", "a\nb", "ä\0"] {
        let error = with(|config| config.user_agent = agent.into()).unwrap_err();
        assert_eq!(error.kind, Kind::Setup, "{agent:?}");
    }
}
