//! One behaviour suite for every kind of replica, gated by what it can do.
//!
//! A new kind is a file in `tests/replicas/` that implements [`kind::Replica`], and a line below.

mod crashes;
mod file;
mod formats;
mod kind;
mod laws;
mod other_cases;
mod parquet_file;
mod postgres_cases;
mod sheet;
mod shop;
mod sql;
mod storms;
mod xlsx_file;

/// Runs every law over a kind; what makes one may find that its server is not there, and skip.
macro_rules! suite {
    ($name:ident, $make:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "not every kind needs every name")]
            use super::*;

            suite!(@laws $make, rows_flow, rows_are_marked, blanks_agree, texts_survive, values_survive,
                keys_may_have_parts, duplicate_keys_are_set_aside, a_stale_plan_is_refused, both_sides_flow,
                a_run_is_taken_back, many_rows_go_in_batches, a_held_row_is_not_overwritten,
                a_refused_row_is_named, refusals_help);
        }
    };
    (@laws $make:expr, $($law:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $law() {
                if let Some(replica) = $make.await {
                    laws::$law(&replica).await;
                }
            }
        )*
    };
}

suite!(csv_file, async { Some(file::File) });
suite!(json, async { Some(formats::Formatted::json()) });
suite!(json_lines, async { Some(formats::Formatted::lines()) });
suite!(xlsx, async { Some(formats::Formatted::xlsx()) });
suite!(parquet, async { Some(formats::Formatted::parquet()) });
suite!(a_sheet, async { Some(sheet::Sheet::default()) });
suite!(sqlite, async { Some(sql::Sql::sqlite()) });
suite!(postgresql, async { crate::support::postgres::database().await.map(sql::Sql::Postgres) });
suite!(mariadb, async { crate::support::mariadb::database().await.map(sql::Sql::MariaDb) });
