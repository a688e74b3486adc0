use super::*;

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(value).unwrap())
}

#[tokio::test]
async fn what_a_batch_is_aimed_at_is_there_until_it_is_settled() {
    let (_folder, store) = fresh().await;
    let aim = async |run: &str, seq: u32| store.aim(run, seq).await.unwrap();
    assert_eq!(aim("run", 0).await, None);
    store.keep_aim("run", 0, &"first").await.unwrap();
    store.keep_aim("run", 1, &vec![7; 100_000]).await.unwrap();
    store.keep_aim("other", 0, &"other").await.unwrap();
    assert_eq!(aim("run", 0).await, json("first"), "of another member");
    assert_eq!(aim("run", 1).await, json(&vec![7; 100_000]));
    let lease = hold(&store, "d", "me", at(0)).await;
    let batches = [batch(0, vec![action("a", None, Some(1))]), batch(1, vec![])];
    store.begin(&lease, &run("run", "d"), &batches, &own(&[])).await.unwrap();
    store.mark_batch(&lease, "run", 1, BatchState::Applied, None, &[]).await.unwrap();
    assert_eq!(aim("run", 1).await, None);
    assert_eq!(aim("run", 0).await, json("first"));
    store.mark_batch(&lease, "run", 0, BatchState::Failed, None, &[]).await.unwrap();
    store.keep_aim("run", 0, &"late").await.unwrap();
    store.finish(&lease, "run", &outcome(RunState::Partial, Vec::new())).await.unwrap();
    assert_eq!(aim("run", 0).await, None, "a closed run has none");
    assert_eq!(aim("other", 0).await, json("other"));
}
