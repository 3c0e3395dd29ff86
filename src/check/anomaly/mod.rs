//! A table against its own history: rows, bytes, duration, freshness, NULLs. What is measured is judged here and
//! written down with what the check found; what was abnormal is in no baseline.

mod curve;
mod expect;
mod judge;

use jiff::{Timestamp, tz::TimeZone};

use self::{
    expect::Range,
    judge::{Expected, Manner, Scale, abnormal_since, past, stayed_since},
};
use super::words;
use crate::{
    config::{Anomaly, BuiltIn, CheckKind, Measured},
    control::Series,
    event::{CheckOutcome, CheckStatus, Found, Measure},
};

/// Fewer rows of a load tell nothing of the bytes of one.
const ROWS_OF_BYTES: u64 = 100;

/// What is known beside the rows that are looked at.
#[derive(Debug, Clone)]
pub(super) struct Grounds {
    /// The moment that the rows show; `None`: nothing is published.
    pub(super) at: Option<Timestamp>,
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
    /// `None`: it could not be read.
    pub(super) series: Option<Vec<Series>>,
    /// The last load that brought rows.
    pub(super) load: Option<LoadTold>,
    /// Rows that are not published yet.
    pub(super) staged: Option<Coming>,
    /// A person takes what is abnormal for usual.
    pub(super) accept: bool,
    /// When a person last filled the table back, restored or adopted it: what that brought is nobody's anomaly.
    pub(super) by_hand_at: Option<Timestamp>,
}

/// What ledger and attempts tell of a load.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoadTold {
    pub(super) moment: Timestamp,
    /// `whole`, `new rows`: what is like it.
    pub(super) of: &'static str,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) seconds: Option<f64>,
}

/// Rows of a staging table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// All that the table will have.
    Whole,
    /// They come to those that are there.
    New,
    /// They do, or take the places of some.
    Merged,
}

/// What the warehouse counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    pub(super) rows: u64,
    /// By column.
    pub(super) nulls: Vec<u64>,
    /// The newest value of a column, in seconds since 1970.
    pub(super) newest: Option<f64>,
}

/// What is said of a check.
pub(super) struct Said {
    pub(super) measures: Vec<Measure>,
    pub(super) status: CheckStatus,
    pub(super) message: String,
}

/// A measure, and how it is told.
struct One {
    of: String,
    moment: Timestamp,
    value: f64,
    of_rows: Option<f64>,
    expected: Expected,
    words: String,
    unit: words::Unit,
}

/// Holds what was counted against its history.
pub(super) fn judge(check: &BuiltIn, anomaly: &Anomaly, counted: &Counted, grounds: &Grounds) -> Said {
    let passed = |message: &str| Said {
        measures: Vec::new(),
        status: CheckStatus::Passed,
        message: message.to_owned(),
    };
    let Some(at) = grounds.at else { return passed("nothing was published yet") };
    // What could not be asked does not pass.
    let Some(series) = &grounds.series else {
        let message = "its history could not be read from the control database".to_owned();
        return Said { measures: Vec::new(), status: check.options.verdict(1, 1), message };
    };
    let manner = Manner {
        zone: &grounds.zone,
        sensitivity: anomaly.sensitivity,
        history: usize::try_from(anomaly.history).unwrap_or(usize::MAX),
    };
    let all = Around { at, series, manner, anomaly, counted, grounds };
    let found = match anomaly.of {
        Measured::Rows => Ok(vec![all.rows()]),
        Measured::Nulls => all.nulls(),
        Measured::Bytes => all.bytes(),
        Measured::Duration => all.duration(),
        Measured::Freshness => all.freshness(),
    };
    match found {
        Ok(found) => all.say(found, check),
        Err(why) => passed(why),
    }
}

struct Around<'a> {
    at: Timestamp,
    series: &'a [Series],
    manner: Manner<'a>,
    anomaly: &'a Anomaly,
    counted: &'a Counted,
    grounds: &'a Grounds,
}

#[expect(clippy::cast_precision_loss, reason = "what is usual need not be exact to the row")]
impl Around<'_> {
    fn what(&self) -> &'static str {
        self.anomaly.of.word()
    }

    fn rows(&self) -> One {
        let past = past(self.series, self.what(), "");
        let came = self.counted.rows as f64;
        let is_part = matches!(self.grounds.staged, Some(Coming::New | Coming::Merged));
        let value = match past.last().filter(|_| is_part) {
            Some(last) => last.value + came,
            None => came,
        };
        let words = match is_part {
            true => {
                format!("with the {} that come it has {value:.0} at most", words::rows(self.counted.rows))
            }
            false => words::has_rows(self.counted.rows),
        };
        let expected = self.manner.rows(self.at, value, past, is_part);
        let (of, unit) = (String::new(), words::Unit::Rows);
        One { of, moment: self.at, value, of_rows: None, expected, words, unit }
    }

    fn nulls(&self) -> Result<Vec<One>, &'static str> {
        let of = self.counted.rows as f64;
        if self.counted.rows == 0 {
            return Err("there are no rows");
        }
        if self.grounds.staged == Some(Coming::Merged) {
            return Err("rows that take others' places are asked once they are published");
        }
        let one = |(column, nulls): (&String, &u64)| {
            let past = past(self.series, self.what(), column);
            let value = *nulls as f64 / of;
            let expected = match self.grounds.staged {
                Some(Coming::New) => self.manner.share_of_coming(self.at, of, past),
                _ => self.manner.share(self.at, (value, of), past),
            };
            let words = format!("{} of `{column}` are NULL", words::Unit::Share.told(value));
            let (of_rows, unit) = (Some(of), words::Unit::Share);
            One { of: column.clone(), moment: self.at, value, of_rows, expected, words, unit }
        };
        Ok(self.anomaly.columns.iter().zip(&self.counted.nulls).map(one).collect())
    }

    fn bytes(&self) -> Result<Vec<One>, &'static str> {
        let load = self.grounds.load.ok_or("no load brought it")?;
        if load.rows < ROWS_OF_BYTES {
            return Err("its load had too few rows to tell");
        }
        let value = load.bytes as f64 / load.rows as f64;
        let scale = Scale { floor: 0.2, slack: 0.0, has_low: true, up_to_greatest: false };
        let words = format!("its load has {} a row", words::Unit::Bytes.told(value));
        Ok(vec![self.of_load(load, value, scale, words, words::Unit::Bytes)])
    }

    fn duration(&self) -> Result<Vec<One>, &'static str> {
        let load = self.grounds.load.ok_or("no task made it")?;
        let value = load.seconds.ok_or("nobody knows how long it took")?;
        let scale =
            Scale { floor: std::f64::consts::LN_2, slack: 10.0, has_low: false, up_to_greatest: false };
        let words = format!("it took {}", words::Unit::Seconds.told(value));
        Ok(vec![self.of_load(load, value, scale, words, words::Unit::Seconds)])
    }

    fn of_load(&self, load: LoadTold, value: f64, scale: Scale, words: String, unit: words::Unit) -> One {
        let expected = self.manner.value(load.moment, past(self.series, self.what(), load.of), scale);
        One { of: load.of.to_owned(), moment: load.moment, value, of_rows: None, expected, words, unit }
    }

    /// By a column how old the newest row was when it was loaded; else how long ago that was, held against the
    /// times between loads.
    fn freshness(&self) -> Result<Vec<One>, &'static str> {
        let scale =
            Scale { floor: std::f64::consts::LN_2, slack: 600.0, has_low: false, up_to_greatest: true };
        let of = self.anomaly.column.clone().unwrap_or_default();
        let past = past(self.series, self.what(), &of);
        let unit = words::Unit::Seconds;
        let (value, words) = match &self.anomaly.column {
            Some(column) => {
                let newest = self.counted.newest.ok_or("no row has a value of it")?;
                let value = (self.at.as_millisecond() as f64 / 1000.0 - newest).max(0.0);
                (value, format!("its newest `{column}` was {} old", unit.told(value)))
            }
            None => {
                let age = self.grounds.now.duration_since(self.at).as_secs_f64().max(0.0);
                let last = past.iter().rev().find(|point| point.moment < self.at);
                let gap = last.map_or(0.0, |last| self.at.duration_since(last.moment).as_secs_f64());
                (gap, format!("its rows are {} old", unit.told(age)))
            }
        };
        // The first load has no time before it.
        let known: Vec<_> = past.iter().copied().filter(|point| point.value > 0.0).collect();
        let expected = self.manner.value(self.at, &known, scale);
        Ok(vec![One { of, moment: self.at, value, of_rows: None, expected, words, unit }])
    }

    /// What is told of its age, where no column tells it: that of now, and not the time before it was loaded.
    fn told(&self, one: &One, range: Range) -> Found {
        match self.anomaly.of {
            Measured::Freshness if self.anomaly.column.is_none() => {
                range.place(self.grounds.now.duration_since(self.at).as_secs_f64())
            }
            _ => range.place(one.value),
        }
    }

    fn say(&self, found: Vec<One>, check: &BuiltIn) -> Said {
        let (mut measures, mut abnormal, mut well, mut little) = (Vec::new(), Vec::new(), Vec::new(), None);
        for one in found {
            let mut measure = Measure {
                what: self.what().to_owned(),
                of: one.of.clone(),
                moment: one.moment,
                value: one.value,
                of_rows: one.of_rows,
                low: None,
                high: None,
                found: Found::Normal,
                accepted_since: None,
            };
            match one.expected {
                Expected::TooLittle(days) => {
                    little = little.max(Some(days));
                    let words = words::too_little_history(days, self.manner.history);
                    well.push(format!("{}; {words}", one.words));
                }
                Expected::Known(range) => {
                    let finite = |bound: f64| Some(bound).filter(|bound| bound.is_finite());
                    (measure.low, measure.high) = (finite(range.low), finite(range.high));
                    measure.found = range.place(one.value);
                    let mut told =
                        format!("{}; {}", one.words, words::expected(measure.low, measure.high, one.unit));
                    match self.accepted(&measure, self.told(&one, range)) {
                        Ok(None) => well.push(told),
                        Ok(Some((since, why))) => {
                            (measure.found, measure.accepted_since) = (Found::Normal, Some(since));
                            told.push_str(why);
                            well.push(told);
                        }
                        Err(()) => abnormal.push(told),
                    }
                }
            }
            measures.push(measure);
        }
        let status = check.options.verdict(u64::from(!abnormal.is_empty()), 1);
        let message = match (abnormal.is_empty(), well.len(), little) {
            (false, ..) => abnormal.join("; "),
            (true, 2.., Some(days)) => words::too_little_history(days, self.manner.history),
            (true, columns @ 2.., None) => {
                format!("the shares of NULLs of {columns} columns are as usual")
            }
            _ => well.join("; "),
        };
        Said { measures, status, message }
    }

    /// Nothing where it is as expected; since when and why it is usual now; or an error where it is abnormal.
    fn accepted(&self, measure: &Measure, found: Found) -> Result<Option<(Timestamp, &'static str)>, ()> {
        if found == Found::Normal {
            return Ok(None);
        }
        let past = past(self.series, &measure.what, &measure.of);
        if self.grounds.accept {
            let since = abnormal_since(measure.moment, past).unwrap_or(measure.moment);
            return Ok(Some((since, "; accepted: it is usual from now on")));
        }
        let last = past.iter().rev().find(|point| point.moment < measure.moment);
        let is_of_rows = self.anomaly.of.is_of_rows();
        if is_of_rows
            && self.grounds.by_hand_at.is_some_and(|by_hand| last.is_some_and(|last| last.moment < by_hand))
        {
            return Ok(Some((
                measure.moment,
                "; a person filled it back or restored it: it is usual from now on",
            )));
        }
        // What is not published is nobody's new level.
        let stayed = match self.grounds.staged {
            None => stayed_since(measure.moment, found, past),
            Some(_) => None,
        };
        stayed.map(|since| Some((since, "; it has stayed so, and is usual from now on"))).ok_or(())
    }
}

/// Where a person accepts and nothing of what is published is abnormal, it is about what is not published yet: what
/// comes next is usual, whatever it is.
/// `refused`: the checks that kept it from being published.
pub(super) fn accept_next(
    checks: &[super::Resolved],
    outcomes: &mut [CheckOutcome],
    refused: &[String],
    now: Timestamp,
) {
    let accepts =
        |outcome: &CheckOutcome| outcome.measures.iter().any(|measure| measure.accepted_since.is_some());
    if outcomes.iter().any(accepts) {
        return;
    }
    for (check, outcome) in checks.iter().zip(outcomes) {
        let is_refused = refused.contains(&outcome.check);
        if is_refused
            && check.check.options.before_publish
            && matches!(check.check.kind, CheckKind::Anomaly(_))
        {
            outcome.measures.iter_mut().for_each(|measure| measure.accepted_since = Some(now));
            outcome.message.push_str("; what comes next is accepted");
        }
    }
}

#[cfg(test)]
mod tests;
