//! What makes inputs, and what becomes of one that fails.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::FileExt as _,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// An input, and what became of it: [`super::outcome`].
type Target = fn(&[u8]) -> u64;

/// For each target, unless `BARNCAT_FUZZ_SECONDS` says otherwise: the corpus alone. Tests that throw dice fail those who
/// changed nothing.
const SECONDS: u64 = 0;

/// Who takes longer for one input hangs: no input is long, and machines may be busy.
const HANGS_AFTER: Duration = Duration::from_secs(60);

const INPUT_BYTES_MAX: usize = 16 * 1024;

/// So many inputs are changed further.
const POOL_MAX: usize = 4_000;

/// How long an input that fails is made smaller.
const SHRINK: Duration = Duration::from_secs(5);

/// What is put into inputs of every target.
const TOKENS: [&str; 33] = [
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[31m",
    "\r\n",
    "\n",
    "\t",
    "'",
    "\"",
    "\"\"\"",
    "'''",
    "`",
    "\\",
    "\\\"",
    "${",
    "}",
    "--",
    "/*",
    "*/",
    ";",
    "://",
    "@",
    "é",
    "İ",
    "ß",
    "🐈",
    "\u{301}",
    "-1",
    "0",
    "1e999",
    "9223372036854775808",
    "18446744073709551615",
    "0.1",
];

/// Replays what the last process died of, then the corpus, then changes inputs until the time is over.
pub(super) fn fuzz(name: &'static str, tokens: &[&str], target: Target) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("tests/corpus").join(name);
    let seed = variable("BARNCAT_FUZZ_SEED").unwrap_or_else(|| u64::from(rand_seed()));
    let tries = Tries::new(name, &root.join("target/fuzz"), target);
    let mut random = Random(seed);
    let mut pool = Vec::new();
    let (mut seen, mut count) = (std::collections::HashSet::new(), 0_u64);
    for (path, input) in tries.of_last().into_iter().chain(inputs(&corpus)) {
        match tries.of(&input) {
            Ok(outcome) => drop(seen.insert(outcome)),
            Err(said) => panic!("{said}\n{} fails", path.display()),
        }
        pool.push(input);
    }
    assert!(!pool.is_empty(), "{} holds no input", corpus.display());
    let (started, time) =
        (Instant::now(), Duration::from_secs(variable("BARNCAT_FUZZ_SECONDS").unwrap_or(SECONDS)));
    while started.elapsed() < time {
        let input = random.input(&pool, tokens);
        count += 1;
        match tries.of(&input) {
            Ok(outcome) if seen.insert(outcome) && pool.len() < POOL_MAX => pool.push(input),
            Ok(_) => {}
            Err(said) => {
                let path = keep(&corpus, &tries.shrunk(input));
                panic!(
                    "{said}\nfuzz {name}: failed after {count} inputs, seed {seed}. The input is kept as {}, and \
                     replayed before all others by: cargo test --lib --features failpoints fuzz::{name}",
                    path.display()
                );
            }
        }
    }
    tries.end();
    println!("fuzz {name}: {count} inputs in {} s, {} outcomes, seed {seed}", time.as_secs(), seen.len());
}

#[expect(clippy::disallowed_methods, reason = "whoever starts the tests says how long and from where")]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not `{text}`")))
}

/// Another one each time.
fn rand_seed() -> u32 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8) as u32
}

/// The corpus, in the order of its names.
fn inputs(corpus: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(corpus).into_iter().flatten().flatten();
    let mut inputs: Vec<_> = files
        .map(|file| (file.path(), fs::read(file.path()).expect("a file of the corpus can be read")))
        .collect();
    inputs.sort();
    inputs
}

fn keep(corpus: &Path, input: &[u8]) -> PathBuf {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(input);
    let path = corpus.join(format!("found-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]));
    fs::write(&path, input).expect("the corpus can be written");
    path
}

/// Tries inputs, and knows which one it was if the process dies of it.
struct Tries {
    target: Target,
    last_path: PathBuf,
    last: fs::File,
    of_last: Option<Vec<u8>>,
    number: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Tries {
    fn new(name: &'static str, folder: &Path, target: Target) -> Self {
        fs::create_dir_all(folder).expect("target is a folder that can be written");
        let last_path = folder.join(format!("{name}.last"));
        // A stack that overflows, or memory that is used up, ends a process without a word.
        let of_last = fs::read(&last_path).ok();
        let last = fs::File::create(&last_path).expect("target is a folder that can be written");
        let (number, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watched = (number.clone(), ended.clone(), last_path.clone());
        std::thread::spawn(move || watch(name, &watched));
        Self { target, last_path, last, of_last, number, ended }
    }

    fn of_last(&self) -> Option<(PathBuf, Vec<u8>)> {
        Some((self.last_path.clone(), self.of_last.clone()?))
    }

    /// The outcome, or what a panic said.
    fn of(&self, input: &[u8]) -> Result<u64, String> {
        self.number.fetch_add(1, Ordering::Relaxed);
        let written = self.last.set_len(input.len() as u64).and_then(|()| self.last.write_all_at(input, 0));
        written.expect("target is a folder that can be written");
        panic::catch_unwind(AssertUnwindSafe(|| (self.target)(input))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
        })
    }

    /// The input without what it fails without.
    fn shrunk(&self, mut input: Vec<u8>) -> Vec<u8> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let started = Instant::now();
        let mut length = input.len().div_ceil(2);
        while length > 0 {
            let mut at = 0;
            while at < input.len() && started.elapsed() < SHRINK {
                let mut without = input.clone();
                without.drain(at..(at + length).min(input.len()));
                if self.of(&without).is_err() { input = without } else { at += length }
            }
            length /= 2;
        }
        panic::set_hook(hook);
        input
    }

    fn end(&self) {
        let _ = fs::remove_file(&self.last_path);
    }
}

impl Drop for Tries {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // A panic's input is in the corpus; only what no panic ended is left for the next process.
        self.end();
    }
}

/// Ends the process where one input takes too long: nothing else could end it, and the file still has it.
fn watch(name: &str, (number, ended, last): &(Arc<AtomicU64>, Arc<AtomicBool>, PathBuf)) {
    let mut before = u64::MAX;
    while !ended.load(Ordering::Relaxed) {
        let now = number.load(Ordering::Relaxed);
        if now == before {
            let _ = writeln!(
                std::io::stderr(),
                "fuzz {name}: hangs. The input is in {}, and replayed before all others",
                last.display()
            );
            std::process::abort();
        }
        before = now;
        std::thread::sleep(HANGS_AFTER);
    }
}

/// SplitMix64: one number makes all that follows, on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % (end as u64).max(1)) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> Option<&'a T> {
        all.get(self.below(all.len())).copied()
    }

    /// An input of the pool, changed a little.
    fn input(&mut self, pool: &[Vec<u8>], tokens: &[&str]) -> Vec<u8> {
        let mut input = pool[self.below(pool.len())].clone();
        for _ in 0..=self.below(4) {
            let other = &pool[self.below(pool.len())];
            self.change(&mut input, other, tokens);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8], tokens: &[&str]) {
        let (from, to) = self.range(input.len());
        let (other_from, other_to) = self.range(other.len());
        match self.below(9) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 => drop(input.drain(from..to)),
            2 => input.truncate(from),
            3 => drop(input.splice(from..to, other[other_from..other_to].iter().copied())),
            // The one's beginning and the other's end.
            4 => drop(input.splice(from.., other[other_from..].iter().copied())),
            5 => drop(input.splice(from..from, input[from..to].to_vec())),
            // A line of the other, as a line.
            6 => {
                let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                let line = self.of(&lines).unwrap_or_default();
                let starts: Vec<usize> = line_starts(input).collect();
                let at = starts[self.below(starts.len())];
                drop(input.splice(at..at, line.iter().copied()));
            }
            _ => {
                let token = match self.below(3) {
                    0 => self.of(&TOKENS),
                    _ => self.of(tokens),
                };
                let end = if self.below(2) == 0 { from } else { to.min(from + 8) };
                drop(input.splice(from..end, token.unwrap_or("\n").bytes()));
            }
        }
    }

    /// Mostly a short one: what is long is seldom still read.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = [4, 16, 64, length][self.below(4)];
        (from, (from + self.below(most + 1)).min(length))
    }
}

fn line_starts(input: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::once(0)
        .chain(input.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
}

/// The driver finds what there is to be found, names it and keeps it; and ends well where there is nothing.
#[test]
fn a_target_that_fails_is_found_and_its_input_kept_small() {
    let folder = tempfile::tempdir().expect("a folder");
    let tries = Tries::new("planted", folder.path(), |input| {
        assert!(!input.windows(3).any(|bytes| bytes == b"\"--"), "it is obeyed");
        input.len() as u64
    });
    let (mut random, pool) = (Random(7), vec![b"select 1 -- one\n".to_vec(), b"\"name\"".to_vec()]);
    let failing = (0..200_000).map(|_| random.input(&pool, &["\"--"])).find(|input| tries.of(input).is_err());
    let failing = failing.expect("it is found");
    assert_eq!(tries.of(&failing).expect_err("it fails"), "it is obeyed");
    let small = tries.shrunk(failing);
    assert_eq!(small, b"\"--");
    // What the process dies of is there for the next one.
    assert!(tries.of(&small).is_err());
    let again = Tries::new("planted", folder.path(), |_| 0);
    assert_eq!(again.of_last().expect("it is replayed").1, small);
}
