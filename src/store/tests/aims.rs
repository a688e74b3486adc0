use super::*;

#[tokio::test]
async fn what_a_batch_is_aimed_at_is_there_until_it_is_settled() {
    let (_folder, store) = fresh().await;
    let aim = async |run: &str, seq: u32| store.aim(run, seq).await.unwrap();
    assert_eq!(aim("run", 0).await, None);
    store.keep_aim("run", 0, b"first".to_vec()).await.unwrap();
    store.keep_aim("run", 1, vec![7; 100_000]).await.unwrap();
    store.keep_aim("other", 0, b"other".to_vec()).await.unwrap();
    assert_eq!(aim("run", 0).await, Some(b"first".to_vec()), "of another member");
    assert_eq!(aim("run", 1).await, Some(vec![7; 100_000]));
    let lease = hold(&store, "d", "me", at(0)).await;
    let batches = [batch(0, vec![action("a", None, Some(1))]), batch(1, vec![])];
    store.begin(&lease, &run("run", "d"), &batches, &own(&[])).await.unwrap();
    store.mark_batch(&lease, "run", 1, BatchState::Applied, None, &[]).await.unwrap();
    assert_eq!(aim("run", 1).await, None);
    assert_eq!(aim("run", 0).await, Some(b"first".to_vec()));
    store.mark_batch(&lease, "run", 0, BatchState::Failed, None, &[]).await.unwrap();
    store.keep_aim("run", 0, b"late".to_vec()).await.unwrap();
    store.finish(&lease, "run", &outcome(RunState::Partial, Vec::new())).await.unwrap();
    assert_eq!(aim("run", 0).await, None, "a closed run has none");
    assert_eq!(aim("other", 0).await, Some(b"other".to_vec()));
}
