//! The skill folder of this repository, served through the skills extension (SEP-2640).

use rmcp::{
    ErrorData,
    model::{
        ListSkillsResult, ReadResourceResult, Resource, ResourceContents, Skill, SkillFrontmatter,
        SkillResource, SkillResources,
    },
};

/// What the URI of every file of the skill begins with.
const FOLDER: &str = "skill://lockstep-sync/";

/// The files by name; the first is the way in.
const FILES: [(&str, &str); 2] = [
    ("SKILL.md", include_str!("../../skills/lockstep-sync/SKILL.md")),
    ("repair.md", include_str!("../../skills/lockstep-sync/repair.md")),
];

/// Returns a field of the front matter of the way in.
fn field(name: &str) -> &'static str {
    let [(_, text), _] = FILES;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim()
}

fn skill() -> Skill {
    let files = FILES
        .iter()
        .map(|(name, text)| SkillResource::from_bytes(format!("{FOLDER}{name}"), text.as_bytes()));
    Skill::new(
        format!("{FOLDER}SKILL.md"),
        SkillFrontmatter::new(field("name"), field("description")),
        SkillResources::Files(files.collect()),
    )
}

/// Returns all skills.
pub(super) fn list() -> ListSkillsResult {
    ListSkillsResult::with_all_items(vec![skill()])
}

/// Returns one skill.
///
/// # Errors
/// A URI that is no skill's.
pub(super) fn get(uri: &str) -> Result<Skill, ErrorData> {
    let skill = skill();
    match skill.uri == uri {
        true => Ok(skill),
        false => Err(ErrorData::invalid_params(format!("there is no skill {uri}"), None)),
    }
}

/// Returns the way in, for the list of resources.
pub(super) fn resource() -> Resource {
    Resource::new(format!("{FOLDER}SKILL.md"), field("name"))
        .with_description(field("description"))
        .with_mime_type("text/markdown")
}

/// Returns a file of the skill; `None` if there is no such file.
pub(super) fn read(uri: &str) -> Option<ReadResourceResult> {
    let name = uri.strip_prefix(FOLDER)?;
    let (_, text) = FILES.iter().find(|(file, _)| *file == name)?;
    let contents = ResourceContents::text(*text, uri).with_mime_type("text/markdown");
    Some(ReadResourceResult::new(vec![contents]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skill_is_whole_and_names_tools_that_exist() {
        let skill = get("skill://lockstep-sync/SKILL.md").unwrap();
        skill.validate().unwrap();
        assert!(skill.frontmatter.description.len() > 40);
        let known: Vec<&str> = crate::tools::all().iter().map(|tool| tool.name).collect();
        for (name, text) in FILES {
            assert!(read(&format!("{FOLDER}{name}")).is_some());
            assert!(text.len() < 6_000, "{name} is read whole by a model");
            let quoted = text.split('`').skip(1).step_by(2);
            let tools = quoted.filter(|word| {
                [
                    "Files",
                    "Sheet",
                    "Dataset",
                    "Spreadsheet",
                    "Sync",
                    "History",
                    "Conflicts",
                    "Report",
                ]
                .iter()
                .any(|end| word.ends_with(end))
            });
            for tool in tools {
                assert!(known.contains(&tool), "{name} names {tool}, which is no tool");
            }
        }
        assert!(get("skill://lockstep-sync/repair.md").is_err());
        assert!(read("skill://lockstep-sync/../x").is_none());
    }
}
