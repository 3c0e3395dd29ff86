//! Where each task of a graph is drawn: in columns, each to the right of all that it needs, with as few crossings as a
//! few sweeps give. Pure.

/// An edge from what is needed to what needs it, by the nodes' numbers.
pub(super) type Arrow = (usize, usize);

/// Where everything lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Places {
    /// Column and row of each node; rows may lie between each other.
    pub(super) nodes: Vec<(usize, f64)>,
    /// For each edge the places that it goes through, both ends included.
    pub(super) ways: Vec<Vec<(usize, f64)>>,
    pub(super) columns: usize,
    pub(super) rows: f64,
}

/// How often the columns are sorted by what lies beside them.
const SWEEPS: usize = 12;

/// Places `count` nodes. `arrows` has no cycle.
pub(super) fn place(count: usize, arrows: &[Arrow]) -> Places {
    let columns = columns(count, arrows);
    // A long edge goes through a place of its own in each column, so that it passes by other nodes.
    let mut spots =
        Spots { column: columns.clone(), before: vec![Vec::new(); count], after: vec![Vec::new(); count] };
    let chains: Vec<Vec<usize>> = arrows.iter().map(|arrow| spots.chain(*arrow)).collect();
    let width = columns.iter().max().map_or(0, |last| last + 1);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); width];
    for spot in 0..spots.column.len() {
        order[spots.column[spot]].push(spot);
    }
    let mut row = vec![0.0; spots.column.len()];
    number(&order, &mut row);
    for sweep in 0..SWEEPS {
        let beside = if sweep % 2 == 0 { &spots.before } else { &spots.after };
        let mut sort = |column: &mut Vec<usize>| {
            let mut keyed: Vec<(f64, usize)> = column
                .iter()
                .map(|spot| (middle(&beside[*spot], &row).unwrap_or(row[*spot]), *spot))
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (nth, (_, spot)) in keyed.iter().enumerate() {
                column[nth] = *spot;
                row[*spot] = nth as f64;
            }
        };
        match sweep % 2 {
            0 => order.iter_mut().for_each(&mut sort),
            _ => order.iter_mut().rev().for_each(&mut sort),
        }
    }
    straighten(&order, &spots, &mut row, count);
    let lowest = row.iter().copied().fold(f64::INFINITY, f64::min);
    row.iter_mut().for_each(|row| *row -= lowest);
    let rows = row.iter().copied().fold(-1.0, f64::max) + 1.0;
    let at = |spot: &usize| (spots.column[*spot], row[*spot]);
    Places {
        nodes: (0..count).map(|node| at(&node)).collect(),
        ways: chains.iter().map(|chain| chain.iter().map(at).collect()).collect(),
        columns: width,
        rows: if count == 0 { 0.0 } else { rows },
    }
}

/// Nodes, and the places that long edges go through.
struct Spots {
    column: Vec<usize>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl Spots {
    /// The spots from one end of an edge to the other.
    fn chain(&mut self, (from, to): Arrow) -> Vec<usize> {
        let mut chain = vec![from];
        for column in self.column[from] + 1..self.column[to] {
            let spot = self.column.len();
            self.column.push(column);
            self.before.push(Vec::new());
            self.after.push(Vec::new());
            chain.push(spot);
        }
        chain.push(to);
        for pair in chain.windows(2) {
            self.after[pair[0]].push(pair[1]);
            self.before[pair[1]].push(pair[0]);
        }
        chain
    }
}

/// Each node right behind the last one that it needs; one that needs nothing right before the first that needs it.
fn columns(count: usize, arrows: &[Arrow]) -> Vec<usize> {
    let mut columns = vec![0; count];
    // As often as the longest way is long.
    for _ in 0..count {
        let mut moved = false;
        for (from, to) in arrows {
            if columns[*to] <= columns[*from] {
                columns[*to] = columns[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    for node in 0..count {
        let is_first = !arrows.iter().any(|(_, to)| *to == node);
        let next = arrows.iter().filter(|(from, _)| *from == node).map(|(_, to)| columns[*to]).min();
        if let Some(next) = next.filter(|_| is_first) {
            columns[node] = next - 1;
        }
    }
    columns
}

fn number(order: &[Vec<usize>], row: &mut [f64]) {
    for column in order {
        for (nth, spot) in column.iter().enumerate() {
            row[*spot] = nth as f64;
        }
    }
}

fn middle(spots: &[usize], row: &[f64]) -> Option<f64> {
    let sum: f64 = spots.iter().map(|spot| row[*spot]).sum();
    (!spots.is_empty()).then(|| sum / spots.len() as f64)
}

/// How far apart two spots in a column are at least: an edge needs less room than a node.
fn gap(a: usize, b: usize, count: usize) -> f64 {
    if a < count && b < count { 1.0 } else { 0.55 }
}

/// Moves spots towards the middle of what lies beside them, without changing their order.
fn straighten(order: &[Vec<usize>], spots: &Spots, row: &mut [f64], count: usize) {
    for column in order {
        let mut at = 0.0;
        for pair in 0..column.len() {
            if pair > 0 {
                at += gap(column[pair - 1], column[pair], count);
            }
            row[column[pair]] = at;
        }
    }
    for sweep in 0..SWEEPS {
        let mut settle = |column: &Vec<usize>| {
            let wish = |spot: &usize| {
                let beside = if sweep % 2 == 0 { &spots.before[*spot] } else { &spots.after[*spot] };
                middle(beside, row).unwrap_or(row[*spot])
            };
            let wishes: Vec<f64> = column.iter().map(wish).collect();
            for (spot, at) in column.iter().zip(apart(column, &wishes, count)) {
                row[*spot] = at;
            }
        };
        match sweep % 2 {
            0 => order.iter().for_each(&mut settle),
            _ => order.iter().rev().for_each(&mut settle),
        }
    }
}

/// As near to what is wished as the order and the gaps allow. Without the gaps between them the places must not fall:
/// neighbours that would share their middle.
fn apart(column: &[usize], wishes: &[f64], count: usize) -> Vec<f64> {
    let mut at = 0.0;
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let mut gaps = Vec::with_capacity(wishes.len());
    for (nth, wish) in wishes.iter().enumerate() {
        if nth > 0 {
            at += gap(column[nth - 1], column[nth], count);
        }
        gaps.push(at);
        let mut block = (wish - at, 1);
        while let Some(before) = blocks.pop_if(|before| before.0 > block.0) {
            let sum = before.0 * before.1 as f64 + block.0 * block.1 as f64;
            block = (sum / (before.1 + block.1) as f64, before.1 + block.1);
        }
        blocks.push(block);
    }
    let places = blocks.into_iter().flat_map(|(place, count)| std::iter::repeat_n(place, count));
    places.zip(gaps).map(|(place, gap)| place + gap).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_is_a_line() {
        let places = place(3, &[(0, 1), (1, 2)]);
        assert_eq!(places.nodes, [(0, 0.0), (1, 0.0), (2, 0.0)]);
        assert_eq!((places.columns, places.rows), (3, 1.0));
    }

    #[test]
    fn a_long_edge_goes_around_what_lies_between() {
        let places = place(3, &[(0, 1), (1, 2), (0, 2)]);
        let [.., way] = places.ways.as_slice() else { panic!("three edges") };
        assert_eq!(way.len(), 3);
        assert!((way[1].1 - places.nodes[1].1).abs() >= 0.5, "{places:?}");
    }

    #[test]
    fn nothing_has_no_place() {
        assert_eq!(place(0, &[]), Places { nodes: vec![], ways: vec![], columns: 0, rows: 0.0 });
    }

    proptest! {
        #[test]
        fn nobody_stands_on_another_and_edges_go_to_the_right(
            count in 1_usize..40,
            pairs in proptest::collection::vec((0_usize..40, 0_usize..40), 0..80),
        ) {
            let arrows: Vec<Arrow> = pairs.into_iter()
                .filter(|(from, to)| from < to && *to < count)
                .collect();
            let places = place(count, &arrows);
            for (nth, one) in places.nodes.iter().enumerate() {
                prop_assert!(one.1 >= 0.0 && one.1 <= places.rows);
                for other in &places.nodes[nth + 1..] {
                    prop_assert!(one.0 != other.0 || (one.1 - other.1).abs() > 0.99, "{:?}", places.nodes);
                }
            }
            for ((from, to), way) in arrows.iter().zip(&places.ways) {
                prop_assert!(places.nodes[*from].0 < places.nodes[*to].0);
                prop_assert_eq!(way.first(), places.nodes.get(*from));
                prop_assert_eq!(way.last(), places.nodes.get(*to));
            }
        }
    }
}
