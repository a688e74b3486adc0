-- Calls that went on after their request was answered. A question waits for the person's answer; outcome is what the
-- client gets in the end. Nothing but the state, the message and these changes after a task was made.
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    tool TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    holder TEXT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    cancel BOOLEAN NOT NULL,
    question TEXT,
    answer TEXT,
    outcome TEXT
);
CREATE INDEX tasks_subject ON tasks (subject, created);
