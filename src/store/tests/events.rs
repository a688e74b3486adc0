//! The queue, the dead letters, and what stands beside them.

use std::collections::BTreeSet;

use super::super::claims::Depth;
use super::super::events::{Noted, Step};
use super::*;
use crate::error::Kind;

fn work(member: &str, key: &str, digest: u8) -> Work {
    Work {
        member: member.into(),
        key: Key::of(key),
        kind: ChangeKind::Update,
        columns: names(&["n"]),
        digest: vec![digest],
    }
}

fn members() -> BTreeSet<String> {
    names(&["left", "right"]).into_iter().collect()
}

async fn note(store: &Store, lease: &Lease, work: &[Work], second: i64) -> Noted {
    let members = members();
    let scope = Scope { members: &members, keys: None };
    store.note_events(lease, work, scope, at(second)).await.unwrap()
}

async fn claim(store: &Store, lease: &Lease, second: i64) -> Vec<Event> {
    store.claim_events(lease, &BTreeSet::new(), 10, at(second)).await.unwrap()
}

fn keys(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.work.key.to_string()).collect()
}

#[tokio::test]
async fn a_burst_on_a_key_is_one_event_that_keeps_its_place() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "stock", "a", at(0)).await;
    let both = [work("right", "a", 1), work("right", "b", 1)];
    assert_eq!(note(&store, &lease, &both, 1).await, Noted { new: 2, ..Noted::default() });
    // Told again it is nothing new; changed again it is the same event.
    assert_eq!(note(&store, &lease, &both, 2).await, Noted::default());
    for digest in 2..5 {
        let both = [work("right", "a", digest), work("right", "b", 1)];
        let noted = note(&store, &lease, &both, 3).await;
        assert_eq!(noted, Noted { coalesced: 1, ..Noted::default() });
    }
    let events = claim(&store, &lease, 4).await;
    assert_eq!(keys(&events), ["a", "b"]);
    assert_eq!((events[0].coalesced, events[0].detected), (4, at(1)));
    assert_eq!(events[0].work.digest, [4]);
    // What is not left to do goes.
    let noted = note(&store, &lease, &both[1..], 5).await;
    assert_eq!(noted, Noted { closed: 1, ..Noted::default() });
    let due = [("right".to_owned(), at(1))].into();
    let depth = Depth { events: 1, oldest: Some(at(1)), due, dead: 0 };
    assert_eq!(store.depth("stock").await.unwrap(), depth);
}

#[tokio::test]
async fn nothing_is_concluded_about_what_was_not_read() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "stock", "a", at(0)).await;
    note(&store, &lease, &[work("left", "a", 1), work("right", "a", 1), work("right", "b", 1)], 1)
        .await;
    let right: BTreeSet<String> = names(&["right"]).into_iter().collect();
    let only: BTreeSet<Key> = [Key::of("b")].into();
    let scope = Scope { members: &right, keys: Some(&only) };
    let noted = store.note_events(&lease, &[], scope, at(2)).await.unwrap();
    assert_eq!(noted.closed, 1);
    let left: Vec<_> = claim(&store, &lease, 3).await.into_iter().map(|one| one.work).collect();
    assert_eq!(left, [work("left", "a", 1), work("right", "a", 1)]);
}

#[tokio::test]
async fn events_wait_fail_and_die_with_their_story_and_other_work_revives_them() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "stock", "a", at(0)).await;
    note(&store, &lease, &[work("right", "a", 1), work("right", "b", 1)], 1).await;
    let [a, b]: [Event; 2] = claim(&store, &lease, 1).await.try_into().unwrap();
    let wait = Verdict::Wait { due: at(60), why: "down".into() };
    let again = Verdict::Again { due: at(10), why: "refused".into() };
    store.settle_events(&lease, vec![(a, wait), (b, again)], at(2)).await.unwrap();
    assert_eq!(claim(&store, &lease, 9).await, []);
    let [b]: [Event; 1] = claim(&store, &lease, 10).await.try_into().unwrap();
    assert_eq!((b.attempts, keys(std::slice::from_ref(&b))), (1, vec!["b".to_owned()]));
    let dead = Verdict::Dead { why: "refused for good".into() };
    store.settle_events(&lease, vec![(b, dead)], at(11)).await.unwrap();
    let letters = store.dead_letters(Some("stock"), 0, 10).await.unwrap();
    let story: Vec<&str> = letters[0].event.story.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(story, ["refused", "refused for good"]);
    assert_eq!((letters[0].event.attempts, letters[0].died), (2, at(11)));
    let [a]: [Event; 1] = claim(&store, &lease, 60).await.try_into().unwrap();
    assert_eq!(a.attempts, 0, "a down target burns nothing");

    // The same work is not told again, be the letter dropped or not; other work is.
    let same = [work("right", "a", 1), work("right", "b", 1)];
    assert_eq!(note(&store, &lease, &same, 70).await, Noted::default());
    assert_eq!(store.drop_letters(Which::default()).await.unwrap(), 1);
    assert_eq!(store.dead_letters(None, 0, 10).await.unwrap(), []);
    assert_eq!(note(&store, &lease, &same, 71).await, Noted::default());
    let other = [work("right", "a", 1), work("right", "b", 2)];
    assert_eq!(note(&store, &lease, &other, 72).await.new, 1);
    assert_eq!(store.depth("stock").await.unwrap().events, 2);
}

#[tokio::test]
async fn a_letter_is_tried_again_when_somebody_asks() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "stock", "a", at(0)).await;
    note(&store, &lease, &[work("right", "a", 1), work("right", "b", 1)], 1).await;
    let dead = |event| (event, Verdict::Dead { why: "no".into() });
    let verdicts = claim(&store, &lease, 1).await.into_iter().map(dead).collect();
    store.settle_events(&lease, verdicts, at(2)).await.unwrap();
    let letters = store.dead_letters(Some("stock"), 0, 10).await.unwrap();
    let one = [letters[1].event.number];
    let which = Which { dataset: Some("stock"), numbers: Some(&one) };
    assert_eq!(
        store.retry_letters(Which { dataset: Some("other"), ..which }, at(3)).await.unwrap(),
        0
    );
    assert_eq!(store.retry_letters(which, at(3)).await.unwrap(), 1);
    let [b]: [Event; 1] = claim(&store, &lease, 3).await.try_into().unwrap();
    assert_eq!((b.work.key.to_string().as_str(), b.attempts), ("b", 0));
    assert_eq!(b.story.last().unwrap().what, "somebody asked to try it again");
    assert_eq!(store.depth("stock").await.unwrap().dead, 1);
}

#[tokio::test]
async fn a_claim_of_a_process_that_is_gone_is_taken_over_and_an_old_fence_is_refused() {
    let (_folder, store) = fresh().await;
    let old = hold(&store, "stock", "a", at(0)).await;
    note(&store, &old, &[work("right", "a", 1)], 1).await;
    let lost = claim(&store, &old, 1).await;
    let new = hold(&store, "stock", "b", at(100)).await;
    let events = claim(&store, &new, 101).await;
    assert!(events[0].story[0].what.contains("ended before"), "{events:?}");
    let late = store.settle_events(&old, vec![(lost[0].clone(), Verdict::Done)], at(102)).await;
    assert_eq!(late.unwrap_err().kind(), Kind::Changed);
    assert!(store.claim_events(&old, &BTreeSet::new(), 1, at(103)).await.is_err());
    let right: BTreeSet<String> = ["right".to_owned()].into();
    assert_eq!(store.claim_events(&new, &right, 9, at(103)).await.unwrap(), []);
    store.settle_events(&new, vec![(events[0].clone(), Verdict::Done)], at(104)).await.unwrap();
    assert_eq!(store.depth("stock").await.unwrap(), Depth::default());
}

#[test]
fn a_long_story_keeps_its_beginning_and_its_end() {
    let step = |n: usize| Step { at: at(0), what: n.to_string() };
    let mut event = Event {
        number: 1,
        work: work("right", "a", 1),
        coalesced: 1,
        detected: at(0),
        attempts: 0,
        story: Vec::new(),
    };
    (0..100).for_each(|n| event.add(step(n)));
    event.add(step(99));
    let story: Vec<&str> = event.story.iter().map(|step| step.what.as_str()).collect();
    assert_eq!((story[0], story[1], story[11], story.len()), ("0", "89", "99", 12));
}

#[tokio::test]
async fn a_call_is_taken_in_once_within_its_window() {
    let (_folder, store) = fresh().await;
    let minute = SignedDuration::from_mins(1);
    let keys = vec![names(&["a"])];
    let once = Some(([1_u8].as_slice(), minute));
    assert!(store.take_call("stock", &keys, once, at(0)).await.unwrap());
    assert!(!store.take_call("stock", &keys, once, at(59)).await.unwrap());
    assert!(store.take_call("stock", &[], None, at(59)).await.unwrap());
    assert!(store.take_call("stock", &keys, once, at(61)).await.unwrap(), "the window is over");
    let calls = store.calls("stock").await.unwrap();
    assert_eq!(calls.iter().map(|call| call.keys.len()).collect::<Vec<_>>(), [1, 0, 1]);
    let numbers: Vec<u64> = calls.iter().map(|call| call.number).collect();
    store.drop_calls("stock", &numbers[..2]).await.unwrap();
    assert_eq!(store.calls("stock").await.unwrap().len(), 1);
    // What was looked into says nothing of a later change that is told in the same words.
    assert!(store.take_call("stock", &keys, once, at(62)).await.unwrap());
    assert!(!store.take_call("stock", &keys, once, at(63)).await.unwrap());
}

#[tokio::test]
async fn forgetting_a_key_takes_it_out_of_the_queue_and_the_letters() {
    let (_folder, store) = fresh().await;
    let lease = hold(&store, "stock", "a", at(0)).await;
    note(&store, &lease, &[work("right", "a", 1), work("left", "a", 1), work("right", "b", 1)], 1)
        .await;
    let [a, ..]: [Event; 3] = claim(&store, &lease, 1).await.try_into().unwrap();
    store
        .settle_events(&lease, vec![(a, Verdict::Dead { why: "no".into() })], at(2))
        .await
        .unwrap();
    let numbers =
        |events: &[Event]| events.iter().map(|one| one.work.key.clone()).collect::<Vec<_>>();
    let (queue, letters) = store.queue_of("stock").await.unwrap();
    assert_eq!(
        (numbers(&queue), numbers(&letters)),
        (vec![Key::of("a"), Key::of("b")], vec![Key::of("a")])
    );
    store.forget("stock", &Key::of("a")).await.unwrap();
    let (queue, letters) = store.queue_of("stock").await.unwrap();
    assert_eq!((numbers(&queue), letters), (vec![Key::of("b")], vec![]));
    assert_eq!(store.dead_letters(None, 0, 9).await.unwrap(), []);
    assert_eq!(keys(&claim(&store, &lease, 3).await), ["b"]);
}

#[tokio::test]
async fn watches_breakers_and_channels_are_kept() {
    let (_folder, store) = fresh().await;
    store.start_watch("stock", &json!({"poll": 30}), at(0)).await.unwrap();
    store.put_watch_status("stock", &json!({"seen": 1})).await.unwrap();
    let kept = store.watch("stock").await.unwrap().unwrap();
    assert_eq!((kept.running, kept.status), (true, json!({"seen": 1})));
    assert!(store.stop_watch("stock", at(1)).await.unwrap());
    assert!(!store.stop_watch("stock", at(2)).await.unwrap());
    assert!(!store.watches().await.unwrap()[0].running);

    let breaker = Breaker {
        member: "right".into(),
        failures: 2,
        since: at(0),
        until: at(9),
        why: "down".into(),
    };
    store.put_breakers("stock", std::slice::from_ref(&breaker)).await.unwrap();
    assert_eq!(store.breakers("stock").await.unwrap(), [breaker]);
    store.put_breakers("stock", &[]).await.unwrap();
    assert_eq!(store.breakers("stock").await.unwrap(), []);

    let channel = StoredChannel {
        id: "c".into(),
        dataset: "stock".into(),
        spreadsheet: "s".into(),
        resource: "r".into(),
        token: "t".into(),
        expires: at(5),
    };
    store.put_channel(&channel).await.unwrap();
    assert_eq!(store.channel("c").await.unwrap(), Some(channel.clone()));
    assert_eq!(store.channels("stock").await.unwrap(), [channel]);
    store.drop_channel("c").await.unwrap();
    assert_eq!(store.channel("c").await.unwrap(), None);
}
