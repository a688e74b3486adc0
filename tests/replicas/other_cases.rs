//! What only MariaDB and SQLite do.

use serde_json::json;

use super::{shop::Shop, sql::Sql};
use crate::support::mariadb;

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_types_come_through_both_ways() {
    let Some(database) = mariadb::database().await else { return };
    let columns = "(id bigint unsigned PRIMARY KEY, n decimal(30, 10), f float, g double, b tinyint(1), small tinyint, \
         d date, t time(3), dt datetime(6), ts timestamp NULL, y year, e enum('x', 'y'), s set('p', 'q'), bits bit(8), \
         l varchar(10) CHARACTER SET latin1, j json, u uuid)";
    let setup = format!(
        "CREATE TABLE everything {columns}; CREATE TABLE copy {columns}; SET time_zone = '+00:00'; \
         INSERT INTO everything VALUES (18446744073709551615, 12345678901234567890.0123456789, 0.1, 1e300, 1, -128, \
         '2024-01-15', '-12:34:56.789', '2024-01-15 09:30:00.123456', '2024-01-15 09:30:00', 2024, 'y', 'p,q', b'101', \
         'é', '{{\"a\":  1}}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), \
         (1, 0, 16777216.5, 0.1, 7, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    );
    let shop = Shop::new(Sql::MariaDb(database), &setup).await;
    let csv = shop.export(json!({"connection": "shop", "table": "everything"}), json!({})).await;
    for text in [
        "18446744073709551615",
        "12345678901234567890.0123456789",
        ",0.1,",
        "2024-01-15T09:30:00Z",
        "é",
        "\"p,q\"",
    ] {
        assert!(csv.contains(text), "{text} in\n{csv}");
    }
    let back = json!({
        "name": "back", "left": {"file": "out.csv"}, "right": {"connection": "shop", "table": "copy"},
        "key": ["id"], "mode": "apply", "deletes": "ignore",
    });
    let report = shop.house.ok("syncDataset", back.clone()).await;
    assert_eq!(report["counts"]["insert"], 2, "{report:#}");
    let differ = "SELECT CAST(count(*) AS CHAR) FROM everything e JOIN copy c ON c.id = e.id WHERE NOT \
         (e.n <=> c.n AND e.f <=> c.f AND e.g <=> c.g AND e.b <=> c.b AND e.d <=> c.d AND e.t <=> c.t AND e.dt <=> c.dt \
         AND e.ts <=> c.ts AND e.y <=> c.y AND e.e <=> c.e AND e.s <=> c.s AND e.bits <=> c.bits AND e.l <=> c.l \
         AND e.j <=> c.j AND e.u <=> c.u)";
    assert_eq!(shop.texts(differ).await, ["0"]);
    let again = shop.house.ok("syncDataset", back).await;
    assert_eq!(again["state"], "inStep", "{again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_refuses_what_does_not_fit_and_what_has_no_transactions() {
    let Some(database) = mariadb::database().await else { return };
    let setup = "CREATE TABLE t (id int PRIMARY KEY, v varchar(3), n decimal(5, 2), i tinyint, e enum('x'), c int CHECK (c < 5), \
         l varchar(9) CHARACTER SET latin1, u int UNIQUE); INSERT INTO t (id, u) VALUES (1, 1); \
         CREATE TABLE old (id int PRIMARY KEY) ENGINE = MyISAM; \
         CREATE VIEW sums AS SELECT max(id) AS id FROM t; \
         CREATE TABLE bytes (id int PRIMARY KEY, photo blob)";
    let shop = Shop::new(Sql::MariaDb(database), setup).await;
    for (column, value, said) in [
        ("v", "abcd", "too long"),
        ("n", "1.005", "would hold"),
        ("n", "1000", "ut of range"),
        ("i", "300", "ut of range"),
        ("i", "many", "ncorrect integer"),
        ("e", "z", "truncated"),
        ("c", "9", "CONSTRAINT"),
        ("l", "\u{65e5}", "ncorrect string"),
        ("u", "1", "Duplicate"),
    ] {
        let csv = format!("id,{column}\n2,{value}\n3,\n");
        let columns = json!([{"name": "id"}, {"name": column}]);
        let error = shop.fails("t", &csv, json!({"columns": columns})).await;
        assert!(error.contains("row 2 of") && error.contains(said), "{column} {value}: {error}");
        assert!(
            shop.texts("SELECT CAST(id AS CHAR) FROM t WHERE id > 1").await.is_empty(),
            "{column}"
        );
    }
    let error = shop.fails("old", "id\n1\n", json!({})).await;
    assert!(error.contains("MyISAM has no transactions"), "{error}");
    let error = shop.fails("sums", "id\n1\n", json!({})).await;
    assert!(error.contains("the view cannot be written"), "{error}");
    let side = json!({"connection": "shop", "table": "bytes"});
    let error = shop.house.err("syncDataset", shop.out(side, json!({}))).await;
    assert!(error.contains("\"photo\"") && error.contains("blob"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_keys_without_case_are_told_apart_by_their_letters() {
    let Some(database) = mariadb::database().await else { return };
    let setup = "CREATE TABLE t (id varchar(9) COLLATE utf8mb4_general_ci, a int, KEY (id)); \
                 INSERT INTO t VALUES ('a', 1), ('A', 2), ('b', 3)";
    let shop = Shop::new(Sql::MariaDb(database), setup).await;
    let report = shop.apply("t", "id,a\na,10\nA,2\nb,3\nB,4\n").await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let rows = shop.texts("SELECT id, CAST(a AS CHAR) FROM t ORDER BY a").await;
    assert_eq!(rows, ["A|2", "b|3", "B|4", "a|10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_queries_read_and_do_nothing_else() {
    let Some(database) = mariadb::database().await else { return };
    let setup = "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)";
    let shop = Shop::new(Sql::MariaDb(database), setup).await;
    let query = |sql: &str| json!({"connection": "shop", "query": sql});
    let csv = shop.export(query("SELECT id, a * 2 AS twice FROM t"), json!({})).await;
    assert_eq!(csv, "id,twice\n1,2\n2,4\n");
    for sql in [
        "SELECT 1 AS id; DROP TABLE t",
        "SELECT 1 AS id) AS q; DROP TABLE t; -- ",
        "SELECT id FROM t INTO OUTFILE '/tmp/lockstep-stolen'",
        "DELETE FROM t",
    ] {
        let error = shop.house.err("syncDataset", shop.out(query(sql), json!({}))).await;
        assert!(!error.starts_with("internal"), "{sql}: {error}");
        assert_eq!(shop.texts("SELECT CAST(count(*) AS CHAR) FROM t").await, ["2"], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_values_as_they_are_or_refuses_them() {
    let setup = "CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC, s TEXT, x, flag BOOLEAN, at DATETIME, r REAL, \
         twice INT GENERATED ALWAYS AS (n * 2)); \
         INSERT INTO t (id, n, s, x, flag, at, r) VALUES (1, 1.5, '007', 'free', 1, '2024-01-15 09:30:00', 0.1), \
         (2, 3, '2', 5, 0, 1705311000, 2.5), (3, NULL, NULL, 0.5, NULL, NULL, NULL)";
    let shop = Shop::new(Sql::sqlite(), setup).await;
    let csv = shop.export(json!({"connection": "shop", "table": "t"}), json!({})).await;
    assert_eq!(
        csv,
        "id,n,s,x,flag,at,r,twice\n1,1.5,007,free,true,2024-01-15T09:30:00,0.1,3\n\
         2,3,2,5,false,1705311000,2.5,6\n3,,,0.5,,,,\n"
    );
    let error = shop
        .fails(
            "t",
            "id,n\n1,0.1234567890123456789\n",
            json!({"columns": [{"name": "id"}, {"name": "n"}]}),
        )
        .await;
    assert!(error.contains("row 1 of") && error.contains("would hold"), "{error}");
    let report = shop.apply("t", "id,n,s,x,flag\n1,2,08,7,no\n4,1,x,free,yes\n").await;
    assert_eq!(report["state"], "applied", "{report:#}");
    let types =
        "SELECT id || '', n || '', s, x || '', typeof(x), flag || '' FROM t WHERE id IN (1, 4)";
    assert_eq!(shop.texts(types).await, ["1|2|08|7|text|0", "4|1|x|free|text|1"]);
    shop.sql.run("INSERT INTO t (id, x) VALUES (9, x'00ff')").await;
    let side = json!({"connection": "shop", "table": "t"});
    let error = shop.house.err("syncDataset", shop.out(side, json!({}))).await;
    assert!(error.contains("\"x\"") && error.contains("bytes"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_queries_and_views_are_held_to_what_they_are() {
    let setup = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE) STRICT; INSERT INTO t VALUES (1, 'x'); \
         CREATE VIEW seen AS SELECT id, a FROM t; CREATE VIEW open AS SELECT id, a FROM t; \
         CREATE TRIGGER into_open INSTEAD OF INSERT ON open BEGIN INSERT INTO t VALUES (new.id, new.a); END";
    let shop = Shop::new(Sql::sqlite(), setup).await;
    let query = |sql: &str| json!({"connection": "shop", "query": sql});
    let csv = shop.export(query("SELECT id, upper(a) AS a FROM t -- ;"), json!({})).await;
    assert_eq!(csv, "id,a\n1,X\n");
    for sql in [
        "SELECT 1 AS id; DROP TABLE t",
        "SELECT 1 AS id) ; ATTACH '/tmp/lockstep-stolen.db' AS o; SELECT * FROM (SELECT 1 AS id",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "PRAGMA user_version",
    ] {
        let error = shop.house.err("syncDataset", shop.out(query(sql), json!({}))).await;
        assert!(!error.starts_with("internal"), "{sql}: {error}");
    }
    assert_eq!(shop.texts("SELECT count(*) || '' FROM t").await, ["1"]);
    let error = shop.fails("seen", "id,a\n2,y\n", json!({})).await;
    assert!(error.contains("cannot be written") && error.contains("INSTEAD OF"), "{error}");
    assert_eq!(shop.apply("open", "id,a\n1,x\n2,y\n").await["counts"]["insert"], 1);
    let error = shop.fails("open", "id,a\n1,z\n", json!({})).await;
    assert!(error.contains("takes no UPDATE"), "{error}");
    let error = shop.fails("t", "id,a\n3,X\n", json!({})).await;
    assert!(error.contains("UNIQUE constraint failed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_cannot_be_is_explained() {
    let config = |text: &str| {
        let mut config = lockstep::config::Config::default();
        config.connections.insert("shop".into(), toml::from_str(text).unwrap());
        lockstep::replica::connections::Connections::new(&config.connections)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let error =
        config("kind = \"mysql\"\nurl = \"mysql://a:${LOCKSTEP_NO_SUCH}@b/c\"").unwrap_err();
    assert!(error.contains("connections.shop") && error.contains("LOCKSTEP_NO_SUCH"), "{error}");
    let error = config("kind = \"mysql\"\nurl = \"postgres://a:b@b/c\"").unwrap_err();
    assert!(error.contains("no address of MySQL"), "{error}");
    let house = crate::harness::House::with(|config| {
        let text = "kind = \"sqlite\"\nurl = \"sqlite:/nonexistent/x.db\"";
        config.connections.insert("shop".into(), toml::from_str(text).unwrap());
    })
    .await;
    let ask = json!({
        "left": {"connection": "shop", "table": "t"}, "right": {"file": "x.csv"}, "key": ["id"], "mode": "apply",
    });
    let error = house.err("syncDataset", ask).await;
    assert!(error.starts_with("notFound") && error.contains("/nonexistent/x.db"), "{error}");
}
