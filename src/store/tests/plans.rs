use std::collections::BTreeMap;

use lockstep_engine::plan::{Basis, Body, Plan};
use lockstep_engine::reconcile::{Change, Reconciled};
use lockstep_engine::schema::{Column, ColumnType, Schema};

use super::*;
use crate::store::plans::StoredPlan;

/// A plan that inserts one row.
pub(super) fn plan(dataset: &str, key: &str) -> Plan {
    let change = Change {
        key: Key::of(key),
        kind: ChangeKind::Insert,
        before: None,
        after: Some(row(key, 1)),
        cells: vec![0, 1].into(),
        row: None,
    };
    let columns = vec![Column::new("id", ColumnType::Text), Column::new("n", ColumnType::Number)];
    Plan::new(Body {
        basis: Basis {
            dataset: dataset.into(),
            definition: "v1".into(),
            bases: BTreeMap::new(),
            content: [("left".to_owned(), "l".to_owned())].into(),
            schema: Schema::new(columns, vec![0]),
        },
        result: Reconciled { right: vec![change], ..Reconciled::default() }.into(),
        findings: vec![],
        halts: vec![],
    })
}

fn first(id: &str, digits: usize) -> &str {
    id.get(..digits).unwrap()
}

#[tokio::test]
async fn a_plan_is_found_by_its_name_for_a_day() {
    let (_folder, store) = fresh().await;
    let one = plan("d", "k");
    let day = 86_400;
    store.put_plan(&one, &json!({ "v": 1 }), at(0)).await.unwrap();
    store.put_plan(&plan("d", "other"), &json!({}), at(0)).await.unwrap();
    let id = one.id().to_owned();
    let wanted = StoredPlan {
        plan: one.clone(),
        definition: json!({ "v": 1 }),
        created: at(0),
        expires: at(day),
    };
    let shouted = first(&id, 16).to_uppercase();
    for name in [first(&id, 8), first(&id, 16), &id, &shouted] {
        let found = store.plan(name, at(day - 1)).await.unwrap();
        assert_eq!(found, PlanLookup::Found(Box::new(wanted.clone())), "{name}");
    }
    let expired = PlanLookup::Expired { id: id.clone(), expired: at(day) };
    assert_eq!(store.plan(&id, at(day)).await.unwrap(), expired);
    // Making the same plan again renews it.
    store.put_plan(&one, &json!({ "v": 2 }), at(day)).await.unwrap();
    let PlanLookup::Found(found) = store.plan(&id, at(day)).await.unwrap() else { panic!() };
    assert_eq!((found.created, found.expires), (at(0), at(2 * day)));
    assert_eq!(found.definition, json!({ "v": 2 }));

    assert_eq!(store.plan("00000000", at(0)).await.unwrap(), PlanLookup::Unknown);
    for bad in ["", first(&id, 7), "0123456g", &format!("{id}0"), "%%%%%%%%"] {
        let error = store.plan(bad, at(0)).await.unwrap_err();
        assert!(error.to_string().contains("no plan id"), "{error}");
    }
}

#[tokio::test]
async fn a_beginning_of_two_names_is_ambiguous() {
    let (_folder, store) = fresh().await;
    store.put_plan(&plan("d", "a"), &json!({}), at(0)).await.unwrap();
    let id = plan("d", "a").id().to_owned();
    let twin = format!("{}{}", first(&id, 10), if id.get(10..11) == Some("0") { "1" } else { "0" });
    sqlx::query(
        "INSERT INTO plans (id, dataset, created, expires, definition, body_digest, body)
         SELECT $1, dataset, created, expires, definition, body_digest, body FROM plans",
    )
    .bind(&twin)
    .execute(&store.writes)
    .await
    .unwrap();
    assert_eq!(store.plan(first(&id, 10), at(0)).await.unwrap(), PlanLookup::Many);
    assert!(matches!(store.plan(first(&id, 11), at(0)).await.unwrap(), PlanLookup::Found(_)));
}

#[tokio::test]
async fn a_plan_that_says_something_else_is_refused() {
    let (_folder, store) = fresh().await;
    let (one, two) = (plan("d", "a"), plan("d", "b"));
    store.put_plan(&one, &json!({}), at(0)).await.unwrap();
    store.put_plan(&two, &json!({}), at(0)).await.unwrap();
    sqlx::query(
        "UPDATE plans SET (body_digest, body) =
             (SELECT body_digest, body FROM plans WHERE id = $1) WHERE id = $2",
    )
    .bind(two.id())
    .bind(one.id())
    .execute(&store.writes)
    .await
    .unwrap();
    let error = store.plan(one.id(), at(0)).await.unwrap_err();
    assert!(error.to_string().contains("changed after it was made"), "{error}");
    assert!(matches!(store.plan(two.id(), at(0)).await.unwrap(), PlanLookup::Found(_)));
}
