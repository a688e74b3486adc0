use super::*;

fn object(value: Value) -> JsonObject {
    value.as_object().unwrap().clone()
}

fn key() -> Key {
    Key::load(&tempfile::tempdir().unwrap().path().join("k")).unwrap()
}

fn asked() -> (Asking, Question) {
    (
        Asking::new(&key()),
        Question { about: "plan1".into(), message: "30 rows".into(), choices: Vec::new() },
    )
}

fn who(subject: &str) -> Principal {
    Principal { subject: subject.into(), ..Principal::local() }
}

#[test]
fn a_call_is_the_same_whatever_the_order_of_its_arguments_and_its_code() {
    let one = digest(&who("a"), "t", &object(json!({"x": 1, "y": {"p": 1, "q": [2]}})));
    let same = object(json!({"confirm": "c", "y": {"q": [2], "p": 1}, "x": 1}));
    assert_eq!(one, digest(&who("a"), "t", &same));
    for (subject, tool, arguments) in [
        ("b", "t", json!({"x": 1, "y": {"p": 1, "q": [2]}})),
        ("a", "u", json!({"x": 1, "y": {"p": 1, "q": [2]}})),
        ("a", "t", json!({"x": 2, "y": {"p": 1, "q": [2]}})),
        ("a", "t", json!({"x": 1, "y": {"p": 1, "q": [2, 2]}})),
    ] {
        assert_ne!(one, digest(&who(subject), tool, &object(arguments)));
    }
}

#[test]
fn a_code_is_good_once_for_its_own_question() {
    let key = key();
    let (asking, question) = (Asking::new(&key), asked().1);
    let (mine, other) = (blake3::hash(b"mine"), blake3::hash(b"other"));
    let text = asking.code(mine, &question, "t", None).to_string();
    let (_, rest) = text.split_once("confirm: \"").unwrap();
    let (code, _) = rest.split_once('"').unwrap();
    assert!(!asking.redeem(other, "plan1", code), "another call's");
    assert!(!asking.redeem(mine, "plan2", code), "another plan's");
    assert!(!asked().0.redeem(mine, "plan1", code), "another installation's");
    assert!(!asking.redeem(mine, "plan1", "guess"));
    assert!(asking.redeem(mine, "plan1", code));
    assert!(!asking.redeem(mine, "plan1", code), "twice");
    assert!(
        Asking::new(&key).redeem(mine, "plan1", code),
        "another process of the same installation"
    );
}

#[test]
fn a_state_is_good_once_for_its_own_call_and_unchanged() {
    let (asking, question) = asked();
    let (mine, other) = (blake3::hash(b"mine"), blake3::hash(b"other"));
    let said = |action: &str, agree: bool| -> InputResponses {
        [(ASK.to_owned(), json!({"action": action, "content": {ASK: agree}}))].into()
    };
    let fresh = || asking.answer(mine, &question).unwrap().request_state.unwrap();
    let yes = said("accept", true);
    let state = fresh();
    assert_eq!(asking.heard(mine, &state, None).unwrap(), Word::None);
    assert_eq!(
        asking.heard(mine, &state, Some(&[("x".into(), json!(1))].into())).unwrap(),
        Word::None
    );
    assert!(asking.heard(other, &state, Some(&yes)).is_err(), "another call's");
    assert!(asking.heard(mine, &format!("{state}x"), Some(&yes)).is_err(), "changed");
    assert!(asked().0.heard(mine, &state, Some(&yes)).is_err(), "another server's");
    assert_eq!(
        asking.heard(mine, &state, Some(&yes)).unwrap(),
        Word::Yes(Agreed { about: "plan1".into(), said: None })
    );
    assert!(asking.heard(mine, &state, Some(&yes)).is_err(), "twice");
    for no in [said("accept", false), said("decline", true), said("cancel", true)] {
        assert_eq!(asking.heard(mine, &fresh(), Some(&no)).unwrap(), Word::No);
    }
}
