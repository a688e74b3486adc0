use super::*;
use crate::error::Kind;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_ask_one_gets_it_and_fences_rise() {
    let (_folder, one) = fresh().await;
    let two = again(&one).await;
    let mut fences = vec![];
    for round in 0..6 {
        let now = at(round * 1_000);
        let asking: Vec<_> = (0..10)
            .map(|asker| {
                let store = if asker % 2 == 0 { one.clone() } else { two.clone() };
                let holder = format!("process {asker}");
                tokio::spawn(async move { store.acquire("d", &holder, now, TTL).await.unwrap() })
            })
            .collect();
        let mut held = vec![];
        let mut busy = vec![];
        for asked in asking {
            match asked.await.unwrap() {
                Acquired::Held(lease) => held.push(lease),
                Acquired::Busy { holder, until } => busy.push((holder, until)),
            }
        }
        assert_eq!(held.len(), 1);
        assert!(busy.iter().all(|said| *said == (held[0].holder.clone(), held[0].until)));
        fences.push(held[0].fence);
    }
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
}

#[tokio::test]
async fn a_lease_ends_is_renewed_and_given_back() {
    let (_folder, store) = fresh().await;
    let first = hold(&store, "d", "a", at(0)).await;
    assert_eq!((first.fence, first.until), (1, at(60)));
    let busy = Acquired::Busy { holder: "a".into(), until: at(60) };
    assert_eq!(store.acquire("d", "b", at(59), TTL).await.unwrap(), busy);
    assert_eq!(store.acquire("d", "a", at(1), TTL).await.unwrap(), busy, "also to itself");
    hold(&store, "other", "b", at(1)).await;

    let renewed = store.renew(&first, at(50), TTL).await.unwrap();
    assert_eq!(renewed, Lease { until: at(110), ..first.clone() });
    // It expired, but nobody came: it is still the holder's.
    let renewed = store.renew(&renewed, at(500), TTL).await.unwrap();
    store.release(&renewed).await.unwrap();
    let second = hold(&store, "d", "b", at(501)).await;
    assert_eq!(second.fence, 2);

    let error = store.renew(&first, at(502), TTL).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    assert!(error.to_string().contains("b took it over"), "{error}");
    // Giving back what is another's changes nothing.
    store.release(&first).await.unwrap();
    assert!(matches!(store.acquire("d", "c", at(503), TTL).await.unwrap(), Acquired::Busy { .. }));
    assert!(store.acquire("d", "c", at(900), SignedDuration::ZERO).await.is_err());
    assert!(store.acquire("d", " ", at(900), TTL).await.is_err());
}

#[tokio::test]
async fn whoever_lost_the_lease_can_store_nothing() {
    let (_folder, one) = fresh().await;
    let two = again(&one).await;
    let old = hold(&one, "d", "a", at(0)).await;
    let work = [batch(1, vec![action("k", None, Some(1))])];
    one.begin(&old, &run("r1", "d"), &work, &own(&[put("k", None, Some(1))])).await.unwrap();

    let new = hold(&two, "d", "b", at(61)).await;
    let done = outcome(RunState::Applied, vec![put("k", None, Some(1))]);
    let refused = [
        one.begin(&old, &run("r2", "d"), &[], &[]).await.unwrap_err(),
        one.mark_batch(&old, "r1", 1, BatchState::Applied, None, &[]).await.unwrap_err(),
        one.void_intended(&old, "r1", "never sent").await.unwrap_err(),
        one.finish(&old, "r1", &done).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), Kind::Changed, "{error}");
    }
    assert_eq!(two.batches("r1").await.unwrap(), work);
    assert_eq!(two.base("d").await.unwrap(), None);
    assert_eq!(two.open_runs("d").await.unwrap().len(), 1);

    // The new holder settles and closes what the old one began.
    two.mark_batch(&new, "r1", 1, BatchState::Applied, Some("the marker is there"), &[])
        .await
        .unwrap();
    assert_eq!(two.finish(&new, "r1", &done).await.unwrap(), Some(1));
    assert_eq!(one.run("r1").await.unwrap().unwrap().fence, old.fence);

    // A lease of one dataset says nothing about another.
    let other = hold(&one, "other", "a", at(61)).await;
    assert!(one.begin(&other, &run("r3", "d"), &[], &[]).await.is_err());
    one.begin(&other, &run("r4", "other"), &[], &[]).await.unwrap();
    let error = two.finish(&new, "r4", &outcome(RunState::Failed, vec![])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    // One that was given back is none.
    one.release(&other).await.unwrap();
    let error = one.finish(&other, "r4", &outcome(RunState::Failed, vec![])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
}
