//! The header `Link` (RFC 8288).

/// The target of the first link whose relation is `next`, over all headers of the name; `None`: they are broken.
pub(super) fn next<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Option<&'a str>> {
    let links: Vec<_> = headers.map(links).collect::<Option<_>>()?;
    let next = links.into_iter().flatten().find(|(_, relations)| {
        relations.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
    });
    Some(next.map(|(target, _)| target))
}

/// Each link's target and relations.
fn links(header: &str) -> Option<Vec<(&str, String)>> {
    let mut links = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let inside = rest.strip_prefix('<')?;
        let end = inside.find('>')?;
        let target = inside[..end].trim();
        let (parameters, after) = parameters(&inside[end + 1..]);
        // Of several the first counts.
        let relation = parameters.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("rel"));
        links.push((target, relation.map(|(_, value)| value).unwrap_or_default()));
        rest = after.trim_start();
        // Between two there is a comma, and empty ones may be among them.
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t', ',']);
        }
    }
    Some(links)
}

/// The parameters behind a target, and what follows the link.
fn parameters(text: &str) -> (Vec<(&str, String)>, &str) {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    while let Some(inside) = rest.strip_prefix(';') {
        let end = inside.find(['=', ';', ',']).unwrap_or(inside.len());
        let name = inside[..end].trim();
        rest = &inside[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = written(after.trim_start());
        }
        parameters.push((name, value));
        rest = rest.trim_start();
    }
    (parameters, rest)
}

/// A token, or a quoted string whose escapes are taken out.
fn written(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn the_next_link_is_found_wherever_it_stands() {
        let of = |header| next(std::iter::once(header)).expect("it is whole");
        assert_eq!(
            of("<https://a/?page=2>; rel=\"next\", <https://a/?page=9>; rel=\"last\""),
            Some("https://a/?page=2")
        );
        assert_eq!(of("</p?a=1,2;3>; title=\"x, <y>; rel=next\"; rel=prev, </n>;rel=next"), Some("/n"));
        assert_eq!(of("<b>; rel=\"last Next\""), Some("b"));
        assert_eq!(of("<b>; REL = next ; foo"), Some("b"));
        assert_eq!(of("<b>; rel=nextish"), None);
        assert_eq!(of("<b>; rel=\"prev\"; rel=\"next\""), None, "only the first relation of a link counts");
        assert_eq!(of(""), None);
        assert_eq!(of(", <a>;rel=prev ,, <b> ; rel=next ,"), Some("b"));
        assert_eq!(next(["<a>; rel=prev", "<c>; rel=next"].into_iter()), Some(Some("c")));
        for broken in ["<b; rel=next", "b; rel=next", "<a>; rel=prev, b>; rel=next", "<a> <b>; rel=next"] {
            assert_eq!(next(std::iter::once(broken)), None, "{broken}");
        }
    }
}
