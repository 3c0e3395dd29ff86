//! Strings that must never be seen: they print as `***`.

use std::sync::{PoisonError, RwLock};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

/// The passwords that this process logs in with: what other programs print is held against them.
static PASSWORDS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// A shorter one would hide half of every text.
const PASSWORD_LENGTH_MIN: usize = 6;

/// Remembers the password in a url, for [`conceal`].
pub(crate) fn remember_password(url: &str) {
    let Some((_, written)) = passwords(url).next() else { return };
    remember(written);
    remember(&percent_decode_str(written).decode_utf8_lossy());
}

/// Remembers a password, for [`conceal`].
pub(crate) fn remember(password: &str) {
    let mut known = PASSWORDS.write().unwrap_or_else(PoisonError::into_inner);
    let is_known = known.iter().any(|one| one.expose_secret() == password);
    if password.len() >= PASSWORD_LENGTH_MIN && !is_known {
        known.push(SecretString::from(password));
    }
}

/// A text of somebody else's, without the passwords of this process and those in urls.
pub(crate) fn conceal(text: &str) -> String {
    let known = PASSWORDS.read().unwrap_or_else(PoisonError::into_inner);
    let known = known.iter().flat_map(|password| text.match_indices(password.expose_secret()));
    // All are looked for in the text as it came: one that is taken out may hide where another one is.
    let mut places: Vec<(usize, usize)> =
        known.chain(passwords(text)).map(|(at, password)| (at, at + password.len())).collect();
    places.sort_unstable();
    let mut concealed = String::with_capacity(text.len());
    let mut told = 0;
    for (start, end) in places {
        if start > told || told == 0 {
            concealed.push_str(&text[told..start]);
            concealed.push_str("***");
        }
        told = told.max(end);
    }
    concealed.push_str(&text[told..]);
    concealed
}

/// The passwords in the urls of a text, each with its place.
fn passwords(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices("://").filter_map(|(at, slashes)| {
        let start = at + slashes.len();
        let ends = |character: char| character.is_whitespace() || "/?#\"'<>".contains(character);
        let authority = text[start..].split(ends).next()?;
        let (login, _) = authority.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        (!password.is_empty()).then_some((start + user.len() + 1, password))
    })
}

/// A secret: neither `Debug` nor `Display` shows it; memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a string out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself: for the driver that logs in with it, and for nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_concealed_in_urls_and_where_they_are_known() {
        assert_eq!(
            conceal("cannot reach postgres://me:open%20sesame@there:5432/db?x=1, nor http://a/b:c@d"),
            "cannot reach postgres://me:***@there:5432/db?x=1, nor http://a/b:c@d"
        );
        assert_eq!(conceal("s3://u:p@ss@h https://u:pw@"), "s3://u:***@h https://u:***@");
        remember_password("postgres://me:unlikely-to-be-said@there/db");
        remember_password("postgres://me:a@there/db");
        assert_eq!(conceal("PGPASSWORD=unlikely-to-be-said a"), "PGPASSWORD=*** a");
        remember_password("postgres://me:also%20seldom%2Fsaid@there/db");
        assert_eq!(conceal("as also seldom/said, as also%20seldom%2Fsaid"), "as ***, as ***");
        assert_eq!(conceal("nothing: here"), "nothing: here");
        // A known one that reaches into a url's login hid where its password is.
        remember_password("postgres://me:options=e:@there/db");
        assert_eq!(conceal("postgres://options=e:hunter2@there/db"), "postgres://***@there/db");
    }
}
