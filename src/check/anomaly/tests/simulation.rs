//! Tables over 120 days with weekly rhythm, growth, noise and holidays: how often a clean day is told, how often a
//! fault is found on its day. The figures stand in docs/MODELS.md.

use super::*;

const SERIES: u64 = 100;
const DAYS: usize = 120;

/// From here on clean days are counted, and faults planted.
const SETTLED: usize = 30;

/// The same numbers every time: xorshift.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            chance.next();
        }
        chance
    }

    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    /// Distributed normally, nearly.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// What a table is like.
struct Table {
    /// New rows day by day.
    came: Vec<f64>,
    is_holiday: Vec<bool>,
}

impl Table {
    fn new(chance: &mut Chance) -> Self {
        let a_day = chance.between(4.0, 9.2).exp();
        let growth = chance.between(0.002, 0.01);
        let noise = chance.between(0.03, 0.12);
        let weekend = chance.between(0.4, 2.2);
        let weekdays: Vec<f64> =
            (0..7).map(|day| if day > 4 { weekend } else { chance.between(0.85, 1.15) }).collect();
        let holidays: Vec<usize> = (0..3).map(|_| usize::from(chance.between(0.0, 119.9) as u8)).collect();
        let one = |day: usize, chance: &mut Chance| {
            let holiday = if holidays.contains(&day) { 0.55 } else { 1.0 };
            let grown = (growth * f64::from(u32::try_from(day).unwrap_or(0))).exp();
            (a_day * grown * weekdays[day % 7] * holiday * (noise * chance.normal()).exp()).round()
        };
        let came = (0..DAYS).map(|day| one(day, chance)).collect();
        Self { came, is_holiday: (0..DAYS).map(|day| holidays.contains(&day)).collect() }
    }
}

/// A history that grows as a run after the other writes it.
struct Kept {
    past: Vec<Point>,
    level: f64,
}

impl Kept {
    fn judge(&self, zone: &TimeZone, number: usize, rows: f64) -> Found {
        let at = day(i64::try_from(number).expect("few"));
        match manner(zone).rows(at, rows, &self.past, false) {
            Expected::TooLittle(_) => Found::Normal,
            Expected::Known(range) => range.place(rows),
        }
    }

    fn next(&mut self, zone: &TimeZone, number: usize, came: f64) -> Found {
        self.level += came;
        let found = self.judge(zone, number, self.level);
        let at = day(i64::try_from(number).expect("few"));
        self.past.push(Point { found, ..point(at, self.level) });
        found
    }
}

/// A share in percent.
fn percent(of: u32, all: u32) -> f64 {
    100.0 * f64::from(of) / f64::from(all)
}

#[test]
fn clean_days_are_quiet_and_faults_are_found_on_their_day() {
    let zone = zone();
    let (mut clean, mut alarms, mut holidays, mut told_holidays, mut young) = (0, 0, 0, 0, 0);
    let mut planted = 0;
    let faults = ["a lost day", "half a day", "a day twice", "half the table", "the table twice"];
    let mut found = [0; 5];
    for seed in 1..=SERIES {
        let mut chance = Chance::new(seed);
        let table = Table::new(&mut chance);
        let mut kept = Kept { past: Vec::new(), level: 30.0 * table.came[0] };
        for (number, came) in table.came.iter().enumerate() {
            // Each fault is tried on a day of its own of the week, and never kept.
            if number > SETTLED
                && number % 13 == usize::try_from(seed % 13).unwrap_or(0)
                && !table.is_holiday[number]
            {
                let level = kept.level;
                let rows = [
                    level,
                    level + came / 2.0,
                    level + came * 2.0,
                    (level + came) / 2.0,
                    (level + came) * 2.0,
                ];
                planted += 1;
                for (found, rows) in found.iter_mut().zip(rows) {
                    *found += u32::from(kept.judge(&zone, number, rows.round()) != Found::Normal);
                }
            }
            let told = u32::from(kept.next(&zone, number, *came) != Found::Normal);
            if table.is_holiday[number] {
                holidays += 1;
                told_holidays += told;
            } else if number < SETTLED {
                young += told;
            } else {
                clean += 1;
                alarms += told;
            }
        }
    }
    println!(
        "{alarms} of {clean} clean days were told ({:.3} %), {young} in the first {SETTLED} days",
        percent(alarms, clean)
    );
    println!("{told_holidays} of {holidays} holidays were told");
    for (fault, found) in faults.iter().zip(found) {
        println!("{fault}: {found} of {planted} found on their day ({:.1} %)", percent(found, planted));
    }
    assert!(percent(alarms, clean) < 0.05, "{alarms} of {clean}");
    let least = [99.5, 85.0, 85.0, 99.9, 99.9];
    for ((fault, found), least) in faults.iter().zip(found).zip(least) {
        assert!(percent(found, planted) >= least, "{fault}: {found} of {planted}");
    }
}

#[test]
fn whole_tables_and_columns_with_a_rhythm_are_quiet_and_faults_are_found_on_their_day() {
    let zone = zone();
    let (mut clean, mut alarms, mut planted, mut columns, mut null_alarms) = (0, 0, 0, 0, 0);
    let faults = ["half the table", "the table twice", "an empty table", "a column without values"];
    let mut found = [0; 4];
    for seed in 1..=SERIES / 2 {
        let mut chance = Chance::new(seed + 7_777);
        // Orders under way: as many as a day's, fewer or more at weekends, none of them there for long.
        let (a_day, weekend) = (chance.between(4.0, 9.0).exp(), chance.between(0.4, 2.2));
        let (noise, nulls) = (chance.between(0.02, 0.08), chance.between(0.0, 0.4));
        let (mut past, mut shares): (Vec<Point>, Vec<Point>) = (Vec::new(), Vec::new());
        for number in 0..DAYS {
            let at = day(i64::try_from(number).expect("few"));
            let of_day = if number % 7 > 4 { weekend } else { 1.0 };
            let rows = (a_day * of_day * (noise * chance.normal()).exp()).round().max(1.0);
            let share = (nulls + chance.normal() * (nulls * (1.0 - nulls) / rows).sqrt()).clamp(0.0, 1.0);
            let place = |rows: f64| match manner(&zone).rows(at, rows, &past, false) {
                Expected::TooLittle(_) => Found::Normal,
                Expected::Known(range) => range.place(rows),
            };
            let null_place = |share: f64| match manner(&zone).share(at, (share, rows), &shares) {
                Expected::TooLittle(_) => Found::Normal,
                Expected::Known(range) => range.place(share),
            };
            if number > SETTLED && number % 13 == usize::try_from(seed % 13).unwrap_or(0) {
                planted += 1;
                for (found, rows) in found.iter_mut().zip([(rows / 2.0).round(), rows * 2.0, 0.0]) {
                    *found += u32::from(place(rows) != Found::Normal);
                }
                found[3] += u32::from(null_place(1.0) != Found::Normal);
            }
            let (told, told_nulls) = (place(rows), null_place(share));
            past.push(Point { found: told, ..point(at, rows) });
            shares.push(Point { found: told_nulls, of_rows: Some(rows), ..point(at, share) });
            if number >= SETTLED {
                clean += 1;
                columns += 1;
                alarms += u32::from(told != Found::Normal);
                null_alarms += u32::from(told_nulls != Found::Normal);
            }
        }
    }
    println!("{alarms} of {clean} clean days were told ({:.3} %)", percent(alarms, clean));
    println!(
        "{null_alarms} of {columns} days of a column were told ({:.3} %)",
        percent(null_alarms, columns)
    );
    for (fault, found) in faults.iter().zip(found) {
        println!("{fault}: {found} of {planted} found on their day ({:.1} %)", percent(found, planted));
    }
    assert!(
        percent(alarms, clean) < 0.1 && percent(null_alarms, columns) < 0.1,
        "{alarms} {null_alarms} of {clean}"
    );
    for ((fault, found), least) in faults.iter().zip(found).zip([95.0, 95.0, 99.9, 99.0]) {
        assert!(percent(found, planted) >= least, "{fault}: {found} of {planted}");
    }
}
