//! What an API said, without the secrets that were sent to it.

pub(crate) use crate::secrets::Secret;

/// The longest text of an API that is handed on, in characters.
const LONGEST: usize = 300;

/// Takes secrets out of what an API said, and bounds it.
#[derive(Clone, Default)]
pub(super) struct Redactor(Vec<String>);

impl Redactor {
    /// Adds a secret; a very short one would tear ordinary words.
    pub(super) fn add(&mut self, secret: &str) {
        crate::redact::note(secret);
        if secret.len() >= 4 && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// Returns the text in one line of bounded length, without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret, "***");
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        match line.char_indices().nth(LONGEST).and_then(|(at, _)| line.get(..at)) {
            Some(head) => format!("{head}…"),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        let mut redactor = Redactor::default();
        redactor.add("hunter22");
        redactor.add("a");
        let long = "x".repeat(1_000);
        assert_eq!(redactor.clean("bad token\n hunter22 at"), "bad token *** at");
        assert_eq!(redactor.clean(&long).chars().count(), LONGEST + 1);
    }
}
