//! What only PostgreSQL does: its types, its views, its constraints, its transactions.

use std::time::Duration;

use serde_json::json;

use super::{shop::Shop, sql::Sql};
use crate::support::postgres;

/// Starts with tables, or ends the test where there is no PostgreSQL.
macro_rules! shop {
    ($setup:expr) => {
        shop!($setup, "writable = true")
    };
    ($setup:expr, $more:expr) => {
        match postgres::database().await {
            Some(database) => Shop::with(Sql::Postgres(database), $setup, $more).await,
            None => return,
        }
    };
}

const TYPES: &str = "CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE mood AS ENUM ('happy', 'sad'); \
     CREATE DOMAIN sku AS varchar(8) CHECK (value <> 'bad'); \
     CREATE TABLE everything (id int8 PRIMARY KEY, n numeric(30, 10), i2 int2, i4 int4, f4 float4, f8 float8, \
     b bool, d date, t time, ts timestamp, tz timestamptz, j json, jb jsonb, ta text[], ia int4[], ba bool[], \
     ea mood[], u uuid, v varchar(5), c char(4), m mood, ct citext, iv interval, ip inet, dom sku)";

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_through_both_ways() {
    let shop = shop!(TYPES);
    shop.sql
        .run(
            "INSERT INTO everything VALUES (9223372036854775807, 12345678901234567890.0123456789, -32768, 7, 0.1, \
             1e300, true, '2024-01-15', '09:30:00.123456', '2024-01-15 09:30:00.5', '2024-01-15 09:30:00+02', \
             '{\"a\":  [1]}', '{\"b\":2,\"a\":1}', '{\"x,y\",z,NULL,\"\"}', '{1,2}', '{t,f}', '{sad}', \
             'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'abc', 'ab', 'sad', 'MiXed', '1 day 02:03:04', '10.0.0.1/8', \
             'x1'), (2, 'NaN', 0, 0, 'Infinity', 0.1, false, '0044-03-15 BC', '24:00:00', 'infinity', NULL, '[]', \
             'null', '{}', '{{1,2},{3,4}}', NULL, NULL, NULL, '', NULL, 'happy', '', NULL, NULL, NULL)",
        )
        .await;
    let all = json!({"connection": "shop", "table": "public.everything"});
    let csv = shop.export(all.clone(), json!({})).await;
    for text in [
        "9223372036854775807",
        "12345678901234567890.0123456789",
        "2024-01-15T07:30:00Z",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{\"\"a\"\":  [1]}",
        "P1DT2H3M4S",
        "10.0.0.1/8",
        "0044-03-15 BC",
        "NaN",
        "\"1, 2\"",
    ] {
        assert!(csv.contains(text), "{text} in\n{csv}");
    }
    let before = shop.texts("SELECT e::text FROM everything e ORDER BY id").await;
    shop.sql.run("CREATE TABLE copy (LIKE everything INCLUDING ALL)").await;
    let back = json!({
        "name": "back", "left": {"file": "out.csv"}, "right": {"connection": "shop", "table": "copy"},
        "key": ["id"], "mode": "apply",
        "columns": csv.lines().next().unwrap().split(',')
            .map(|name| json!({"name": name})).collect::<Vec<_>>(),
    });
    let report = shop.house.ok("syncDataset", back.clone()).await;
    assert_eq!(report["counts"]["insert"], 2, "{report:#}");
    // Blank texts and nulls are the same nothing to a CSV file.
    let same = before.iter().map(|row| row.replace("\"\"", "")).collect::<Vec<_>>();
    let after = shop.texts("SELECT e::text FROM copy e ORDER BY id").await;
    let after = after.iter().map(|row| row.replace("\"\"", "")).collect::<Vec<_>>();
    assert_eq!(after, same);
    let again = shop.house.ok("syncDataset", back).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_refused_by_name_and_other_columns_can_be_mapped() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, photo bytea, name text); INSERT INTO t VALUES (1, 'x', 'a')"
    );
    let side = json!({"connection": "shop", "table": "t"});
    let error = shop.house.err("syncDataset", shop.out(side.clone(), json!({}))).await;
    assert!(
        error.contains("\"photo\"") && error.contains("bytea") && error.contains("columns"),
        "{error}"
    );
    let csv = shop.export(side, json!({"columns": [{"name": "id"}, {"name": "name"}]})).await;
    assert_eq!(csv, "id,name\n1,a\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_without_an_offset_are_in_utc() {
    let shop = shop!("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)");
    let csv = "id,at\n1,2024-01-15T09:30:00\n2,2024-01-15T09:30:00+02:00\n";
    shop.apply("t", csv).await;
    let rows =
        shop.texts("SELECT id::text, (at AT TIME ZONE 'UTC')::text FROM t ORDER BY id").await;
    assert_eq!(rows, ["1|2024-01-15 09:30:00", "2|2024-01-15 07:30:00"]);
    let again = shop.apply("t", csv).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_never_cut() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(3), n numeric(5, 2), i int2, c char(2), ts timestamp(0), j jsonb, \
         u text UNIQUE, r int REFERENCES t DEFERRABLE INITIALLY DEFERRED, q text NOT NULL DEFAULT 'q'); \
         INSERT INTO t (id, u) VALUES (1, 'taken')"
    );
    for (column, value, said) in [
        ("v", "abcd", "too long"),
        ("n", "1.005", "\"1.01\" where \"1.005\" was written"),
        ("n", "1000", "overflow"),
        ("i", "40000", "out of range"),
        ("i", "many", "invalid input"),
        ("c", "abc", "too long"),
        ("ts", "2024-01-15T09:30:00.6", "would hold"),
        ("j", "{\"\"a\"\":1}", "would hold"),
        ("j", "{a}", "invalid input"),
        ("u", "taken", "already exists"),
        ("r", "99", "not present"),
        ("q", "", "null value"),
    ] {
        let csv = format!("id,{column}\n2,\"{value}\"\n3,\n");
        let columns = json!([{"name": "id"}, {"name": column}]);
        let error = shop.fails("t", &csv, json!({"columns": columns})).await;
        assert!(error.contains("row 2 of") || error.contains("row 3 of"), "{column}: {error}");
        assert!(error.contains(said), "{column}: {error}");
        assert!(shop.texts("SELECT id::text FROM t WHERE id > 1").await.is_empty(), "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_may_need_each_other_within_a_batch() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t, n int CHECK (n < 10)); \
         INSERT INTO t VALUES (9, NULL, 1)"
    );
    let skip = json!({"right": {"connection": "shop", "table": "t", "onError": "skip"}});
    // 1 needs 3, 4 needs what is refused, 2 is refused by itself.
    let csv = "id,parent,n\n1,3,1\n2,,50\n3,,1\n4,2,1\n9,1,2\n";
    let report = shop.house.ok("syncDataset", shop.ask("t", csv, skip)).await;
    let told = report["refused"].to_string();
    assert!(
        told.contains("\"2\"") && told.contains("\"4\"") && told.contains("check"),
        "{report:#}"
    );
    let rows = shop.texts("SELECT id::text, parent::text, n::text FROM t ORDER BY id").await;
    assert_eq!(rows, ["1|3|1", "3|~|1", "9|1|2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_and_generated_columns_are_written_as_far_as_they_can() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED); \
         INSERT INTO t VALUES (1, 1); \
         CREATE VIEW plain AS SELECT id, a FROM t; \
         CREATE VIEW sums AS SELECT max(id) AS id, sum(a) AS a FROM t; \
         CREATE TABLE own (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int)"
    );
    let report = shop.apply("plain", "id,a\n1,5\n2,6\n").await;
    assert_eq!(report["state"], "applied", "{report:#}");
    assert_eq!(
        shop.texts("SELECT id::text, twice::text FROM t ORDER BY id").await,
        ["1|10", "2|12"]
    );
    let error = shop.fails("sums", "id,a\n1,5\n", json!({})).await;
    assert!(
        error.starts_with("permissionDenied")
            && error.contains("\"public.sums\" cannot be written"),
        "{error}"
    );
    // The generated column flows from the database alone: new rows get it from there.
    let report = shop.apply("t", "id,a,twice\n1,5,\n3,7,\n").await;
    assert_eq!(report["counts"]["insert"], 1, "{report:#}");
    assert_eq!(shop.texts("SELECT twice::text FROM t WHERE id = 3").await, ["14"]);
    let error = shop.fails("own", "id,a\n1,5\n", json!({})).await;
    assert!(error.contains("an identity that the database alone numbers"), "{error}");
    assert!(shop.texts("SELECT id::text FROM own").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_changes_or_drops_rows_is_found_out() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, a text); \
         CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF new.id = 2 THEN RETURN NULL; END IF; new.a := upper(new.a); RETURN new; END $$; \
         CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shout()"
    );
    let error = shop.fails("t", "id,a\n1,quiet\n", json!({})).await;
    assert!(error.contains("\"QUIET\" where \"quiet\" was written"), "{error}");
    let error = shop.fails("t", "id,a\n2,LOUD\n", json!({})).await;
    assert!(error.contains("did not keep the row"), "{error}");
    assert_eq!(shop.apply("t", "id,a\n1,LOUD\n").await["state"], "applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_and_does_nothing_else() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT g, g FROM generate_series(1, 3) g; \
         CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING id'"
    );
    let query = |sql: &str| json!({"connection": "shop", "query": sql});
    let csv = shop
        .export(query("SELECT id, sum(a) AS total FROM t GROUP BY id ORDER BY id; "), json!({}))
        .await;
    assert_eq!(csv, "id,total\n1,1\n2,2\n3,3\n");
    for sql in [
        "SELECT 1 AS id; DROP TABLE t",
        "SELECT 1 AS id) TO STDOUT; DROP TABLE t; --",
        "DELETE FROM t RETURNING id",
        "WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone",
        "SELECT evil() AS id",
        "SELECT id INTO stolen FROM t",
        "SELECT id FROM t --) TO PROGRAM 'touch /tmp/x'\n) TO STDOUT; DELETE FROM t; --",
        "COPY t TO PROGRAM 'touch /tmp/x'",
        "SELECT nope FROM t",
    ] {
        let error = shop.house.err("syncDataset", shop.out(query(sql), json!({}))).await;
        assert!(!error.starts_with("internal"), "{sql}: {error}");
        assert_eq!(shop.texts("SELECT count(*)::text FROM t").await, ["3"], "{sql}");
    }
    let error = shop
        .house
        .err(
            "syncDataset",
            shop.ask("t", "id,a\n1,1\n", json!({"right": query("SELECT id, a FROM t")})),
        )
        .await;
    assert!(error.contains("a query can only be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_what_can_be_named() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE secret (id int PRIMARY KEY)",
        "writable = true\ntables = [\"public.t\", \"t\"]"
    );
    assert_eq!(shop.apply("t", "id\n1\n").await["state"], "applied");
    let error = shop.fails("secret", "id\n1\n", json!({})).await;
    assert!(error.starts_with("permissionDenied") && error.contains("\"secret\""), "{error}");
    let side = json!({"connection": "shop", "query": "SELECT id FROM secret"});
    let error = shop.house.err("syncDataset", shop.out(side, json!({}))).await;
    assert!(error.contains("takes no queries"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_reading_can_be_tried_again() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20); \
         CREATE VIEW slow AS SELECT id, pg_sleep(0.1)::text AS nap FROM t"
    );
    let Sql::Postgres(database) = &shop.sql else { unreachable!() };
    let ask = shop.out(json!({"connection": "shop", "table": "slow"}), json!({}));
    let cut = Box::pin(async {
        assert!(database.cut().await > 0);
    });
    let error = shop.while_calling(ask, Duration::from_millis(800), cut).await.unwrap_err();
    assert!(error.starts_with("unavailable") && error.contains("may succeed later"), "{error}");
    assert!(!shop.house.folder.path().join("out.csv").exists());
    let csv = shop.export(json!({"connection": "shop", "table": "t"}), json!({})).await;
    assert_eq!(csv.lines().count(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_writing_leaves_nothing_of_the_batch() {
    let shop = shop!(
        "CREATE TABLE t (id int PRIMARY KEY); \
         CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN new; END $$; \
         CREATE TRIGGER nap BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nap()"
    );
    let Sql::Postgres(database) = &shop.sql else { unreachable!() };
    let csv: String = (1..=20).map(|id| format!("{id}\n")).collect();
    let csv = format!("id\n{csv}");
    let cut = Box::pin(async {
        assert!(database.cut().await > 0);
    });
    let ask = shop.ask("t", &csv, json!({}));
    let error = shop.while_calling(ask, Duration::from_millis(1_000), cut).await.unwrap_err();
    assert!(
        error.starts_with("unavailable") && error.contains("nothing of the batch was written"),
        "{error}"
    );
    assert!(shop.texts("SELECT id::text FROM t").await.is_empty());
    shop.sql.run("DROP TRIGGER nap ON t").await;
    assert_eq!(shop.apply("t", &csv).await["counts"]["insert"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_to_make_tables_is_told_what_to_do() {
    let setup = "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; CREATE TABLE t (id int PRIMARY KEY, a int); \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON t TO clerk; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    for (markers, says) in [("table", Some("markers = \"none\"")), ("none", None)] {
        let Some(database) = postgres::database().await else { return };
        database.run(format!("DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'clerk') THEN \
            EXECUTE 'DROP OWNED BY clerk'; END IF; END $$; {}", setup.replace("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN;", "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"))).await;
        let url = database.url.replace("postgres@", "clerk@");
        let house = crate::harness::House::with(|config| {
            let text = format!(
                "kind = \"postgres\"\nurl = \"{url}\"\nwritable = true\nmarkers = \"{markers}\""
            );
            config.connections.insert("shop".into(), toml::from_str(&text).unwrap());
        })
        .await;
        house.write("rows.csv", "id,a\n1,1\n");
        let ask = json!({
            "left": {"file": "rows.csv"}, "right": {"connection": "shop", "table": "t"}, "key": ["id"],
            "mode": "apply", "deletes": "ignore",
        });
        match says {
            Some(says) => {
                let error = house.err("syncDataset", ask).await;
                assert!(error.contains(says) && error.contains("CREATE TABLE"), "{error}");
                assert!(database.texts("SELECT id::text FROM t").await.is_empty());
            }
            None => assert_eq!(house.ok("syncDataset", ask).await["state"], "applied"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_out_of_words() {
    let config = "kind = \"postgres\"\nurl = \"postgres://me:hunter2@127.0.0.1:1/none\"\nconnectTimeoutSeconds = 1";
    let connection: lockstep::replica::connections::ConnectionConfig =
        toml::from_str(config).unwrap();
    assert!(!format!("{connection:?}").contains("hunter2"));
    let house = crate::harness::House::with(|config| {
        config.connections.insert("shop".into(), connection);
    })
    .await;
    assert!(!format!("{:?}", house.app).contains("hunter2"));
    let ask = json!({
        "left": {"connection": "shop", "table": "t"}, "right": {"file": "x.csv"}, "key": ["id"], "mode": "apply",
    });
    let error = house.err("syncDataset", ask).await;
    assert!(error.starts_with("unavailable") && !error.contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_tells_its_listeners_when_the_operator_wants_it() {
    let shop = shop!("CREATE TABLE t (id int PRIMARY KEY)");
    let Sql::Postgres(database) = &shop.sql else { unreachable!() };
    let config = format!(
        "backend = \"local\"\n[connections.shop]\nkind = \"postgres\"\nurl = \"{}\"\nwritable = true\n",
        database.url
    );
    let path = shop.house.write("lockstep.toml", config);
    let command = |install: bool| {
        let mut command = crate::support::lockstep(shop.house.data());
        command.args(["--config", path.to_str().unwrap(), "sql", "notify-ddl", "shop", "public.t"]);
        if install {
            command.arg("--install");
        }
        crate::support::bounded::succeed(command, Duration::from_secs(30))
    };
    let mut listener = sqlx::postgres::PgListener::connect(&database.url).await.unwrap();
    listener.listen("lockstep").await.unwrap();
    assert!(command(false).contains("CREATE TRIGGER lockstep_notify"));
    let triggers = "SELECT count(*)::text FROM pg_trigger WHERE tgname = 'lockstep_notify'";
    assert_eq!(shop.texts(triggers).await, ["0"]);
    for _ in 0..2 {
        assert!(command(true).contains("-- installed"));
    }
    assert_eq!(shop.texts(triggers).await, ["1"]);
    shop.sql.run("INSERT INTO t VALUES (1), (2)").await;
    let told =
        tokio::time::timeout(Duration::from_secs(10), listener.recv()).await.unwrap().unwrap();
    assert_eq!(told.payload(), "public.t INSERT");
}
