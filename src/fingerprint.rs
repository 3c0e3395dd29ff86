//! A fingerprint of settings: the same texts, the same fingerprint.

use sha2::{Digest, Sha256};

/// SHA-256 over texts in their order, each with its length, in hexadecimal. Kept in the ledger and in the
/// control database: it never changes, for then an upgrade would rebuild tables.
pub fn of(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        let text = text.as_ref();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_what_ledgers_have_and_tells_where_a_text_ends() {
        let of_two_empty_texts = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb";
        assert_eq!(super::of(["", ""]), of_two_empty_texts);
        assert_ne!(super::of(["ab", "c"]), super::of(["a", "bc"]));
    }
}
