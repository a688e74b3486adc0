use super::*;

#[tokio::test]
async fn what_a_batch_is_aimed_at_is_there_until_its_run_is_closed() {
    let (_folder, store) = fresh().await;
    let aim = async |run: &str, seq: u32| store.aim(run, seq).await.unwrap();
    assert_eq!(aim("run", 0).await, None);
    store.keep_aim("run", 0, b"first".to_vec()).await.unwrap();
    store.keep_aim("run", 1, vec![7; 100_000]).await.unwrap();
    store.keep_aim("other", 0, b"other".to_vec()).await.unwrap();
    assert_eq!(aim("run", 0).await, None, "the batch before is settled");
    assert_eq!(aim("run", 1).await, Some(vec![7; 100_000]));
    let lease = hold(&store, "d", "me", at(0)).await;
    complete(&store, &lease, &run("run", "d"), vec![action("a", None, Some(1))]).await;
    assert_eq!(aim("run", 1).await, None);
    assert_eq!(aim("other", 0).await, Some(b"other".to_vec()));
}
