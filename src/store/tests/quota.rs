use super::*;

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_processes_together_get_no_more_than_the_limit() {
    let (_folder, one) = fresh().await;
    let two = again(&one).await;
    let asking: Vec<_> = (0..60)
        .map(|asker| {
            let store = if asker % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(
                async move { store.quota_claim("reads", 25, MINUTE, at(0)).await.unwrap() },
            )
        })
        .collect();
    let mut passed = 0;
    for asked in asking {
        match asked.await.unwrap() {
            None => passed += 1,
            Some(wait) => assert_eq!(wait, MINUTE),
        }
    }
    assert_eq!(passed, 25);
    assert_eq!(one.quota_claim("writes", 25, MINUTE, at(0)).await.unwrap(), None);
    assert_eq!(
        one.quota_claim("reads", 25, MINUTE, at(59)).await.unwrap(),
        Some(MINUTE - MINUTE / 60 * 59)
    );
    assert_eq!(one.quota_claim("reads", 25, MINUTE, at(60)).await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_bucket_lets_nobody_pass() {
    let (_folder, store) = fresh().await;
    store.quota_close("reads", at(30)).await.unwrap();
    store.quota_close("reads", at(20)).await.unwrap();
    let wait = store.quota_claim("reads", 9, MINUTE, at(10)).await.unwrap();
    assert_eq!(wait, Some(SignedDuration::from_secs(20)), "the later end stays");
    assert_eq!(store.quota_claim("writes", 9, MINUTE, at(10)).await.unwrap(), None);
    assert_eq!(store.quota_claim("reads", 1, MINUTE, at(30)).await.unwrap(), None);
    assert!(store.quota_claim("reads", 1, MINUTE, at(30)).await.unwrap().is_some());
    assert!(store.quota_claim("reads", 0, MINUTE, at(30)).await.is_err());
    assert!(store.quota_claim("reads", 1, SignedDuration::ZERO, at(30)).await.is_err());
}

#[tokio::test]
async fn a_clock_that_was_far_ahead_blocks_nothing() {
    let (_folder, store) = fresh().await;
    assert_eq!(store.quota_claim("b", 1, MINUTE, at(1_000_000)).await.unwrap(), None);
    assert_eq!(store.quota_claim("b", 1, MINUTE, at(0)).await.unwrap(), None);
    // One that is a little ahead counts.
    assert_eq!(store.quota_claim("c", 1, MINUTE, at(10)).await.unwrap(), None);
    let wait = store.quota_claim("c", 1, MINUTE, at(0)).await.unwrap();
    assert_eq!(wait, Some(SignedDuration::from_secs(70)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_window_slides_exactly(limit in 1u32..5, steps in prop::collection::vec(0i64..30, 1..40)) {
        wait(async {
            let (_folder, store) = fresh().await;
            let mut now = 0;
            let mut passed: Vec<i64> = vec![];
            for step in steps {
                now += step;
                let inside = |from: i64, passed: &[i64]| passed.iter().filter(|at| **at > from - 60).count();
                match store.quota_claim("b", limit, MINUTE, at(now)).await.unwrap() {
                    None => {
                        passed.push(now);
                        assert!(inside(now, &passed) <= limit as usize, "{passed:?}");
                    }
                    Some(wait) => {
                        let then = now + wait.as_secs();
                        assert!(wait.is_positive());
                        assert!(inside(then, &passed) < limit as usize, "too short: {wait}");
                        assert!(inside(then - 1, &passed) >= limit as usize, "too long: {wait}");
                    }
                }
            }
        });
    }
}
