//! The page at which a token is given.

use maud::html;

use super::frame::{Place, page};

/// Returns the page; `wrong` says why the last token was not taken, `next` is where to go then.
pub(crate) fn sign_in(csrf: &str, next: &str, wrong: Option<&str>) -> String {
    let body = html! {
        p { "This server asks who you are. Give a token as " code { "lockstep token" }
            " prints it, or an access token of the server's issuer." }
        @if let Some(wrong) = wrong {
            p.note.poor #wrong role="alert" { (wrong) }
        }
        form.card method="post" action="/sign-in" {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="next" value=(next);
            p { label for="token" { "Token" } }
            p { input #token type="password" name="token" size="48" autocomplete="off" required autofocus
                aria-describedby=[wrong.map(|_| "wrong")]; }
            p.small.soft { "The token stays on the server; your browser keeps a session of at most 12 hours." }
            div.actions { button { "Sign in" } }
        }
    };
    page(None, Place::Elsewhere, "Sign in", &body)
}
