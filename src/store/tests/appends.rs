use super::*;

#[tokio::test]
async fn an_append_is_remembered_seven_days_whatever_their_number() {
    let (_folder, store) = fresh().await;
    let day = 24 * 3_600;
    for n in 0..500 {
        store.remember_append("book", &format!("key {n}"), "rows", at(n)).await.unwrap();
    }
    let known = async |book: &str, name: &str, time: i64| {
        store.appended(book, name, at(time)).await.unwrap()
    };
    assert_eq!(known("book", "key 0", 7 * day - 1).await.as_deref(), Some("rows"));
    assert_eq!(known("book", "key 499", 7 * day).await.as_deref(), Some("rows"));
    assert_eq!(known("other", "key 0", 10).await, None);
    assert_eq!(known("book", "key 0", 7 * day).await, None);
    store.remember_append("book", "key 0", "other rows", at(7 * day)).await.unwrap();
    assert_eq!(known("book", "key 0", 8 * day).await.as_deref(), Some("other rows"));
    let left: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM appends").fetch_one(&store.reads).await.unwrap();
    assert_eq!(left, 500, "one was forgotten and remembered again");
    store.remember_append("book", "last", "rows", at(8 * day)).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM appends").fetch_one(&store.reads).await.unwrap();
    assert_eq!(left, 2);
}
