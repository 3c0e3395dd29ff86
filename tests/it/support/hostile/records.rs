//! Records by pages, as services give them, and as they get it wrong.

use serde_json::{Value, json};

use super::{Does, Hostile, Seen};

/// How the next page is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// `?page=1` …
    Page,
    /// `?offset=0` …
    Offset,
    /// `?after=…`, from `next` in the body.
    Cursor,
    /// A whole url in the body, `next_url`.
    Next,
    /// A `Link` header with `rel="next"`.
    Link,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Nothing.
    None,
    /// The page of this number, from 0, leads to itself.
    LoopsAt(usize),
    /// There is always another page, an empty one in the end.
    Endless,
    /// The page of this number comes twice, under two numbers.
    RepeatsAt(usize),
    /// With each request a record appears before all others, so that pages by number shift.
    Shifts,
    /// The page of this number lacks its last record.
    LeavesOutAt(usize),
    /// The total is one more than there are.
    SaysMore,
}

/// Records `{"id": 0, "name": "record 0"}` … `{"id": total - 1}`, so many a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records {
    pub(crate) total: usize,
    pub(crate) size: usize,
    pub(crate) paging: Paging,
    pub(crate) twist: Twist,
}

impl Hostile {
    /// Gives records under a path: `{"data": [...], "total": n, "next": …, "next_url": …}`. `?size=` asks for other pages.
    pub(crate) fn on_records(&self, path: &str, records: Records) {
        let (own, url) = (path.to_owned(), self.url());
        let asked = std::sync::atomic::AtomicUsize::new(0);
        self.on_each(path, move |seen| {
            let before = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            records.answer(seen, &format!("{url}{own}"), before)
        });
    }
}

impl Records {
    fn answer(&self, seen: &Seen, url: &str, asked_before: usize) -> Does {
        let number = |name: &str| seen.parameter(name).and_then(|value| value.parse::<usize>().ok());
        let size = number("size").unwrap_or(self.size);
        let page = match self.paging {
            Paging::Page => number("page").unwrap_or(1).saturating_sub(1),
            Paging::Offset => number("offset").unwrap_or(0) / size,
            Paging::Cursor | Paging::Next | Paging::Link => number("after").unwrap_or(0),
        };
        let shown = match self.twist {
            Twist::RepeatsAt(at) if page == at + 1 => at,
            _ => page,
        };
        let shifted = if self.twist == Twist::Shifts { asked_before } else { 0 };
        let all = self.total + shifted;
        let (first, end) = ((shown * size).min(all), ((shown + 1) * size).min(all));
        // What appeared later stands before all others.
        let id = |at: usize| if at < shifted { self.total + shifted - 1 - at } else { at - shifted };
        let mut data: Vec<Value> =
            (first..end).map(|at| json!({"id": id(at), "name": format!("record {}", id(at))})).collect();
        if self.twist == Twist::LeavesOutAt(page) {
            data.pop();
        }
        let next = match self.twist {
            Twist::LoopsAt(at) if at == page => Some(page),
            Twist::Endless => Some(page + 1),
            _ => ((page + 1) * size < all).then_some(page + 1),
        };
        let total = all + usize::from(self.twist == Twist::SaysMore);
        let mut body = json!({"data": data, "total": total});
        let next_url = next.map(|next| format!("{url}?after={next}&size={size}"));
        let mut headers = Vec::new();
        match self.paging {
            Paging::Cursor => body["next"] = next.map_or(Value::Null, |next| next.to_string().into()),
            Paging::Next => body["next_url"] = next_url.into(),
            Paging::Link => {
                headers.extend(next_url.map(|url| ("link", format!("<{url}>; rel=\"next\""))));
            }
            Paging::Page | Paging::Offset => {}
        }
        Does::With(headers, body.to_string())
    }
}
