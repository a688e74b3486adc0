use super::*;
use crate::store::{Task, TaskState};

fn task(id: &str, subject: &str, created: i64) -> Task {
    Task {
        id: id.to_owned(),
        subject: subject.to_owned(),
        tool: "syncDataset".to_owned(),
        state: TaskState::Working,
        message: Some("reading".to_owned()),
        holder: "process 1".to_owned(),
        created: at(created),
        updated: at(created),
        expires: at(created + 100),
        cancel: false,
        question: None,
        answer: None,
        outcome: None,
    }
}

#[tokio::test]
async fn a_task_waits_for_its_answer_and_ends_once() {
    let (_folder, store) = fresh().await;
    store.add_task(&task("a", "ada", 0)).await.unwrap();
    store.ask_task("a", &json!({"key": "agree"}), "50 rows", at(1)).await.unwrap();
    store.answer_task("a", &json!("yes"), at(2)).await.unwrap();
    let asked = store.task("a").await.unwrap().unwrap();
    assert_eq!((asked.state, asked.updated), (TaskState::InputRequired, at(2)));
    assert_eq!((asked.question, asked.answer), (Some(json!({"key": "agree"})), Some(json!("yes"))));
    store.note_task("a", "writing", at(3)).await.unwrap();
    let works = store.task("a").await.unwrap().unwrap();
    assert_eq!((works.state, &works.question, &works.answer), (TaskState::Working, &None, &None));
    store.cancel_task("a", at(4)).await.unwrap();
    assert!(store.task("a").await.unwrap().unwrap().cancel);
    assert!(store.end_task(&works).await.is_err(), "it would not be over");
    let done = Task { state: TaskState::Completed, outcome: Some(json!({"rows": 1})), ..works };
    assert!(store.end_task(&done).await.unwrap());
    let late = Task { state: TaskState::Failed, outcome: None, ..done.clone() };
    assert!(!store.end_task(&late).await.unwrap(), "it was over");
    store.note_task("a", "late", at(9)).await.unwrap();
    let after = store.task("a").await.unwrap().unwrap();
    assert_eq!((after.state, after.outcome), (TaskState::Completed, Some(json!({"rows": 1}))));
}

#[tokio::test]
async fn what_is_over_goes_when_it_has_expired_or_is_forgotten() {
    let (_folder, store) = fresh().await;
    for (id, subject) in [("a", "ada"), ("b", "bo"), ("c", "ada")] {
        store.add_task(&task(id, subject, 0)).await.unwrap();
    }
    let over = Task { state: TaskState::Cancelled, ..task("a", "ada", 0) };
    assert!(store.end_task(&over).await.unwrap());
    let ids = async |subject: &str| -> Vec<String> {
        let found = store.tasks_of(subject, 10).await.unwrap();
        found.into_iter().map(|task| task.id).collect()
    };
    assert_eq!(ids("ada").await, ["a", "c"]);
    store.add_task(&task("d", "ada", 99)).await.unwrap();
    assert_eq!(ids("ada").await, ["d", "a", "c"], "newest first; nothing has expired");
    store.add_task(&task("e", "bo", 100)).await.unwrap();
    assert_eq!(ids("ada").await, ["d", "c"], "what is under way does not expire");
    let open: Vec<String> =
        store.open_tasks().await.unwrap().into_iter().map(|task| task.id).collect();
    assert_eq!(open, ["b", "c", "d", "e"]);
    let quotes = Task { state: TaskState::Completed, ..task("d", "ada", 99) };
    assert!(store.end_task(&quotes).await.unwrap());
    store.forget("sales", &Key::of("k1")).await.unwrap();
    assert_eq!(ids("ada").await, ["c"], "its report may have quoted the record");
}
